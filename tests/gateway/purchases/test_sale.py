"""The sale, both ways to pay, and what the row, the wallet and Stripe say afterwards."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.database import rows
from gateway.errors import CardDeclined
from gateway.purchases.cards import cards_of_wallets
from gateway.purchases.record import PurchaseStatus
from gateway.purchases.refresh import refresh_purchase
from tests.gateway.purchases.shop import Shop, add_package

pytestmark = pytest.mark.anyio


async def test_a_new_card_buys_100_at_025_over_012(shop: Shop) -> None:
    pool_before = await shop.pool()
    started = await shop.buy()
    assert started.refusal is None
    assert started.purchase.status is PurchaseStatus.PENDING
    assert started.purchase.client_secret is not None
    assert await shop.available() == 0

    await shop.confirm(started.purchase)
    purchase = await refresh_purchase(shop.rt, shop.client.viewer, started.purchase.id)

    assert purchase.status is PurchaseStatus.COMPLETED
    assert (purchase.gross_minor, purchase.wholesale_total_minor) == (2500, 1200)
    assert (purchase.margin_minor, purchase.stripe_fee_minor) == (1300, 103)
    assert (purchase.retail_unit, purchase.wholesale_unit) == (Decimal("0.25"), Decimal("0.12"))
    assert purchase.client_secret is None
    assert purchase.attempts == 0
    assert await shop.available() == 100
    assert await shop.pool() == pool_before

    [charge] = shop.paid_charges()
    assert (charge["amount"], charge["application_fee_amount"]) == (2500, 1200)
    assert purchase.charge_id == charge["id"]
    assert purchase.application_fee_id == charge["application_fee"]
    assert purchase.payment_intent_id == charge["payment_intent"]
    assert purchase.receipt_url == charge["receipt_url"]


async def test_a_saved_card_buys_in_one_step(shop: Shop) -> None:
    card = await shop.save_card()
    started = await shop.buy(payment_method_id=card)
    assert started.refusal is None
    assert started.purchase.status is PurchaseStatus.COMPLETED
    assert started.purchase.payment_method_id == card
    assert started.purchase.stripe_fee_minor == 103
    assert await shop.available() == 100
    assert len(shop.paid_charges()) == 1
    assert len(shop.at_stripe("customer")) == 1


async def test_a_new_card_is_kept_when_asked_and_becomes_the_default(shop: Shop) -> None:
    started = await shop.buy(save_payment_method=True)
    await shop.confirm(started.purchase, "pm_card_mastercard")
    await refresh_purchase(shop.rt, shop.client.viewer, started.purchase.id)
    cards = await cards_of_wallets(shop.rt, shop.client.viewer, [shop.client.wallet_id])
    [card] = cards[shop.client.wallet_id]
    assert (card.brand, card.last4, card.is_default) == ("mastercard", "4444", True)

    again = await shop.buy(payment_method_id=card.id)
    assert again.purchase.status is PurchaseStatus.COMPLETED
    assert await shop.available() == 200


async def test_a_card_that_nobody_asked_to_keep_is_not_listed(shop: Shop) -> None:
    started = await shop.buy()
    await shop.confirm(started.purchase)
    await refresh_purchase(shop.rt, shop.client.viewer, started.purchase.id)
    assert await shop.count("payment_methods") == 0


async def test_a_package_issues_its_bonus_and_charges_wholesale_for_it(shop: Shop) -> None:
    package_id = await add_package(shop, credits=1000, bonus=150, price_minor=15000, days=30)
    card = await shop.save_card()
    purchase = (await shop.buy(package_id=package_id, payment_method_id=card)).purchase
    assert purchase.status is PurchaseStatus.COMPLETED
    assert (purchase.credits, purchase.bonus_credits) == (1000, 150)
    assert (purchase.gross_minor, purchase.wholesale_total_minor) == (15000, 13800)
    assert purchase.margin_minor == 1200
    assert await shop.available() == 1150
    lots = await rows("SELECT kind, credits, expires_at FROM ledger_lots ORDER BY kind")
    assert [(lot["kind"], lot["credits"]) for lot in lots] == [("BONUS", 150), ("PURCHASED", 1000)]
    assert purchase.completed_at is not None
    assert {lot["expires_at"] for lot in lots} == {purchase.completed_at + timedelta(days=30)}
    [charge] = shop.paid_charges()
    assert charge["application_fee_amount"] == 13800


@pytest.mark.parametrize(
    ("token", "reason", "retryable"),
    [
        ("pm_card_visa_chargeDeclined", "DECLINED", False),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "INSUFFICIENT_FUNDS", True),
        ("pm_card_visa_chargeDeclinedLostCard", "LOST_OR_STOLEN", False),
        ("pm_card_visa_chargeDeclinedStolenCard", "LOST_OR_STOLEN", False),
        ("pm_card_chargeDeclinedExpiredCard", "CARD_EXPIRED", False),
        ("pm_card_chargeDeclinedIncorrectCvc", "INCORRECT_DETAILS", True),
        ("pm_card_chargeDeclinedProcessingError", "PROCESSING_ERROR", True),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "LIMIT_EXCEEDED", True),
        ("pm_card_chargeCustomerFail", "DECLINED", False),
    ],
)
async def test_a_declined_card_says_why_and_the_purchase_stays_open(
    shop: Shop, token: str, reason: str, *, retryable: bool
) -> None:
    card = await shop.pretend_saved(token)
    started = await shop.buy(payment_method_id=card, idempotency_key="declined")
    assert isinstance(started.refusal, CardDeclined)
    assert (started.refusal.reason, started.refusal.retryable) == (reason, retryable)
    purchase = started.purchase
    assert (purchase.status, purchase.attempts) == (PurchaseStatus.PENDING, 1)
    assert purchase.last_error_reason == reason
    assert await shop.available() == 0

    again = await shop.buy(payment_method_id=card, idempotency_key="declined")
    assert isinstance(again.refusal, CardDeclined)
    assert again.purchase == purchase
    assert len(shop.at_stripe("payment_intent")) == 1


async def test_after_a_decline_another_card_pays_the_same_purchase(shop: Shop) -> None:
    card = await shop.save_card("pm_card_chargeCustomerFail")
    started = await shop.buy(payment_method_id=card)
    assert started.purchase.attempts == 1
    await shop.confirm(started.purchase)
    purchase = await refresh_purchase(shop.rt, shop.client.viewer, started.purchase.id)
    assert purchase.status is PurchaseStatus.COMPLETED
    assert len(shop.at_stripe("payment_intent")) == 1
    assert len(shop.paid_charges()) == 1
    assert await shop.available() == 100


async def test_five_declines_end_the_purchase_and_its_intent(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    for attempt in range(1, 6):
        await shop.confirm(purchase, "pm_card_visa_chargeDeclined")
        purchase = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
        assert purchase.attempts == attempt
        assert (await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)) == purchase
    assert purchase.status is PurchaseStatus.FAILED
    assert purchase.client_secret is None
    [intent] = shop.at_stripe("payment_intent")
    assert intent["status"] == "canceled"
    assert await shop.available() == 0


async def test_declines_that_nobody_read_count_all_the_same(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    for _ in range(3):
        await shop.confirm(purchase, "pm_card_visa_chargeDeclined")
    for _ in range(2):
        seen = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
        assert (seen.status, seen.attempts) == (PurchaseStatus.PENDING, 3)

    for _ in range(9):
        await shop.confirm(purchase, "pm_card_visa_chargeDeclined")
    ended = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (ended.status, ended.attempts) == (PurchaseStatus.FAILED, 12)
    [intent] = shop.at_stripe("payment_intent")
    assert intent["status"] == "canceled"
    assert await shop.available() == 0


async def test_declines_and_a_failed_three_d_secure_are_added_up(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    for _ in range(2):
        await shop.confirm(purchase, "pm_card_visa_chargeDeclined")
    await shop.confirm(purchase, "pm_card_threeDSecure2Required")
    waiting = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert waiting.status is PurchaseStatus.REQUIRES_ACTION
    assert waiting.payment_intent_id is not None
    shop.box.actions.answer_3ds(waiting.payment_intent_id, approved=False)
    failed = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (failed.status, failed.attempts) == (PurchaseStatus.PENDING, 3)

    await shop.confirm(purchase, "pm_card_visa_chargeDeclined")
    again = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (again.status, again.attempts) == (PurchaseStatus.PENDING, 4)


async def test_three_d_secure_approved_completes(shop: Shop) -> None:
    card = await shop.pretend_saved("pm_card_threeDSecure2Required")
    started = await shop.buy(payment_method_id=card)
    waiting = started.purchase
    assert started.refusal is None
    assert waiting.status is PurchaseStatus.REQUIRES_ACTION
    assert waiting.client_secret is not None
    assert waiting.next_action is not None
    assert waiting.next_action["type"] in {"use_stripe_sdk", "redirect_to_url"}

    assert waiting.payment_intent_id is not None
    shop.box.actions.answer_3ds(waiting.payment_intent_id, approved=True)
    purchase = await refresh_purchase(shop.rt, shop.client.viewer, waiting.id)
    assert purchase.status is PurchaseStatus.COMPLETED
    assert purchase.next_action is None
    assert await shop.available() == 100


async def test_three_d_secure_failed_counts_as_one_attempt(shop: Shop) -> None:
    card = await shop.pretend_saved("pm_card_threeDSecure2Required")
    waiting = (await shop.buy(payment_method_id=card)).purchase
    assert waiting.payment_intent_id is not None
    shop.box.actions.answer_3ds(waiting.payment_intent_id, approved=False)
    for _ in range(2):
        purchase = await refresh_purchase(shop.rt, shop.client.viewer, waiting.id)
        assert (purchase.status, purchase.attempts) == (PurchaseStatus.PENDING, 1)
        assert purchase.last_error_reason == "AUTHENTICATION_FAILED"
        assert purchase.client_secret is not None
    assert await shop.available() == 0


@pytest.mark.parametrize(
    ("succeeds", "status", "credits"),
    [(True, PurchaseStatus.COMPLETED, 100), (False, PurchaseStatus.PENDING, 0)],
)
async def test_a_slow_method_is_pending_until_the_bank_has_decided(
    shop: Shop, *, succeeds: bool, status: PurchaseStatus, credits: int
) -> None:
    started = (await shop.buy()).purchase
    await shop.confirm(started, "pm_usBankAccount_processing")
    waiting = await refresh_purchase(shop.rt, shop.client.viewer, started.id)
    assert waiting.status is PurchaseStatus.PROCESSING
    assert await shop.available() == 0

    assert waiting.payment_intent_id is not None
    shop.box.actions.finish_payment(waiting.payment_intent_id, succeeds=succeeds)
    purchase = await refresh_purchase(shop.rt, shop.client.viewer, started.id)
    assert purchase.status is status
    assert await shop.available() == credits


async def test_every_change_is_told_to_the_agency(shop: Shop) -> None:
    started = await shop.buy()
    await shop.confirm(started.purchase)
    await refresh_purchase(shop.rt, shop.client.viewer, started.purchase.id)
    # Opened, intent known, completed.
    assert await shop.events() == ["PURCHASE_UPDATED"] * 3
