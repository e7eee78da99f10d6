"""A purchase whose Stripe step is late: who may still begin it, and for which customer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.agencies.refresh import disconnect_stripe
from gateway.auth.viewer import ROLE_SCOPES, Role, Scope, Viewer, ViewerKind
from gateway.database import rows
from gateway.errors import PaymentUnavailable
from gateway.purchases.cancel import cancel_purchase
from gateway.purchases.card_setups import start_card_setup
from gateway.purchases.read import PurchaseFilter, purchases_of_agency
from gateway.purchases.reconcile import reconcile_purchases
from gateway.purchases.record import PurchaseRecord, PurchaseStatus
from gateway.purchases.refresh import refresh_purchase
from tests.gateway.purchases.shop import Shop, open_shop, owner_of

pytestmark = pytest.mark.anyio

INTENTS = "^/v1/payment_intents"


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    """Stripe is given up soon, and no webhook arrives."""
    async with open_shop(database, stripe_timeout_s=0.5) as opened:
        yield opened


async def begun_while_stripe_was_away(
    shop: Shop, kind: str = "cut_before", card: str | None = None
) -> PurchaseRecord:
    """A committed purchase of which Stripe has not answered the creation."""
    shop.box.faults.add(kind, INTENTS, count=None)
    started = await shop.buy(payment_method_id=card, idempotency_key="late")
    assert isinstance(started.refusal, PaymentUnavailable)
    assert started.purchase.payment_intent_id is None
    shop.box.faults.clear()
    return started.purchase


async def delete_customer(shop: Shop) -> str:
    """What the agency can do in its Stripe dashboard; → the id of the only customer."""
    [customer] = [c for c in shop.at_stripe("customer") if not c.get("deleted")]
    headers = {
        "Authorization": f"Bearer {shop.rt.settings.stripe_api_key.get_secret_value()}",
        "Stripe-Account": shop.account,
    }
    url = f"{shop.box.url}/v1/customers/{customer['id']}"
    async with shop.http.delete(url, headers=headers) as answer:
        assert answer.status == 200
    return str(customer["id"])


def member_of(shop: Shop) -> Viewer:
    return replace(shop.client.viewer, role=Role.MEMBER, scopes=ROLE_SCOPES[Role.MEMBER])


def reading_key_of(shop: Shop) -> Viewer:
    return replace(
        shop.client.viewer,
        kind=ViewerKind.API_KEY,
        role=Role.SERVICE,
        scopes=frozenset({Scope.READ}),
    )


async def test_after_a_disconnect_no_intent_is_made(shop: Shop) -> None:
    card = await shop.save_card()
    purchase = await begun_while_stripe_was_away(shop, card=card)
    await disconnect_stripe(shop.rt, owner_of(shop), agency_id=shop.agency_id)
    shop.clock.advance(seconds=16)
    await reconcile_purchases(shop.rt)
    ended = await shop.purchase(purchase.id)
    assert (ended.status, ended.last_error_reason) == (PurchaseStatus.FAILED, "REFUSED")
    assert shop.at_stripe("payment_intent") == []
    assert await shop.available() == 0

    again = await shop.buy(payment_method_id=card, idempotency_key="late")
    assert isinstance(again.refusal, PaymentUnavailable)
    assert again.purchase == ended


async def test_another_account_connected_meanwhile_does_not_revive_it(shop: Shop) -> None:
    purchase = await begun_while_stripe_was_away(shop)
    other = shop.box.actions.create_account()["id"]
    await rows("UPDATE stripe_connections SET account_id = $1", other)
    ended = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert ended.status is PurchaseStatus.FAILED
    assert shop.at_stripe("payment_intent") == []


async def test_a_suspended_client_is_not_charged_any_more(shop: Shop) -> None:
    card = await shop.save_card()
    purchase = await begun_while_stripe_was_away(shop, card=card)
    await rows("UPDATE sub_accounts SET status = 'SUSPENDED'")
    shop.clock.advance(seconds=16)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.FAILED
    assert shop.at_stripe("payment_intent") == []


async def test_a_payment_from_before_the_disconnect_is_found_and_kept(shop: Shop) -> None:
    card = await shop.save_card()
    purchase = await begun_while_stripe_was_away(shop, "cut_after_success", card)
    await disconnect_stripe(shop.rt, owner_of(shop), agency_id=shop.agency_id)
    shop.clock.advance(seconds=16)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.COMPLETED
    assert len(shop.at_stripe("payment_intent")) == 1
    assert await shop.available() == 100


async def test_who_may_not_buy_does_not_begin_the_payment_by_refreshing(shop: Shop) -> None:
    card = await shop.save_card()
    purchase = await begun_while_stripe_was_away(shop, card=card)
    for viewer in (member_of(shop), reading_key_of(shop), owner_of(shop)):
        assert await refresh_purchase(shop.rt, viewer, purchase.id) == purchase
    assert shop.at_stripe("payment_intent") == []

    paid = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert paid.status is PurchaseStatus.COMPLETED


async def test_who_may_not_buy_still_settles_what_stripe_has(shop: Shop) -> None:
    card = await shop.save_card()
    purchase = await begun_while_stripe_was_away(shop, "cut_after_success", card)
    settled = await refresh_purchase(shop.rt, member_of(shop), purchase.id)
    assert settled.status is PurchaseStatus.COMPLETED
    assert await shop.available() == 100


async def test_a_customer_deleted_at_stripe_is_replaced(shop: Shop) -> None:
    await cancel_purchase(shop.rt, shop.client.viewer, (await shop.buy()).purchase.id)
    gone = await delete_customer(shop)
    started = await shop.buy()
    assert started.refusal is None
    await shop.confirm(started.purchase)
    paid = await refresh_purchase(shop.rt, shop.client.viewer, started.purchase.id)
    assert paid.status is PurchaseStatus.COMPLETED
    intent = shop.at_stripe("payment_intent")[-1]
    assert intent["customer"] not in (None, gone)
    assert await shop.count("stripe_customers", "customer_id IS NOT NULL") == 1

    # The next one finds the new customer at once.
    assert (await shop.buy()).refusal is None
    assert len(shop.at_stripe("customer")) == 2


async def test_a_card_can_be_saved_after_the_customer_was_deleted(shop: Shop) -> None:
    await shop.save_card()
    await delete_customer(shop)
    setup = await start_card_setup(
        shop.rt, shop.client.viewer, wallet_id=shop.client.wallet_id, make_default=False
    )
    assert setup.client_secret is not None


async def test_a_card_that_went_with_its_customer_is_no_decline(shop: Shop) -> None:
    card = await shop.save_card()
    await delete_customer(shop)
    started = await shop.buy(payment_method_id=card)
    assert isinstance(started.refusal, PaymentUnavailable)
    assert started.purchase.status is PurchaseStatus.FAILED
    assert shop.at_stripe("charge") == []


async def test_an_unanswered_intent_of_a_deleted_customer_is_not_made_twice(shop: Shop) -> None:
    card = await shop.save_card()
    purchase = await begun_while_stripe_was_away(shop, "cut_after_success", card)
    assert len(shop.paid_charges()) == 1
    await delete_customer(shop)
    # Another purchase replaces the customer before anybody asks for the first.
    assert (await shop.buy(credits=200)).refusal is None
    again = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (again.status, again.flag) == (PurchaseStatus.COMPLETED, None)
    assert len(shop.at_stripe("payment_intent")) == 2
    assert len(shop.paid_charges()) == 1


async def test_a_cancel_finds_the_unanswered_intent_of_a_deleted_customer(shop: Shop) -> None:
    await cancel_purchase(shop.rt, shop.client.viewer, (await shop.buy()).purchase.id)
    purchase = await begun_while_stripe_was_away(shop, "cut_after_success")
    await delete_customer(shop)
    assert (await shop.buy(credits=200)).refusal is None
    canceled = await cancel_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert canceled.status is PurchaseStatus.CANCELED
    statuses = [intent["status"] for intent in shop.at_stripe("payment_intent")]
    assert statuses == ["canceled", "canceled", "requires_payment_method"]


@pytest.mark.parametrize("id", ["sub_\x00", "nonsense", ""])
async def test_purchases_of_a_client_that_cannot_be_are_none(shop: Shop, id: str) -> None:
    await shop.buy()
    wanted = PurchaseFilter(sub_account_id=id)
    found = await purchases_of_agency(owner_of(shop), shop.agency_id, wanted, limit=10, after=None)
    assert found == []
