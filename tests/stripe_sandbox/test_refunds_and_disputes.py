"""Money that goes back: refunds with the fee's part, late failures, disputes."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import Shop, counts, event_types, sandbox_only

pytestmark = pytest.mark.anyio


async def refund(shop: Shop, charge: str, amount: int | None = None, **more: Any) -> Any:
    body = {"charge": charge, **more, **({"amount": amount} if amount else {})}
    body.setdefault("expand", ["balance_transaction"])
    return await shop.v1.refunds.create_async(body, shop.options())


async def fee_of(shop: Shop, charge: Any) -> Any:
    return await shop.v1.application_fees.retrieve_async(charge.application_fee)


async def test_a_full_refund_gives_the_whole_fee_back(shop: Shop) -> None:
    charge = await shop.paid(application_fee_amount=1200)
    done = await refund(shop, charge.id, refund_application_fee=True)
    movement = done.balance_transaction
    assert (done.status, movement.amount, movement.net) == ("succeeded", -2500, -1300)
    after = await shop.charge(charge.id)
    assert (after.refunded, after.amount_refunded) == (True, 2500)
    fee = await fee_of(shop, charge)
    assert (fee.refunded, fee.amount_refunded) == (True, 1200)


async def test_the_fee_stays_unless_it_is_asked_for(shop: Shop) -> None:
    charge = await shop.paid(application_fee_amount=1200)
    done = await refund(shop, charge.id, 1000)
    assert done.balance_transaction.net == -1000
    assert (await fee_of(shop, charge)).amount_refunded == 0


async def test_parts_of_the_fee_add_up_to_the_whole(shop: Shop) -> None:
    charge = await shop.paid(amount=1000, application_fee_amount=100)
    seen = []
    for amount in (333, 334, 333):
        await refund(shop, charge.id, amount, refund_application_fee=True)
        seen.append((await fee_of(shop, charge)).amount_refunded)
    assert seen == [33, 67, 100]
    fee = await fee_of(shop, charge)
    assert [row.amount for row in fee.refunds.data] == [33, 34, 33]


async def test_two_fifths_of_a_purchase_give_two_fifths_of_the_fee(shop: Shop) -> None:
    charge = await shop.paid(application_fee_amount=1200)
    await refund(shop, charge.id, 1000, refund_application_fee=True)
    assert (await fee_of(shop, charge)).amount_refunded == 480


async def test_an_exact_part_of_the_fee_can_be_given_back(shop: Shop) -> None:
    charge = await shop.paid(application_fee_amount=1200)
    part = await shop.v1.application_fees.refunds.create_async(
        charge.application_fee, {"amount": 500}
    )
    assert part.amount == 500
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.application_fees.refunds.create_async(charge.application_fee, {"amount": 701})
    assert (await fee_of(shop, charge)).amount_refunded == 500


@sandbox_only
async def test_more_than_what_is_left_cannot_be_refunded(shop: Shop, box: Sandbox) -> None:
    charge = await shop.paid()
    await refund(shop, charge.id, 1000)
    before = counts(box)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await refund(shop, charge.id, 1501)
    assert caught.value.param == "amount"
    assert counts(box) == before
    await refund(shop, charge.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await refund(shop, charge.id)
    assert caught.value.code == "charge_already_refunded"


async def test_refunds_are_found_by_payment_and_inside_the_charge(shop: Shop) -> None:
    charge = await shop.paid()
    first = await refund(shop, charge.id, 100, metadata={"row": "1"})
    second = await shop.v1.refunds.create_async(
        {"payment_intent": charge.payment_intent, "amount": 200}, shop.options()
    )
    by_payment = {"payment_intent": charge.payment_intent}
    listed = await shop.v1.refunds.list_async(by_payment, shop.options())
    assert [row.id for row in listed.data] == [second.id, first.id]
    whole = await shop.v1.charges.retrieve_async(charge.id, {"expand": ["refunds"]}, shop.options())
    assert [row.amount for row in whole.refunds.data] == [200, 100]


@sandbox_only
async def test_a_pending_refund_arrives_later(shop: Shop, box: Sandbox) -> None:
    charge = await shop.paid("pm_card_pendingRefund")
    pending = await refund(shop, charge.id)
    assert pending.status == "pending"
    box.actions.finish_refund(pending.id, succeeds=True)
    done = await shop.v1.refunds.retrieve_async(pending.id, None, shop.options())
    assert done.status == "succeeded"


@sandbox_only
async def test_a_refund_that_fails_later_can_be_made_again(shop: Shop, box: Sandbox) -> None:
    charge = await shop.paid("pm_card_refundFail")
    made = await refund(shop, charge.id)
    assert made.status == "succeeded"
    box.actions.finish_refund(made.id, succeeds=False)
    failed = await shop.v1.refunds.retrieve_async(made.id, None, shop.options())
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    after = await shop.charge(charge.id)
    assert (after.refunded, after.amount_refunded) == (False, 0)
    assert event_types(box)[-1] == "refund.failed"
    balance = await shop.v1.balance.retrieve_async(None, shop.options())
    assert balance.available[0].amount == 2500 - 103


@sandbox_only
async def test_the_agency_refunds_in_its_dashboard(shop: Shop, box: Sandbox) -> None:
    charge = await shop.paid(application_fee_amount=1200)
    made = box.actions.refund_in_dashboard(charge.id, amount_minor=2000)
    assert made["amount"] == 2000
    assert (await shop.charge(charge.id)).amount_refunded == 2000
    assert (await fee_of(shop, charge)).amount_refunded == 0


@sandbox_only
@pytest.mark.parametrize(
    ("card", "reason", "status", "refundable", "available"),
    [
        ("pm_card_createDispute", "fraudulent", "needs_response", False, -103 - 1500),
        (
            "pm_card_createDisputeProductNotReceived",
            "product_not_received",
            "needs_response",
            False,
            -103 - 1500,
        ),
        ("pm_card_createDisputeInquiry", "general", "warning_needs_response", True, 2500 - 103),
    ],
)
async def test_a_disputing_card(
    shop: Shop, card: str, reason: str, status: str, *, refundable: bool, available: int
) -> None:
    charge = await shop.paid(card)
    listed = await shop.v1.disputes.list_async({"charge": charge.id}, shop.options())
    (dispute,) = listed.data
    assert (dispute.reason, dispute.status, dispute.amount) == (reason, status, 2500)
    assert dispute.is_charge_refundable is refundable
    balance = await shop.v1.balance.retrieve_async(None, shop.options())
    assert balance.available[0].amount == available
    if refundable:
        assert (await refund(shop, charge.id)).status == "succeeded"
        return
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await refund(shop, charge.id)
    assert caught.value.code == "charge_disputed"


@sandbox_only
@pytest.mark.parametrize(
    ("outcome", "available", "last"),
    [
        ("won", 2500 - 103 - 1500, "charge.dispute.funds_reinstated"),
        ("lost", -103 - 1500, "charge.dispute.closed"),
    ],
)
async def test_a_dispute_ends(
    shop: Shop, box: Sandbox, outcome: str, available: int, last: str
) -> None:
    charge = await shop.paid()
    opened = box.actions.open_dispute(charge.id)
    box.actions.close_dispute(opened["id"], outcome=outcome)
    ended = await shop.v1.disputes.retrieve_async(opened["id"], None, shop.options())
    assert ended.status == outcome
    assert event_types(box)[-1] == last
    balance = await shop.v1.balance.retrieve_async(None, shop.options())
    assert balance.available[0].amount == available


@sandbox_only
async def test_winning_evidence_wins_and_accepting_loses(shop: Shop, box: Sandbox) -> None:
    first, second = await shop.paid(), await shop.paid()
    answered = box.actions.open_dispute(first.id)["id"]
    accepted = box.actions.open_dispute(second.id)["id"]
    evidence = {"evidence": {"uncategorized_text": "winning_evidence"}}
    won = await shop.v1.disputes.update_async(answered, evidence, shop.options())
    lost = await shop.v1.disputes.close_async(accepted, None, shop.options())
    assert (won.status, lost.status) == ("won", "lost")


@sandbox_only
async def test_an_inquiry_can_become_a_chargeback(shop: Shop, box: Sandbox) -> None:
    charge = await shop.paid()
    asked = box.actions.open_dispute(charge.id, reason="inquiry")
    assert asked["balance_transactions"] == []
    raised = box.actions.escalate_dispute(asked["id"])
    assert (raised["status"], raised["is_charge_refundable"]) == ("needs_response", False)
    assert [row["net"] for row in raised["balance_transactions"]] == [-4000]
