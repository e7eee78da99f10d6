"""Paying: each test card, 3-D Secure, and what an intent allows in which state."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import ACCOUNT, Shop, counts, error_of, event_types, sandbox_only

pytestmark = pytest.mark.anyio

DECLINES = [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    (
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "card_declined",
        "card_velocity_exceeded",
    ),
    ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
]


@pytest.mark.parametrize(
    ("token", "brand"),
    [
        ("pm_card_visa", "visa"),
        ("pm_card_mastercard", "mastercard"),
        ("pm_card_amex", "amex"),
    ],
)
async def test_a_good_card_pays(shop: Shop, token: str, brand: str) -> None:
    charge = await shop.paid(token)
    assert (charge.status, charge.paid, charge.amount) == ("succeeded", True, 2500)
    assert charge.payment_method_details.card.brand == brand


@pytest.mark.parametrize(("token", "code", "decline_code"), DECLINES)
async def test_a_declining_card_names_its_reason(
    shop: Shop, token: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await shop.intent(token)
    error = error_of(caught)
    assert caught.value.http_status == 402
    assert (error["code"], error.get("decline_code")) == (code, decline_code)
    intent = await shop.read(error["payment_intent"]["id"])
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    assert intent.payment_method is None
    assert intent.last_payment_error.code == code
    charge = await shop.charge(error["charge"])
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)


async def test_another_card_pays_after_a_decline_with_a_second_charge(shop: Shop) -> None:
    intent = await shop.intent()
    decline = {"payment_method": "pm_card_visa_chargeDeclined"}
    with pytest.raises(stripe.CardError):
        await shop.v1.payment_intents.confirm_async(intent.id, decline, shop.options())
    first = (await shop.read(intent.id)).latest_charge
    paid = await shop.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}, shop.options()
    )
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert paid.latest_charge != first
    listed = await shop.v1.charges.list_async({"payment_intent": intent.id}, shop.options())
    assert [charge.id for charge in listed.data] == [paid.latest_charge, first]


@sandbox_only
async def test_a_sale_emits_its_events_in_order(shop: Shop, box: Sandbox) -> None:
    before = len(event_types(box))
    await shop.intent("pm_card_visa", application_fee_amount=1200)
    assert event_types(box)[before:] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    assert event_types(box, "platform")[-1] == "application_fee.created"


@pytest.mark.parametrize(
    "token",
    [
        "pm_card_authenticationRequired",
        "pm_card_authenticationRequiredOnSetup",
        "pm_card_threeDSecure2Required",
    ],
)
async def test_off_session_needs_authentication(shop: Shop, token: str) -> None:
    customer = await shop.customer()
    with pytest.raises(stripe.CardError) as caught:
        await shop.intent(token, customer=customer.id, off_session=True)
    assert caught.value.code == "authentication_required"
    error = error_of(caught)
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert error["payment_method"]["type"] == "card"


@sandbox_only
async def test_on_session_authentication_approved_pays(shop: Shop, box: Sandbox) -> None:
    intent = await shop.intent("pm_card_authenticationRequired")
    assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert intent.latest_charge is None
    box.actions.answer_3ds(intent.id, approved=True)
    paid = await shop.read(intent.id)
    assert (paid.status, paid.next_action, paid.amount_received) == ("succeeded", None, 2500)
    charge = await shop.charge(paid.latest_charge)
    assert charge.payment_method_details.card.three_d_secure.result == "authenticated"


@sandbox_only
async def test_failed_authentication_takes_no_money(shop: Shop, box: Sandbox) -> None:
    intent = await shop.intent("pm_card_authenticationRequired")
    before = counts(box)
    box.actions.answer_3ds(intent.id, approved=False)
    failed = await shop.read(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    assert counts(box) == {**before, "event": before["event"] + 1}


@sandbox_only
async def test_authentication_can_end_in_a_decline(shop: Shop, box: Sandbox) -> None:
    token = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    intent = await shop.intent(token)
    box.actions.answer_3ds(intent.id, approved=True)
    failed = await shop.read(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.decline_code == "insufficient_funds"


async def test_a_return_address_makes_authentication_a_redirect(shop: Shop) -> None:
    intent = await shop.intent()
    body = {"payment_method": "pm_card_authenticationRequired", "return_url": "https://a.test/b"}
    asked = await shop.v1.payment_intents.confirm_async(intent.id, body, shop.options())
    assert asked.next_action.type == "redirect_to_url"
    assert asked.next_action.redirect_to_url.return_url == "https://a.test/b"


async def test_error_on_requires_action_declines_instead_of_asking(shop: Shop) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await shop.intent("pm_card_authenticationRequired", error_on_requires_action=True)
    assert caught.value.code == "authentication_required"


@sandbox_only
@pytest.mark.parametrize(
    ("succeeds", "status", "charge_status"),
    [(True, "succeeded", "succeeded"), (False, "requires_payment_method", "failed")],
)
async def test_a_bank_debit_is_processing_first(
    shop: Shop, box: Sandbox, *, succeeds: bool, status: str, charge_status: str
) -> None:
    intent = await shop.intent("pm_usBankAccount_processing")
    assert (intent.status, intent.amount_received) == ("processing", 0)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.payment_intents.cancel_async(intent.id, None, shop.options())
    assert caught.value.code == "payment_intent_unexpected_state"
    box.actions.finish_payment(intent.id, succeeds=succeeds)
    ended = await shop.read(intent.id)
    assert ended.status == status
    assert (await shop.charge(ended.latest_charge)).status == charge_status


async def test_an_intent_can_be_changed_and_canceled_until_it_is_paid(shop: Shop) -> None:
    intent = await shop.intent(metadata={"a": "1", "b": "2"})
    changed = await shop.v1.payment_intents.update_async(
        intent.id, {"amount": 3000, "metadata": {"a": "", "c": "3"}}, shop.options()
    )
    assert (changed.amount, changed.metadata.to_dict()) == (3000, {"b": "2", "c": "3"})
    reason = {"cancellation_reason": "abandoned"}
    gone = await shop.v1.payment_intents.cancel_async(intent.id, reason, shop.options())
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")


@pytest.mark.parametrize("verb", ["confirm", "cancel", "update"])
async def test_a_paid_intent_refuses_and_shows_itself(shop: Shop, verb: str) -> None:
    intent = await shop.intent("pm_card_visa")
    call = getattr(shop.v1.payment_intents, f"{verb}_async")
    body = {"amount": 100} if verb == "update" else None
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await call(intent.id, body, shop.options())
    assert caught.value.code == "payment_intent_unexpected_state"
    assert error_of(caught)["payment_intent"]["status"] == "succeeded"
    assert (await shop.read(intent.id)).amount == 2500


REFUSED: list[tuple[dict[str, Any], str | None, str]] = [
    ({"amount": 49}, "amount_too_small", "amount"),
    ({"amount": 29, "currency": "gbp"}, "amount_too_small", "amount"),
    ({"amount": 100_000_000}, "amount_too_large", "amount"),
    ({"currency": "xxx"}, None, "currency"),
    ({"application_fee_amount": 2501}, None, "application_fee_amount"),
    ({"customer": "cus_unknown"}, "resource_missing", "customer"),
    ({"payment_method": "pm_unknown"}, "resource_missing", "payment_method"),
    ({"surprise": "1"}, "parameter_unknown", "surprise"),
    ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
    ({"amount": ""}, "parameter_missing", "amount"),
]


@pytest.mark.parametrize(("params", "code", "param"), REFUSED)
async def test_a_wrong_request_is_refused(
    shop: Shop, params: dict[str, Any], code: str | None, param: str
) -> None:
    order = {"order": "refused"}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.intent(metadata=order, **params)
    assert (caught.value.http_status, caught.value.code) == (400, code)
    assert caught.value.param == param
    listed = await shop.v1.payment_intents.list_async({"limit": 3}, shop.options())
    assert order not in [row.metadata.to_dict() for row in listed.data]


async def test_a_fee_needs_a_connected_account(shop: Shop) -> None:
    body = {"amount": 2500, "currency": "usd", "application_fee_amount": 100}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.payment_intents.create_async(body)
    assert caught.value.param == "application_fee_amount"


async def test_redirecting_methods_need_a_return_address(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        await shop.intent("pm_card_visa", automatic_payment_methods={"enabled": True})


@sandbox_only
async def test_the_charge_on_the_agency_and_the_fee_on_the_platform_fit(
    shop: Shop, box: Sandbox
) -> None:
    charge = await shop.paid(application_fee_amount=1200)
    movement = charge.balance_transaction
    assert (movement.amount, movement.fee, movement.net) == (2500, 1303, 1197)
    assert [(part.type, part.amount) for part in movement.fee_details] == [
        ("application_fee", 1200),
        ("stripe_fee", 103),
    ]
    fee = await shop.v1.application_fees.retrieve_async(
        charge.application_fee, {"expand": ["charge", "balance_transaction"]}
    )
    assert (fee.amount, fee.account, fee.charge.id) == (1200, ACCOUNT, charge.id)
    assert fee.balance_transaction.net == 1200
    balance = await shop.v1.balance.retrieve_async(None, shop.options())
    assert balance.available[0].amount == 1197
    assert counts(box)["application_fee"] == 1
