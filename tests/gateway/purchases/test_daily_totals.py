"""Ours and Stripe's totals of a day, side by side: a difference is told, nothing is put right."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.database import row, rows
from gateway.purchases.daily_totals import compare_daily_totals
from gateway.purchases.record import PurchaseRecord
from gateway.purchases.refresh import refresh_purchase
from tests.gateway.purchases.shop import Shop

pytestmark = pytest.mark.anyio


async def sold(shop: Shop, **wish: Any) -> PurchaseRecord:
    purchase = (await shop.buy(**wish)).purchase
    await shop.confirm(purchase)
    return await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)


async def alerts(shop: Shop) -> list[dict[str, Any]]:
    """What is told when the day is over and closed."""
    shop.clock.advance(days=2)
    with capture_logs() as logs:
        assert await compare_daily_totals(shop.rt) == 1
        assert await compare_daily_totals(shop.rt) == 0
    return [dict(entry) for entry in logs if entry["event"].startswith("alert_")]


async def everything(shop: Shop) -> tuple[int, list[dict[str, Any]]]:
    return await shop.available(), await rows("SELECT * FROM purchases ORDER BY id")


async def began() -> datetime:
    found = await row("SELECT date_trunc('day', created_at, 'UTC') AS day FROM stripe_connections")
    assert found is not None
    day: datetime = found["day"]
    return day


async def test_a_day_on_which_both_agree_is_compared_once_and_silently(shop: Shop) -> None:
    await sold(shop)
    await sold(shop, credits=200)
    await shop.buy(credits=300)
    assert await compare_daily_totals(shop.rt) == 0
    assert await alerts(shop) == []
    shop.clock.advance(days=1)
    assert await compare_daily_totals(shop.rt) == 1


async def test_a_payment_that_we_have_not_is_told_with_both_figures(shop: Shop) -> None:
    await sold(shop)
    await shop.confirm((await shop.buy(credits=200)).purchase)
    await rows("UPDATE purchases SET status = 'EXPIRED' WHERE status = 'PENDING'")
    before = await everything(shop)
    assert await alerts(shop) == [
        {
            "event": "alert_totals_differ",
            "log_level": "error",
            "agency": shop.agency_id,
            "account": shop.account,
            "day": f"{await began():%Y-%m-%d}",
            "ours": {"USD": {"purchases": 1, "gross_minor": 2500, "application_fee_minor": 1200}},
            "stripe": {"USD": {"purchases": 2, "gross_minor": 7500, "application_fee_minor": 3600}},
        }
    ]
    assert await everything(shop) == before


async def test_a_payment_that_stripe_has_not_is_told_too(shop: Shop) -> None:
    await sold(shop)
    [intent] = shop.at_stripe("payment_intent")
    intent["metadata"]["rebill_agency"] = "agy_of_another_platform"
    shop.box.state.save(shop.account, intent)
    [alert] = await alerts(shop)
    assert alert["ours"]["USD"]["purchases"] == 1
    assert alert["stripe"] == {}


async def test_a_fee_of_one_cent_less_is_seen(shop: Shop) -> None:
    await sold(shop)
    [intent] = shop.at_stripe("payment_intent")
    intent["application_fee_amount"] = 1199
    shop.box.state.save(shop.account, intent)
    [alert] = await alerts(shop)
    assert alert["ours"]["USD"]["application_fee_minor"] == 1200
    assert alert["stripe"]["USD"]["application_fee_minor"] == 1199


async def test_several_processes_compare_a_day_once(shop: Shop) -> None:
    await sold(shop)
    shop.clock.advance(days=2)
    done = await asyncio.gather(*(compare_daily_totals(shop.rt) for _ in range(4)))
    assert sum(done) == 1


async def test_days_that_nobody_compared_are_made_up_for_one_by_one(shop: Shop) -> None:
    shop.clock.advance(days=5)
    for _ in range(4):
        assert await compare_daily_totals(shop.rt) == 1
    assert await compare_daily_totals(shop.rt) == 0


async def test_while_stripe_is_away_the_day_waits(shop: Shop) -> None:
    await shop.confirm((await shop.buy()).purchase)
    await rows("UPDATE purchases SET status = 'EXPIRED'")
    shop.clock.advance(days=2)
    shop.box.faults.add("status_before", "^/v1/payment_intents$", count=None)
    assert await compare_daily_totals(shop.rt) == 0
    shop.box.faults.clear()
    assert await compare_daily_totals(shop.rt) == 0
    shop.clock.advance(minutes=61)
    with capture_logs() as logs:
        assert await compare_daily_totals(shop.rt) == 1
    assert [entry["event"] for entry in logs] == ["alert_totals_differ"]


async def test_a_lost_account_is_not_asked_again(shop: Shop) -> None:
    shop.box.actions.deauthorize(shop.account)
    shop.clock.advance(days=2)
    assert await compare_daily_totals(shop.rt) == 0
    assert await shop.count("stripe_connections", "status = 'DISCONNECTED'") == 1
    shop.clock.advance(days=2)
    shop.box.log.clear()
    assert await compare_daily_totals(shop.rt) == 0
    assert shop.box.log.entries() == []
