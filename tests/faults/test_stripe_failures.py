"""Stripe fails in every way it can while a saved card is charged. However it ends for the buyer:
one intent, one charge, one issue, and the purchase comes to its end without a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.database import rows
from gateway.errors import PaymentUnavailable
from gateway.purchases.reconcile import reconcile_purchases
from gateway.purchases.record import PurchaseStatus
from tests.gateway.purchases.shop import Shop, open_shop

pytestmark = pytest.mark.anyio

CREATE = "^/v1/payment_intents$"
AFTER_SUCCESS = ["error_after_success", "cut_after_success", "cut_body", "garbage_body"]


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    """No webhook ever arrives here."""
    async with open_shop(database, stripe_timeout_s=0.5) as opened:
        yield opened


async def assert_paid_once(shop: Shop, purchase_id: str) -> None:
    purchase = await shop.purchase(purchase_id)
    assert purchase.status is PurchaseStatus.COMPLETED
    assert len(shop.at_stripe("payment_intent")) == 1
    assert len(shop.paid_charges()) == 1
    assert len(shop.at_stripe("customer")) == 1
    assert await shop.available() == 100
    assert await shop.count("ledger_transactions") == 1


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": kind} for kind in AFTER_SUCCESS),
        {"kind": "cut_before"},
        {"kind": "stall_body", "seconds": 5},
        {"kind": "delay_after", "seconds": 1},
        *({"kind": "status_before", "status": status} for status in (409, 429, 500, 502)),
        {"kind": "status_before", "status": 500, "should_retry": False},
    ],
    ids=str,
)
async def test_one_failure_is_overcome_in_the_same_request(
    shop: Shop, fault: dict[str, Any]
) -> None:
    card = await shop.save_card()
    shop.box.faults.add(match=CREATE, method="POST", **fault)
    started = await shop.buy(payment_method_id=card, idempotency_key="k")
    if fault.get("should_retry") is False:
        assert isinstance(started.refusal, PaymentUnavailable)
        started = await shop.buy(payment_method_id=card, idempotency_key="k")
    assert started.refusal is None
    await assert_paid_once(shop, started.purchase.id)


@pytest.mark.parametrize("kind", AFTER_SUCCESS)
async def test_a_success_that_is_never_answered_is_found(shop: Shop, kind: str) -> None:
    card = await shop.save_card()
    shop.box.faults.add(kind, CREATE, method="POST", count=None)
    # The lists stay readable: the intent is found by the purchase that it names.
    started = await shop.buy(payment_method_id=card)
    assert started.refusal is None
    await assert_paid_once(shop, started.purchase.id)


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": kind} for kind in AFTER_SUCCESS),
        {"kind": "cut_before"},
        {"kind": "delay_before", "seconds": 1},
        {"kind": "status_before", "status": 429},
        {"kind": "status_before", "status": 500},
    ],
    ids=str,
)
async def test_while_stripe_is_away_nothing_is_lost_and_the_reconciler_ends_it(
    shop: Shop, fault: dict[str, Any]
) -> None:
    card = await shop.save_card()
    shop.box.faults.add(match="^/v1/payment_intents", count=None, **fault)
    started = await shop.buy(payment_method_id=card)
    assert isinstance(started.refusal, PaymentUnavailable)
    assert started.purchase.status is PurchaseStatus.PENDING
    assert await shop.available() == 0

    shop.clock.advance(seconds=16)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(started.purchase.id)).status is PurchaseStatus.PENDING

    shop.box.faults.clear()
    shop.clock.advance(seconds=16)
    await reconcile_purchases(shop.rt)
    await assert_paid_once(shop, started.purchase.id)


async def test_the_same_key_again_ends_it_too(shop: Shop) -> None:
    card = await shop.save_card()
    shop.box.faults.add("cut_after_success", "^/v1/payment_intents", count=None)
    first = await shop.buy(payment_method_id=card, idempotency_key="k")
    assert isinstance(first.refusal, PaymentUnavailable)
    shop.box.faults.clear()
    again = await shop.buy(payment_method_id=card, idempotency_key="k")
    assert again.refusal is None
    assert again.purchase.id == first.purchase.id
    await assert_paid_once(shop, first.purchase.id)


async def test_a_customer_whose_creation_was_not_answered_is_made_once(shop: Shop) -> None:
    shop.box.faults.add("cut_after_success", "^/v1/customers$", method="POST", count=3)
    first = await shop.buy(idempotency_key="k")
    assert isinstance(first.refusal, PaymentUnavailable)
    again = await shop.buy(idempotency_key="k")
    assert again.refusal is None
    await shop.confirm(again.purchase)
    shop.clock.advance(seconds=121)
    await reconcile_purchases(shop.rt)
    await assert_paid_once(shop, first.purchase.id)


async def test_an_old_key_is_never_sent_again_only_looked_up(shop: Shop) -> None:
    card = await shop.save_card()
    shop.box.faults.add("cut_before", "^/v1/payment_intents", count=None)
    started = await shop.buy(payment_method_id=card)
    shop.box.faults.clear()
    await rows("UPDATE purchases SET expires_at = expires_at + interval '30 days'")
    shop.clock.advance(hours=23, seconds=1)
    shop.box.log.clear()
    await reconcile_purchases(shop.rt)
    assert {entry.method for entry in shop.box.log.entries()} == {"GET"}
    assert (await shop.purchase(started.purchase.id)).status is PurchaseStatus.PENDING

    # Nobody paid: its time ends it.
    shop.clock.advance(days=31)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(started.purchase.id)).status is PurchaseStatus.EXPIRED
    assert shop.at_stripe("payment_intent") == []


async def test_a_purchase_that_stripe_never_learned_of_expires(shop: Shop) -> None:
    shop.box.faults.add("cut_before", "^/v1/payment_intents", count=None)
    started = await shop.buy()
    shop.box.faults.clear()
    shop.clock.advance(seconds=3700)
    await reconcile_purchases(shop.rt)
    expired = await shop.purchase(started.purchase.id)
    assert expired.status is PurchaseStatus.EXPIRED
    assert shop.at_stripe("payment_intent") == []


async def test_an_account_that_was_lost_fails_the_purchase(shop: Shop) -> None:
    shop.box.actions.deauthorize(shop.account)
    started = await shop.buy()
    assert started.purchase.status is PurchaseStatus.FAILED
    assert started.purchase.last_error_reason == "REFUSED"
    assert await shop.available() == 0


async def test_a_failure_while_canceling_leaves_the_purchase_open_until_it_works(
    shop: Shop,
) -> None:
    purchase = (await shop.buy()).purchase
    shop.box.faults.add("status_before", "/cancel$", count=None)
    shop.clock.advance(seconds=3700)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.PENDING
    shop.box.faults.clear()
    shop.clock.advance(seconds=16)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.EXPIRED
