"""The event bus as the rest of the gateway sees it, and the one that stays inside a process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

Subject = tuple[str, str]
"""(topic, subject_id)."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was committed. topic: 'wallet' or 'agency'; subject_id: the id that a
    subscriber names; version: the subject's version, rising; payload: what the writer stored."""

    topic: str
    subject_id: str
    version: int
    kind: str
    payload: dict[str, Any]


class Listener:
    """One subscriber's mailbox. It keeps at most `capacity` events: when a slow reader lets it
    fill, the oldest go first and `overflowed` tells the reader to read the state again."""

    def __init__(self, *, capacity: int) -> None:
        self._events: list[Event] = []
        self._capacity = capacity
        self._arrived = asyncio.Event()
        self.overflowed = False

    def offer(self, event: Event) -> None:
        """Never waits: a publisher is not slowed by its readers."""
        if len(self._events) == self._capacity:
            self._events.clear()
            self.overflowed = True
        self._events.append(event)
        self._arrived.set()

    async def take(self) -> list[Event]:
        """All events that wait, at least one. `overflowed` stays set until the caller clears it."""
        await self._arrived.wait()
        self._arrived.clear()
        taken, self._events = self._events, []
        return taken


class Bus(Protocol):
    """Carries committed events to the subscribers of this process."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Hand over events that are committed. May repeat one, never invents one."""

    def listen(
        self, *subjects: Subject, capacity: int = 64
    ) -> AbstractAsyncContextManager[Listener]:
        """Events of these subjects from now on, in one mailbox, until the block ends."""


class InProcessBus:
    """A bus for one process: publishing is a loop over mailboxes."""

    def __init__(self) -> None:
        self._listeners: dict[Subject, set[Listener]] = defaultdict(set)

    async def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            for listener in self._listeners.get((event.topic, event.subject_id), ()):
                listener.offer(event)

    @asynccontextmanager
    async def listen(self, *subjects: Subject, capacity: int = 64) -> AsyncIterator[Listener]:
        listener = Listener(capacity=capacity)
        for subject in subjects:
            self._listeners[subject].add(listener)
        try:
            yield listener
        finally:
            for subject in subjects:
                self._listeners[subject].discard(listener)
                if not self._listeners[subject]:
                    del self._listeners[subject]

    @property
    def listener_count(self) -> int:
        """How many mailboxes are open now."""
        return len(set().union(*self._listeners.values()))
