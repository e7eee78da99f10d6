"""Takes care of stored events: groups them by what they are about, has that read from Stripe and
settled, and marks them. Order and repetition of events cannot matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import anyio
import structlog

from gateway.clock import Clock
from gateway.crash_points import crash_point
from gateway.inbox.store import ClaimedEvent, claim_events, finish_events, postpone_events
from gateway.inbox.subjects import Subject

log = structlog.get_logger(__name__)

Handler = Callable[[Subject], Awaitable[bool]]
"""Reads the subject again and settles it. False: nothing of ours fits it."""

_BATCH: Final = 100
_AT_ONCE: Final = 8
_LEASE: Final = timedelta(seconds=30)
_FIRST_PAUSE_S: Final = 1
_LONGEST_PAUSE_S: Final = 600
_MOST_TRIES: Final = 20


async def work_off_inbox(clock: Clock, handle: Handler) -> int:
    """Handle one batch of due events and answer how many there were.

    After: each is DONE, UNMATCHED, due again later, or FAILED after many tries. Events about the
    same object are handled together: one fresh reading answers them all."""
    now = clock()
    claimed = await claim_events(now=now, until=now + _LEASE, limit=_BATCH)
    groups: dict[Subject | None, list[ClaimedEvent]] = defaultdict(list)
    for event in claimed:
        groups[event.subject].append(event)
    limiter = anyio.CapacityLimiter(_AT_ONCE)
    async with anyio.create_task_group() as tasks:
        for subject, events in groups.items():
            tasks.start_soon(_handle_group, clock, handle, subject, events, limiter)
    return len(claimed)


async def _handle_group(
    clock: Clock,
    handle: Handler,
    subject: Subject | None,
    events: Sequence[ClaimedEvent],
    limiter: anyio.CapacityLimiter,
) -> None:
    ids = [event.id for event in events]
    async with limiter:
        try:
            matched = subject is not None and await handle(subject)
            crash_point("webhook_worker_after_commit")
            await finish_events(ids, matched=matched, now=clock())
        except Exception as error:
            log.exception("stripe_event_postponed", events=ids, types={e.type for e in events})
            await _postpone(clock, events, error)
            return
    if subject is not None and not matched:
        log.warning("stripe_event_unmatched", events=ids, types=sorted({e.type for e in events}))


async def _postpone(clock: Clock, events: Sequence[ClaimedEvent], error: Exception) -> None:
    tries = max(event.tries for event in events)
    pause_s = min(_FIRST_PAUSE_S * 2**tries, _LONGEST_PAUSE_S)
    given_up = await postpone_events(
        [event.id for event in events],
        error=repr(error)[:500],
        until=clock() + timedelta(seconds=pause_s),
        most_tries=_MOST_TRIES,
    )
    if given_up:
        log.error("alert_stripe_events_failed", events=given_up)
