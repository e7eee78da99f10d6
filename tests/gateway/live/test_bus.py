from __future__ import annotations

import asyncio

import pytest

from gateway.live.bus import Event, InProcessBus

pytestmark = pytest.mark.anyio


def change(version: int, subject: str = "wal_a") -> Event:
    return Event(topic="wallet", subject_id=subject, version=version, kind="SPEND", payload={})


async def test_events_arrive_in_order_and_only_at_their_subject() -> None:
    bus = InProcessBus()
    async with bus.listen(("wallet", "wal_a")) as first, bus.listen(("wallet", "wal_b")) as other:
        await bus.publish([change(1), change(2), change(1, "wal_b")])
        assert [event.version for event in await first.take()] == [1, 2]
        assert [event.subject_id for event in await other.take()] == ["wal_b"]
    assert bus.listener_count == 0


async def test_one_mailbox_can_hear_several_subjects() -> None:
    bus = InProcessBus()
    async with bus.listen(("wallet", "wal_a"), ("wallet", "wal_b")) as listener:
        await bus.publish([change(1), change(7, "wal_b")])
        assert [(e.subject_id, e.version) for e in await listener.take()] == [
            ("wal_a", 1),
            ("wal_b", 7),
        ]


async def test_a_slow_reader_keeps_the_newest_and_is_told_that_it_missed_some() -> None:
    bus = InProcessBus()
    async with bus.listen(("wallet", "wal_a"), capacity=3) as listener:
        await bus.publish([change(version) for version in range(1, 1001)])
        events = await listener.take()
        assert listener.overflowed
        assert len(events) <= 3
        assert events[-1].version == 1000


async def test_a_reader_waits_until_something_happens() -> None:
    bus = InProcessBus()
    async with bus.listen(("wallet", "wal_a")) as listener:
        taking = asyncio.ensure_future(listener.take())
        await asyncio.sleep(0)
        assert not taking.done()
        await bus.publish([change(1)])
        assert [event.version for event in await taking] == [1]
