"""Webhooks that never came are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.database import rows
from gateway.inbox.catch_up import fetch_missed_events
from gateway.purchases.record import PurchaseFlag, PurchaseStatus
from tests.gateway.purchases.shop import Shop, open_shop

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with open_shop(database) as opened:
        yield opened


async def fetch(shop: Shop) -> int:
    return await fetch_missed_events(shop.clock, shop.rt.stripe)


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
