"""Customers and their cards: saving with and without a payment, defaults, removal."""

from __future__ import annotations

import pytest
import stripe

from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import Shop, counts, error_of, event_types, sandbox_only

pytestmark = pytest.mark.anyio


async def cards_of(shop: Shop, customer: str) -> list[str]:
    listed = await shop.v1.customers.payment_methods.list_async(customer, None, shop.options())
    return [row.id for row in listed.data]


async def test_each_token_makes_a_fresh_card_with_one_fingerprint(shop: Shop) -> None:
    customer = await shop.customer()
    body = {"customer": customer.id}
    first = await shop.v1.payment_methods.attach_async("pm_card_visa", body, shop.options())
    second = await shop.v1.payment_methods.attach_async("pm_card_visa", body, shop.options())
    other = await shop.v1.payment_methods.attach_async("pm_card_amex", body, shop.options())
    assert first.id != second.id
    assert first.card.fingerprint == second.card.fingerprint != other.card.fingerprint
    assert (first.card.last4, first.customer) == ("4242", customer.id)
    assert await cards_of(shop, customer.id) == [other.id, second.id, first.id]


async def test_a_declining_card_cannot_be_attached(shop: Shop) -> None:
    customer = await shop.customer()
    with pytest.raises(stripe.CardError) as caught:
        await shop.v1.payment_methods.attach_async(
            "pm_card_visa_chargeDeclined", {"customer": customer.id}, shop.options()
        )
    assert caught.value.code == "card_declined"
    assert await cards_of(shop, customer.id) == []


async def test_a_card_that_fails_later_can_be_attached_and_then_declines(shop: Shop) -> None:
    customer = await shop.customer(payment_method="pm_card_chargeCustomerFail")
    (card,) = await cards_of(shop, customer.id)
    with pytest.raises(stripe.CardError):
        await shop.intent(card, customer=customer.id, off_session=True)


async def test_paying_can_save_the_card_for_later(shop: Shop) -> None:
    customer = await shop.customer()
    await shop.intent("pm_card_visa", customer=customer.id, setup_future_usage="off_session")
    (card,) = await cards_of(shop, customer.id)
    again = await shop.intent(card, customer=customer.id, off_session=True)
    assert (again.status, again.payment_method) == ("succeeded", card)


async def test_a_card_that_was_not_saved_cannot_pay_twice(shop: Shop) -> None:
    customer = await shop.customer()
    paid = await shop.intent("pm_card_visa", customer=customer.id)
    assert await cards_of(shop, customer.id) == []
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await shop.intent(paid.payment_method, customer=customer.id)


async def test_a_setup_saves_a_card_without_a_payment(shop: Shop) -> None:
    customer = await shop.customer()
    body = {"customer": customer.id, "usage": "off_session"}
    setup = await shop.v1.setup_intents.create_async(body, shop.options())
    assert setup.status == "requires_payment_method"
    done = await shop.v1.setup_intents.confirm_async(
        setup.id, {"payment_method": "pm_card_visa"}, shop.options()
    )
    assert done.status == "succeeded"
    assert await cards_of(shop, customer.id) == [done.payment_method]


async def test_a_setup_with_a_declining_card_fails_and_can_be_tried_again(shop: Shop) -> None:
    customer = await shop.customer()
    setup = await shop.v1.setup_intents.create_async({"customer": customer.id}, shop.options())
    with pytest.raises(stripe.CardError) as caught:
        await shop.v1.setup_intents.confirm_async(
            setup.id, {"payment_method": "pm_card_visa_chargeDeclinedLostCard"}, shop.options()
        )
    shown = error_of(caught)["setup_intent"]
    assert shown["status"] == "requires_payment_method"
    assert shown["last_setup_error"]["decline_code"] == "lost_card"
    assert await cards_of(shop, customer.id) == []


@sandbox_only
@pytest.mark.parametrize(
    ("approved", "status", "cards"), [(True, "succeeded", 1), (False, "requires_payment_method", 0)]
)
async def test_authentication_during_setup(
    shop: Shop, box: Sandbox, *, approved: bool, status: str, cards: int
) -> None:
    customer = await shop.customer()
    body = {
        "customer": customer.id,
        "payment_method": "pm_card_authenticationRequiredOnSetup",
        "confirm": True,
    }
    setup = await shop.v1.setup_intents.create_async(body, shop.options())
    assert (setup.status, setup.next_action.type) == ("requires_action", "use_stripe_sdk")
    box.actions.answer_3ds(setup.id, approved=approved)
    ended = await shop.v1.setup_intents.retrieve_async(setup.id, None, shop.options())
    assert ended.status == status
    assert len(await cards_of(shop, customer.id)) == cards


@sandbox_only
@pytest.mark.parametrize(
    ("token", "pays"),
    [("pm_card_authenticationRequiredOnSetup", True), ("pm_card_authenticationRequired", False)],
)
async def test_only_some_cards_pay_off_session_once_set_up(
    shop: Shop, box: Sandbox, token: str, *, pays: bool
) -> None:
    customer = await shop.customer()
    body = {"customer": customer.id, "payment_method": token, "confirm": True}
    setup = await shop.v1.setup_intents.create_async(body, shop.options())
    box.actions.answer_3ds(setup.id, approved=True)
    (card,) = await cards_of(shop, customer.id)
    if pays:
        paid = await shop.intent(card, customer=customer.id, off_session=True)
        assert paid.status == "succeeded"
        return
    with pytest.raises(stripe.CardError) as caught:
        await shop.intent(card, customer=customer.id, off_session=True)
    assert caught.value.code == "authentication_required"


async def test_a_card_of_another_customer_is_refused(shop: Shop) -> None:
    owner = await shop.customer(payment_method="pm_card_visa")
    (card,) = await cards_of(shop, owner.id)
    other = await shop.customer()
    with pytest.raises(stripe.InvalidRequestError):
        await shop.intent(card, customer=other.id)


async def test_a_detached_card_is_gone_for_good(shop: Shop) -> None:
    customer = await shop.customer(payment_method="pm_card_visa")
    (card,) = await cards_of(shop, customer.id)
    default = {"invoice_settings": {"default_payment_method": card}}
    changed = await shop.v1.customers.update_async(customer.id, default, shop.options())
    assert changed.invoice_settings.default_payment_method == card
    gone = await shop.v1.payment_methods.detach_async(card, None, shop.options())
    assert gone.customer is None
    after = await shop.v1.customers.retrieve_async(customer.id, None, shop.options())
    assert after.invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.payment_methods.attach_async(card, {"customer": customer.id}, shop.options())


async def test_a_deleted_customer_is_a_stub_and_buys_nothing(shop: Shop) -> None:
    customer = await shop.customer(payment_method="pm_card_visa")
    await shop.v1.customers.delete_async(customer.id, None, shop.options())
    stub = await shop.v1.customers.retrieve_async(customer.id, None, shop.options())
    assert stub.deleted is True
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.intent(customer=customer.id)
    assert caught.value.code == "resource_missing"


@sandbox_only
async def test_card_changes_are_announced(shop: Shop, box: Sandbox) -> None:
    customer = await shop.customer(payment_method="pm_card_visa")
    (card,) = await cards_of(shop, customer.id)
    await shop.v1.payment_methods.update_async(
        card, {"billing_details": {"name": "Ada"}, "metadata": {"a": "1"}}, shop.options()
    )
    await shop.v1.payment_methods.detach_async(card, None, shop.options())
    assert event_types(box)[-4:] == [
        "payment_method.attached",
        "customer.created",
        "payment_method.updated",
        "payment_method.detached",
    ]


@sandbox_only
async def test_an_unknown_card_leaves_no_customer_behind(shop: Shop, box: Sandbox) -> None:
    before = counts(box)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.customer(payment_method="pm_unknown")
    assert counts(box) == before
    assert len(box.state.store.everywhere("customer")) == 0
