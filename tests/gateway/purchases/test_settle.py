"""Every input ends in one settlement: once, in any order, and never against the snapshot."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.database import rows
from gateway.errors import InvalidState, NotFound
from gateway.purchases import store
from gateway.purchases.cancel import cancel_purchase
from gateway.purchases.decide import Progress
from gateway.purchases.reconcile import reconcile_purchases
from gateway.purchases.record import PurchaseFlag, PurchaseRecord, PurchaseStatus
from gateway.purchases.refresh import refresh_purchase
from gateway.purchases.settle import settle
from gateway.stripe_connect.values import Intent, IntentStatus
from tests.gateway.purchases.shop import Shop

pytestmark = pytest.mark.anyio


async def read(shop: Shop, purchase: PurchaseRecord) -> Intent:
    assert purchase.payment_intent_id is not None
    return await shop.rt.stripe.payment_intent(account=shop.account, id=purchase.payment_intent_id)


async def test_a_hundred_settlements_at_once_issue_once(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    intent = await read(shop, purchase)
    settled = await asyncio.gather(*(settle(shop.rt, purchase, intent) for _ in range(100)))
    assert {done.status for done in settled} == {PurchaseStatus.COMPLETED}
    assert await shop.available() == 100
    assert await shop.count("ledger_transactions") == 1
    assert await shop.count("outbox_events", "topic = 'wallet'") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": 2499},
        {"currency": "EUR"},
        {"application_fee_minor": 1199},
        {"livemode": True},
        {"account": "acct_other"},
        {"metadata": {}},
        {"metadata": {"rebill_purchase": "pur_other"}},
    ],
)
async def test_an_intent_that_differs_from_the_snapshot_issues_nothing(
    shop: Shop, changes: dict[str, Any]
) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    paid = await read(shop, purchase)
    settled = await settle(shop.rt, purchase, replace(paid, **changes))
    assert settled.status is PurchaseStatus.QUARANTINED
    assert settled.client_secret is None
    # For good: a later reading that fits does not issue either, a person decides.
    assert (await settle(shop.rt, settled, paid)).status is PurchaseStatus.QUARANTINED
    assert (await settle(shop.rt, purchase, paid)).status is PurchaseStatus.QUARANTINED
    assert await shop.available() == 0
    assert await shop.count("ledger_transactions") == 0


async def test_a_charge_of_another_amount_is_set_aside(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    paid = await read(shop, purchase)
    assert paid.charge is not None
    other = replace(paid, charge=replace(paid.charge, amount_minor=2400))
    assert (await settle(shop.rt, purchase, other)).status is PurchaseStatus.QUARANTINED
    assert await shop.available() == 0


async def test_a_second_intent_for_a_purchase_is_ignored(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    stranger = replace(await read(shop, purchase), id="pi_stranger")
    assert await settle(shop.rt, purchase, stranger) == purchase
    assert await shop.available() == 0


async def test_an_older_reading_never_overwrites_a_newer_one(shop: Shop) -> None:
    card = await shop.pretend_saved("pm_card_threeDSecure2Required")
    waiting = (await shop.buy(payment_method_id=card)).purchase
    old = await read(shop, waiting)
    assert waiting.payment_intent_id is not None
    shop.box.actions.answer_3ds(waiting.payment_intent_id, approved=False)
    newer = await settle(shop.rt, waiting, await read(shop, waiting))
    assert (newer.status, newer.attempts) == (PurchaseStatus.PENDING, 1)
    # The old pair comes late: both are read again before anything is stored.
    late = await settle(shop.rt, waiting, replace(old, next_action={"type": "old"}))
    assert (late.status, late.attempts) == (PurchaseStatus.PENDING, 1)


async def test_a_success_after_expiry_issues_and_is_flagged(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await rows("UPDATE purchases SET status = 'EXPIRED'")
    await shop.confirm(purchase)
    settled = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (settled.status, settled.flag) == (PurchaseStatus.COMPLETED, PurchaseFlag.LATE_SUCCESS)
    assert await shop.available() == 100


async def test_a_completed_purchase_is_never_left_again(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    pending = await read(shop, purchase)
    await shop.confirm(purchase)
    done = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    for status in IntentStatus:
        if status is not IntentStatus.SUCCEEDED:
            await settle(shop.rt, purchase, replace(pending, status=status))
            await settle(shop.rt, done, replace(pending, status=status))
    assert await shop.purchase(purchase.id) == done
    assert await shop.available() == 100


async def test_stripes_fee_is_filled_in_when_it_is_known(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    paid = await read(shop, purchase)
    assert paid.charge is not None
    early = replace(paid, charge=replace(paid.charge, stripe_fee_minor=None))
    assert (await settle(shop.rt, purchase, early)).stripe_fee_minor is None
    filled = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert filled.stripe_fee_minor == 103
    assert await shop.available() == 100


async def test_cancel_ends_the_intent_too(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    canceled = await cancel_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert canceled.status is PurchaseStatus.CANCELED
    assert canceled.client_secret is None
    [intent] = shop.at_stripe("payment_intent")
    assert intent["status"] == "canceled"
    again = await cancel_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert again == canceled


async def test_a_payment_that_wins_the_race_against_cancel_is_kept(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    with pytest.raises(InvalidState):
        await cancel_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.COMPLETED
    assert await shop.available() == 100


async def test_a_payment_that_is_processing_cannot_be_canceled(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase, "pm_usBankAccount_processing")
    await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    with pytest.raises(InvalidState):
        await cancel_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.PROCESSING


async def test_an_intent_that_arrives_after_the_cancel_cannot_be_paid(shop: Shop) -> None:
    await shop.buy()
    shop.box.faults.add("delay_before", "^/v1/payment_intents$", method="POST", seconds=1)
    buying = asyncio.ensure_future(shop.buy(credits=200))
    async with asyncio.timeout(5):
        while True:
            if opened := await rows("SELECT id FROM purchases WHERE credits = 200"):
                break
            await asyncio.sleep(0.01)
    canceled = await cancel_purchase(shop.rt, shop.client.viewer, opened[0]["id"])
    assert canceled.status is PurchaseStatus.CANCELED
    assert len(shop.at_stripe("payment_intent")) == 1

    answered = (await buying).purchase
    assert answered.status is PurchaseStatus.CANCELED
    [_, late] = shop.at_stripe("payment_intent")
    assert (late["metadata"]["rebill_purchase"], late["status"]) == (canceled.id, "canceled")


async def test_an_ended_purchase_whose_leftover_intent_is_paid_first_issues(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    unpaid = await read(shop, purchase)
    await rows("UPDATE purchases SET status = 'EXPIRED', revision = revision + 1")
    await shop.confirm(purchase)
    settled = await settle(shop.rt, await shop.purchase(purchase.id), unpaid)
    assert (settled.status, settled.flag) == (PurchaseStatus.COMPLETED, PurchaseFlag.LATE_SUCCESS)
    assert await shop.available() == 100


async def test_another_clients_purchase_cannot_be_canceled_or_refreshed(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    other = await shop.add_client("Other")
    with pytest.raises(NotFound):
        await cancel_purchase(shop.rt, other.viewer, purchase.id)
    with pytest.raises(NotFound):
        await refresh_purchase(shop.rt, other.viewer, purchase.id)
    assert await shop.purchase(purchase.id) == purchase


async def test_an_unpaid_purchase_expires_with_its_intent(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    shop.clock.advance(seconds=3599)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.PENDING
    shop.clock.advance(seconds=20)
    await reconcile_purchases(shop.rt)
    expired = await shop.purchase(purchase.id)
    assert expired.status is PurchaseStatus.EXPIRED
    [intent] = shop.at_stripe("payment_intent")
    assert intent["status"] == "canceled"


async def test_the_reconciler_alone_completes_a_paid_purchase(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    shop.clock.advance(seconds=119)
    assert await reconcile_purchases(shop.rt) == 0
    shop.clock.advance(seconds=2)
    assert await reconcile_purchases(shop.rt) == 1
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.COMPLETED
    assert await shop.available() == 100
    assert await reconcile_purchases(shop.rt) == 0


async def test_a_processing_payment_outlives_the_purchases_time(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase, "pm_usBankAccount_processing")
    shop.clock.advance(days=2)
    await reconcile_purchases(shop.rt)
    waiting = await shop.purchase(purchase.id)
    assert waiting.status is PurchaseStatus.PROCESSING
    assert waiting.payment_intent_id is not None
    shop.box.actions.finish_payment(waiting.payment_intent_id)
    shop.clock.advance(seconds=121)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.COMPLETED


async def test_two_reconcilers_share_the_work(shop: Shop) -> None:
    for number in range(6):
        await shop.buy(credits=100 + number)
    shop.clock.advance(seconds=121)
    done = await asyncio.gather(*(reconcile_purchases(shop.rt) for _ in range(3)))
    assert sum(done) == 6


async def test_a_row_from_an_old_version_is_not_written(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    stale = replace(purchase, revision=purchase.revision - 1)
    progress = Progress(
        status=PurchaseStatus.CANCELED,
        payment_intent_id=None,
        client_secret=None,
        next_action=None,
        last_error_reason=None,
        last_error_message=None,
        last_error_charge_id=None,
        attempts=0,
    )
    assert await store.advance_row(stale, progress, now=shop.clock()) is None
    assert await shop.purchase(purchase.id) == purchase
