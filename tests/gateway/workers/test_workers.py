"""The background work of a process: survives failures, stops at once, books what is due."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.database import row, rows
from gateway.ids import new_id
from gateway.purchases.record import PurchaseStatus
from gateway.workers import Workers, book_due_expiries
from tests.gateway.purchases.shop import Shop, add_package, open_shop
from tests.harness import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with open_shop(database, reconcile_after_s=0.2) as opened:
        yield opened


async def test_due_credits_are_booked_as_expired(shop: Shop) -> None:
    package = await add_package(shop, credits=1000, bonus=150, price_minor=15000, days=30)
    card = await shop.save_card()
    await shop.buy(package_id=package, payment_method_id=card)
    await shop.buy(payment_method_id=card)
    assert await book_due_expiries(shop.rt) == 0
    shop.clock.advance(days=30, seconds=1)
    assert await book_due_expiries(shop.rt) == 1
    assert await shop.available() == 100
    assert await book_due_expiries(shop.rt) == 0
    found = await row("SELECT sum(credits)::bigint AS n FROM ledger_transactions")
    assert found == {"n": 100}


async def test_workers_end_purchases_and_go_on_after_a_failure(shop: Shop) -> None:
    working = asyncio.ensure_future(Workers(shop.rt).run())
    try:
        with capture_logs() as logs:
            await rows("ALTER TABLE purchases RENAME TO purchases_away")

            async def failed() -> bool:
                return any(entry["event"] == "worker_round_failed" for entry in logs)

            await eventually(failed)
            await rows("ALTER TABLE purchases_away RENAME TO purchases")
        assert not working.done()
        purchase = (await shop.buy()).purchase
        await shop.confirm(purchase)
        await shop.settled(purchase.id, PurchaseStatus.COMPLETED)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            async with asyncio.timeout(1):
                await working
    assert await shop.available() == 100


async def test_workers_tell_of_wholesale_prices_and_compare_totals(shop: Shop) -> None:
    begins = shop.clock() + timedelta(hours=1)
    await rows(
        "INSERT INTO wholesale_prices (id, currency, price, effective_at, actor, created_at) "
        "VALUES ($1, 'USD', 0.15, $2, 'test', $3)",
        *(new_id("wholesale"), begins, shop.clock()),
    )
    shop.clock.advance(days=2)
    working = asyncio.ensure_future(Workers(shop.rt).run())
    try:

        async def done() -> bool:
            compared = await shop.count("stripe_connections", "totals_before IS NOT NULL")
            return compared == 1 and await shop.events() == ["BLOCKS_UPDATED"]

        await eventually(done)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
