"""Saved cards: setups that end without anybody asking, one default, removal that is repeated."""

from __future__ import annotations

import asyncio

import pytest

from gateway.database import row, rows
from gateway.errors import NotFound, PaymentUnavailable, StripeNotReady
from gateway.purchases.card_setups import (
    CardSetupStatus,
    find_card_setup,
    reconcile_card_setups,
    start_card_setup,
)
from gateway.purchases.cards import (
    SavedCardRecord,
    cards_of_wallets,
    payment_methods,
    remove_payment_method,
    set_default_payment_method,
)
from gateway.purchases.refresh import refresh_purchase
from tests.gateway.purchases.shop import Shop

pytestmark = pytest.mark.anyio


async def cards(shop: Shop) -> list[SavedCardRecord]:
    found = await cards_of_wallets(shop.rt, shop.client.viewer, [shop.client.wallet_id])
    return found[shop.client.wallet_id]


async def begin(shop: Shop, card: str, *, make_default: bool = False) -> str:
    """Start a setup and confirm it on the buyer's device; nobody tells the gateway."""
    setup = await start_card_setup(
        shop.rt, shop.client.viewer, wallet_id=shop.client.wallet_id, make_default=make_default
    )
    assert setup.client_secret is not None
    await shop.as_browser(
        f"/v1/setup_intents/{setup.setup_intent_id}/confirm",
        client_secret=setup.client_secret,
        payment_method=card,
    )
    assert setup.setup_intent_id is not None
    return setup.setup_intent_id


async def test_a_setup_whose_webhook_is_lost_is_found_by_the_reconciler(shop: Shop) -> None:
    await begin(shop, "pm_card_visa")
    assert await reconcile_card_setups(shop.rt) == 0
    shop.clock.advance(seconds=121)
    assert await reconcile_card_setups(shop.rt) == 1
    [card] = await cards(shop)
    assert (card.last4, card.is_default) == ("4242", True)
    assert await reconcile_card_setups(shop.rt) == 0


async def test_a_setup_that_came_to_nothing_is_closed_after_a_day(shop: Shop) -> None:
    setup = await start_card_setup(
        shop.rt, shop.client.viewer, wallet_id=shop.client.wallet_id, make_default=False
    )
    assert setup.status is CardSetupStatus.PENDING
    shop.clock.advance(hours=24)
    await reconcile_card_setups(shop.rt)
    found = await find_card_setup(
        account_id=shop.account, setup_intent_id=setup.setup_intent_id or ""
    )
    assert found is not None
    assert found.status is CardSetupStatus.CANCELED
    assert await cards(shop) == []


async def test_three_d_secure_of_a_setup(shop: Shop) -> None:
    intent_id = await begin(shop, "pm_card_authenticationRequiredOnSetup")
    shop.clock.advance(seconds=121)
    await reconcile_card_setups(shop.rt)
    found = await row("SELECT status FROM card_setups")
    assert found == {"status": "REQUIRES_ACTION"}
    shop.box.actions.answer_3ds(intent_id, approved=True)
    shop.clock.advance(seconds=121)
    await reconcile_card_setups(shop.rt)
    assert len(await cards(shop)) == 1


async def test_a_new_default_takes_the_place_of_the_old_one(shop: Shop) -> None:
    first = await shop.save_card()
    await begin(shop, "pm_card_mastercard", make_default=True)
    shop.clock.advance(seconds=121)
    await reconcile_card_setups(shop.rt)
    assert [(card.last4, card.is_default) for card in await cards(shop)] == [
        ("4444", True),
        ("4242", False),
    ]
    chosen = await set_default_payment_method(shop.rt, shop.client.viewer, first)
    assert chosen.is_default
    assert [card.last4 for card in await cards(shop)] == ["4242", "4444"]


async def test_racing_choices_leave_one_default(shop: Shop) -> None:
    ids = [await shop.save_card(card) for card in ("pm_card_visa", "pm_card_amex")]
    choices = [ids[number % 2] for number in range(20)]
    await asyncio.gather(
        *(set_default_payment_method(shop.rt, shop.client.viewer, id) for id in choices)
    )
    assert [card.is_default for card in await cards(shop)] == [True, False]


async def test_removing_forgets_the_card_at_stripe_too(shop: Shop) -> None:
    id = await shop.save_card()
    removed = await remove_payment_method(shop.rt, shop.client.viewer, id)
    assert removed.removed_at is not None
    assert not removed.is_default
    assert await cards(shop) == []
    assert await remove_payment_method(shop.rt, shop.client.viewer, id) == removed
    [method] = [m for m in shop.at_stripe("payment_method") if m["card"]["last4"] == "4242"]
    assert method["customer"] is None
    with pytest.raises(NotFound):
        await set_default_payment_method(shop.rt, shop.client.viewer, id)


async def test_a_removal_that_stripe_did_not_answer_is_repeated(shop: Shop) -> None:
    id = await shop.save_card()
    shop.box.faults.add("cut_after_success", "/detach$", count=3)
    with pytest.raises(PaymentUnavailable):
        await remove_payment_method(shop.rt, shop.client.viewer, id)
    assert len(await cards(shop)) == 1
    # Stripe has detached it already and refuses a second time: that is as good as done.
    assert (await remove_payment_method(shop.rt, shop.client.viewer, id)).removed_at is not None


async def test_another_clients_card_is_unknown(shop: Shop) -> None:
    id = await shop.save_card()
    other = await shop.add_client("Other")
    assert await payment_methods(shop.rt, other.viewer, [id]) == {}
    assert await cards_of_wallets(shop.rt, other.viewer, [shop.client.wallet_id]) == {
        shop.client.wallet_id: []
    }
    for change in (set_default_payment_method, remove_payment_method):
        with pytest.raises(NotFound):
            await change(shop.rt, other.viewer, id)
    with pytest.raises(NotFound):
        await start_card_setup(
            shop.rt, other.viewer, wallet_id=shop.client.wallet_id, make_default=False
        )
    assert len(await cards(shop)) == 1


async def test_cards_of_an_account_that_was_replaced_are_not_offered(shop: Shop) -> None:
    await shop.save_card()
    account = shop.box.actions.create_account()["id"]
    await rows("UPDATE stripe_connections SET account_id = $1", account)
    assert await cards(shop) == []


async def test_without_a_ready_account_no_setup_starts(shop: Shop) -> None:
    await rows("UPDATE stripe_connections SET status = 'RESTRICTED'")
    with pytest.raises(StripeNotReady):
        await start_card_setup(
            shop.rt, shop.client.viewer, wallet_id=shop.client.wallet_id, make_default=False
        )
    assert await shop.count("card_setups") == 0
    assert shop.box.log.entries() == []


async def test_two_purchases_at_once_keep_two_cards_and_one_default(shop: Shop) -> None:
    bought = [
        (await shop.buy(credits=100 + number, save_payment_method=True)).purchase
        for number in range(2)
    ]
    for purchase, card in zip(bought, ("pm_card_visa", "pm_card_amex"), strict=True):
        await shop.confirm(purchase, card)
    await asyncio.gather(
        *(refresh_purchase(shop.rt, shop.client.viewer, purchase.id) for purchase in bought)
    )
    assert [card.is_default for card in await cards(shop)] == [True, False]
    assert await shop.available() == 201
