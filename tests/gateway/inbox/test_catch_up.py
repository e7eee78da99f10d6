"""Webhooks that never came are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from gateway.agencies.refresh import refresh_connection_by_account
from gateway.database import row, rows
from gateway.ids import new_id
from gateway.inbox.catch_up import fetch_missed_events
from gateway.purchases.record import PurchaseFlag, PurchaseStatus
from tests.gateway.purchases.shop import Shop, open_shop

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with open_shop(database) as opened:
        yield opened


async def fetch(shop: Shop) -> int:
    async def on_lost(account_id: str) -> None:
        await refresh_connection_by_account(shop.rt, account_id)

    return await fetch_missed_events(shop.clock, shop.rt.stripe, on_lost)


async def add_agency(shop: Shop, account: str, *, age_s: int) -> str:
    """Another agency with a standing connection; → the connection's id."""
    agency_id, connection_id = new_id("agency"), new_id("connection")
    created_at = shop.clock() - timedelta(seconds=age_s)
    await rows(
        "INSERT INTO agencies (id, plan_id, name, currency, time_zone, created_at) "
        "SELECT $1, id, $3, 'USD', 'UTC', $2 FROM plans LIMIT 1",
        *(agency_id, created_at, f"Agency of {account}"),
    )
    await rows(
        "INSERT INTO stripe_connections (id, agency_id, account_id, door, status, "
        "requirements_due, created_at, events_read_at) "
        "VALUES ($1, $2, $3, 'LINK', 'ACTIVE', '[]', $4, $4)",
        *(connection_id, agency_id, account, created_at),
    )
    return connection_id


async def read_at(connection_id: str) -> datetime:
    found = await row("SELECT events_read_at FROM stripe_connections WHERE id = $1", connection_id)
    assert found is not None
    read: datetime = found["events_read_at"]
    return read


async def test_a_late_success_whose_webhook_was_lost_is_found(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await rows("UPDATE purchases SET status = 'EXPIRED'")
    await shop.confirm(purchase)
    shop.clock.advance(minutes=61)
    async with shop.webhooks():
        found = await shop.settled(purchase.id, PurchaseStatus.COMPLETED)
    assert found.flag is PurchaseFlag.LATE_SUCCESS
    assert await shop.available() == 100


async def test_accounts_are_asked_once_an_hour_and_events_stored_once(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    assert await fetch(shop) == 0
    shop.clock.advance(minutes=61)
    assert await fetch(shop) == 1
    stored = await shop.count("stripe_events", "type = 'payment_intent.succeeded'")
    assert stored == 1
    every = await shop.count("stripe_events")
    assert await fetch(shop) == 0
    shop.clock.advance(minutes=61)
    assert await fetch(shop) == 1
    assert await shop.count("stripe_events") == every


async def test_while_stripe_is_away_the_hour_is_not_lost(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    shop.clock.advance(minutes=61)
    shop.box.faults.add("status_before", "^/v1/events$", count=None)
    assert await fetch(shop) == 0
    assert await shop.count("stripe_events") == 0
    shop.box.faults.clear()
    assert await fetch(shop) == 1
    assert await shop.count("stripe_events", "type = 'payment_intent.succeeded'") == 1


async def test_a_disconnected_account_is_not_asked(shop: Shop) -> None:
    await rows("UPDATE stripe_connections SET status = 'DISCONNECTED'")
    shop.clock.advance(minutes=61)
    assert await fetch(shop) == 0
    assert shop.box.log.entries() == []


async def test_a_lost_account_ends_alone_and_the_others_are_asked(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    lost = shop.box.actions.create_account()["id"]
    shop.box.actions.deauthorize(lost)
    connection_id = await add_agency(shop, lost, age_s=7200)
    await rows(
        "UPDATE stripe_connections SET events_read_at = created_at WHERE account_id = $1",
        shop.account,
    )
    shop.clock.advance(minutes=61)
    assert await fetch(shop) == 2
    ended = await row("SELECT status FROM stripe_connections WHERE id = $1", connection_id)
    assert ended == {"status": "DISCONNECTED"}
    assert await shop.count("stripe_connections", "status = 'ACTIVE'") == 1
    assert await shop.count("stripe_events", "type = 'payment_intent.succeeded'") == 1


async def test_while_stripe_is_away_no_account_of_the_batch_loses_its_hour(shop: Shop) -> None:
    accounts = [shop.box.actions.create_account()["id"] for _ in range(3)]
    added = [await add_agency(shop, account, age_s=7200) for account in accounts]
    before = [await read_at(id) for id in added]
    shop.box.faults.add("status_before", "^/v1/events$", count=None)
    assert await fetch(shop) == 0
    assert [await read_at(id) for id in added] == before
    shop.box.faults.clear()
    assert await fetch(shop) == 3


async def test_an_account_that_alone_cannot_be_read_waits_alone(shop: Shop) -> None:
    accounts = [shop.box.actions.create_account()["id"] for _ in range(3)]
    added = [
        await add_agency(shop, account, age_s=7200 - place)
        for place, account in enumerate(accounts)
    ]
    before = [await read_at(id) for id in added]
    shop.box.faults.add("status_before", "^/v1/events$", status=400, count=1)
    assert await fetch(shop) == 0
    after = [await read_at(id) for id in added]
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert after[2] > before[2]
    assert await fetch(shop) == 1
