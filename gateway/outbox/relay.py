"""Carries committed rows of the outbox to the bus, each at least once and in order.

A crash between the commit and the publishing loses nothing: the row still says "not published"
and the next relay takes it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import orjson
import structlog

from gateway.clock import Clock
from gateway.database import Row, rows, transaction
from gateway.live.bus import Bus, Event

_log = structlog.get_logger(__name__)

_BATCH: Final = 500
_IDLE_S: Final = 0.25
_AFTER_ERROR_S: Final = 1.0

_CLAIM: Final = """
    SELECT id, topic, subject_id, version, kind, payload FROM outbox_events
    WHERE published_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
# The second condition lets the index of waiting rows find them.
_MARK: Final = """
    UPDATE outbox_events SET published_at = $2
    WHERE id = ANY($1::bigint[]) AND published_at IS NULL
"""


class Relay:
    """One loop per gateway process. `nudge` wakes it at once after a commit of this process;
    what other processes committed is found by looking every quarter of a second."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus, self._clock = bus, clock
        self._wanted = asyncio.Event()

    def nudge(self) -> None:
        """Something was committed: look now."""
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled. Errors of the database are waited out."""
        while True:
            try:
                while await self.publish_batch() == _BATCH:
                    pass
                await self._wait()
            except Exception as error:  # noqa: BLE001 - the loop must outlive every fault
                _log.warning("outbox_relay_waits", reason=type(error).__name__)
                await asyncio.sleep(_AFTER_ERROR_S)

    async def publish_batch(self) -> int:
        """Publish the oldest waiting rows and mark them. → how many."""
        async with transaction() as connection:
            found = await rows(_CLAIM, _BATCH, on=connection)
            if found:
                await self._bus.publish([_event(entry) for entry in found])
                await rows(_MARK, [entry["id"] for entry in found], self._clock(), on=connection)
        return len(found)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_IDLE_S):
                await self._wanted.wait()
        self._wanted.clear()


def _event(entry: Row) -> Event:
    payload = entry["payload"]
    return Event(
        topic=entry["topic"],
        subject_id=entry["subject_id"],
        version=entry["version"],
        kind=entry["kind"],
        payload=orjson.loads(payload) if isinstance(payload, str) else payload,
    )
