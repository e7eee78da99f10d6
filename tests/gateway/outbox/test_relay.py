from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from gateway.clock import system_clock
from gateway.database import row, rows, transaction
from gateway.ids import new_id
from gateway.live.bus import Event, InProcessBus
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.outbox.relay import Relay

pytestmark = pytest.mark.anyio


async def an_agency() -> str:
    plan, agency = new_id("plan"), new_id("agency")
    await rows("INSERT INTO plans (id, name, created_at) VALUES ($1, 'Basic', now())", plan)
    await rows(
        "INSERT INTO agencies (id, plan_id, name, currency, time_zone, created_at) "
        "VALUES ($1, $2, 'Blue', 'USD', 'UTC', now())",
        agency,
        plan,
    )
    return agency


async def record(agency: str, **payload: Any) -> None:
    async with transaction() as connection:
        await record_agency_event(
            connection,
            agency_id=agency,
            kind=ActivityKind.PURCHASE_UPDATED,
            payload=payload,
            now=system_clock(),
        )


async def test_what_was_committed_is_published_once_and_in_order(database: str) -> None:
    agency, bus = await an_agency(), InProcessBus()
    relay = Relay(bus, system_clock)
    async with bus.listen(("agency", agency)) as listener:
        for number in range(3):
            await record(agency, purchaseId=f"pur_{number}")
        assert await relay.publish_batch() == 3
        events = await listener.take()
        assert [event.payload["purchaseId"] for event in events] == ["pur_0", "pur_1", "pur_2"]
        assert await relay.publish_batch() == 0


async def test_what_was_rolled_back_is_never_published(database: str) -> None:
    agency, bus = await an_agency(), InProcessBus()

    class Undone(Exception):
        pass

    with suppress(Undone):
        async with transaction() as connection:
            await record_agency_event(
                connection,
                agency_id=agency,
                kind=ActivityKind.BLOCKS_UPDATED,
                payload={},
                now=system_clock(),
            )
            raise Undone
    assert await Relay(bus, system_clock).publish_batch() == 0


class FailingBus(InProcessBus):
    """A bus that is away when first asked, as a server of the Redis protocol may be."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 1

    async def publish(self, events: Sequence[Event]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the bus is away")
        await super().publish(events)


async def test_a_failure_between_commit_and_publishing_loses_nothing(database: str) -> None:
    agency, bus = await an_agency(), FailingBus()
    relay = Relay(bus, system_clock)
    await record(agency, purchaseId="pur_1")
    with pytest.raises(ConnectionError):
        await relay.publish_batch()
    waiting = await row("SELECT count(*) AS n FROM outbox_events WHERE published_at IS NULL")
    assert waiting == {"n": 1}

    async with bus.listen(("agency", agency)) as listener:
        running = asyncio.ensure_future(relay.run())
        async with asyncio.timeout(10):
            events = await listener.take()
        running.cancel()
        assert [event.payload for event in events] == [{"purchaseId": "pur_1"}]


async def test_a_running_relay_finds_what_another_process_committed(database: str) -> None:
    agency, bus = await an_agency(), InProcessBus()
    relay = Relay(bus, system_clock)
    running = asyncio.ensure_future(relay.run())
    async with bus.listen(("agency", agency)) as listener:
        await asyncio.sleep(0.05)
        await record(agency, purchaseId="pur_1")
        async with asyncio.timeout(10):
            assert [event.kind for event in await listener.take()] == ["PURCHASE_UPDATED"]
    running.cancel()
