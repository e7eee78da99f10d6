"""What is refused before anything is charged, and what a repeated key answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.database import rows
from gateway.errors import (
    BelowChargeMinimum,
    DuplicateSuspected,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    PlanNotEligible,
    PriceChanged,
    PriceUnavailable,
    QuantityOutOfRange,
    Refusal,
    StripeNotReady,
    WalletBlocked,
)
from gateway.ids import new_id
from gateway.pricing.quote import Quote
from gateway.purchases.cancel import cancel_purchase
from gateway.purchases.quote import quote_purchase
from gateway.purchases.record import PurchaseStatus
from gateway.purchases.refresh import refresh_purchase
from tests.gateway.purchases.shop import Shop, add_package, owner_of, set_prices

pytestmark = pytest.mark.anyio


async def assert_nothing_happened(shop: Shop) -> None:
    """No row, no key, no event, no call to Stripe, no credits."""
    for table in ("purchases", "idempotency_keys", "outbox_events", "stripe_customers"):
        assert await shop.count(table) == 0, table
    assert shop.box.log.entries() == []
    assert await shop.available() == 0


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"credits": None}, InvalidInput),
        ({"credits": 100, "package_id": "pkg_x"}, InvalidInput),
        ({"idempotency_key": ""}, InvalidInput),
        ({"idempotency_key": "k" * 256}, InvalidInput),
        ({"credits": 0}, QuantityOutOfRange),
        ({"credits": 1_000_001}, QuantityOutOfRange),
        ({"credits": 1}, BelowChargeMinimum),
        ({"package_id": new_id("package")}, NotFound),
        ({"package_id": "nonsense"}, NotFound),
        ({"payment_method_id": new_id("payment_method")}, NotFound),
        ({"wallet_id": new_id("wallet")}, NotFound),
        ({"wallet_id": "nonsense"}, NotFound),
        ({"expected_total": Decimal("24.99")}, PriceChanged),
        ({"expected_total": Decimal("2500")}, PriceChanged),
    ],
)
async def test_a_wish_that_cannot_be_met_changes_nothing(
    shop: Shop, wish: dict[str, Any], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        await shop.buy(**wish)
    await assert_nothing_happened(shop)


@pytest.mark.parametrize(
    ("sql", "refusal", "says"),
    [
        ("UPDATE plans SET white_label = FALSE", PlanNotEligible, lambda r: r.plan == "White"),
        (
            "UPDATE stripe_connections SET status = 'RESTRICTED'",
            StripeNotReady,
            lambda r: r.status == "RESTRICTED",
        ),
        (
            "UPDATE stripe_connections SET status = 'DISCONNECTED'",
            StripeNotReady,
            lambda r: r.status in {"DISCONNECTED", "NONE"},
        ),
        (
            "UPDATE agencies SET rebilling_enabled = FALSE",
            WalletBlocked,
            lambda r: r.reasons == ("REBILLING_OFF",),
        ),
        (
            "UPDATE sub_accounts SET wallet_access = FALSE",
            WalletBlocked,
            lambda r: r.reasons == ("WALLET_ACCESS_OFF",),
        ),
        (
            "UPDATE sub_accounts SET status = 'SUSPENDED'",
            WalletBlocked,
            lambda r: r.reasons == ("SUB_ACCOUNT_SUSPENDED",),
        ),
    ],
)
async def test_a_block_stops_buying_and_changes_nothing(
    shop: Shop, sql: str, refusal: type[Refusal], says: Callable[[Any], bool]
) -> None:
    await rows(sql)
    with pytest.raises(refusal) as refused:
        await shop.buy()
    assert says(refused.value)
    await assert_nothing_happened(shop)
    # Nor does a quote promise what a purchase would refuse.
    quoted = await quote_purchase(
        shop.rt,
        shop.client.viewer,
        wallet_id=shop.client.wallet_id,
        credits=100,
        package_id=None,
    )
    assert isinstance(quoted, refusal)
    assert says(quoted)


async def test_a_changed_price_answers_the_new_quote(shop: Shop) -> None:
    shown = await quote_purchase(
        shop.rt,
        shop.client.viewer,
        wallet_id=shop.client.wallet_id,
        credits=100,
        package_id=None,
    )
    assert isinstance(shown, Quote)
    assert (shown.gross_minor, shown.retail_unit) == (2500, Decimal("0.25"))
    await set_prices(shop.agency_id, shop.clock(), retail="0.30", wholesale="0.12", version=2)
    with pytest.raises(PriceChanged) as refused:
        await shop.buy(expected_total=Decimal("25.00"))
    assert isinstance(refused.value.quote, Quote)
    assert refused.value.quote.gross_minor == 3000
    await assert_nothing_happened(shop)
    assert (await shop.buy(expected_total=Decimal("30"))).purchase.gross_minor == 3000


async def test_wholesale_over_the_price_stops_the_sale_and_never_sells_at_a_loss(
    shop: Shop,
) -> None:
    await rows(
        "INSERT INTO wholesale_prices (id, currency, price, effective_at, actor, created_at) "
        "VALUES ($1, 'USD', 0.26, $2, 'test', $2)",
        *(new_id("wholesale"), shop.clock()),
    )
    with pytest.raises(PriceUnavailable):
        await shop.buy()
    await assert_nothing_happened(shop)


async def test_the_snapshot_stays_when_the_price_changes_afterwards(shop: Shop) -> None:
    started = await shop.buy(idempotency_key="kept")
    await set_prices(shop.agency_id, shop.clock(), retail="0.50", wholesale="0.20", version=2)
    again = await shop.buy(idempotency_key="kept")
    assert again.purchase.id == started.purchase.id
    assert (again.purchase.gross_minor, again.purchase.wholesale_total_minor) == (2500, 1200)
    [intent] = shop.at_stripe("payment_intent")
    assert (intent["amount"], intent["application_fee_amount"]) == (2500, 1200)


async def test_an_archived_package_is_not_sold(shop: Shop) -> None:
    package_id = await add_package(shop, credits=1000, bonus=0, price_minor=20000)
    await rows("UPDATE credit_packages SET archived_at = now()")
    with pytest.raises(NotFound):
        await shop.buy(package_id=package_id)
    await assert_nothing_happened(shop)


async def test_another_clients_wallet_and_card_look_unknown(shop: Shop) -> None:
    other = await shop.add_client("Other")
    card = await shop.pretend_saved("pm_card_visa")
    with pytest.raises(NotFound) as foreign:
        await shop.buy(wallet_id=other.wallet_id)
    with pytest.raises(NotFound) as unknown:
        await shop.buy(wallet_id=new_id("wallet"))
    assert foreign.value.message == unknown.value.message
    with pytest.raises(NotFound):
        await shop.buy(other, payment_method_id=card)
    await assert_nothing_happened(shop)


async def test_the_same_key_answers_the_same_purchase(shop: Shop) -> None:
    card = await shop.save_card()
    first = await shop.buy(payment_method_id=card, idempotency_key="once")
    second = await shop.buy(payment_method_id=card, idempotency_key="once")
    assert second == first
    assert len(shop.paid_charges()) == 1
    assert await shop.available() == 100


async def test_the_same_key_with_another_wish_is_a_conflict(shop: Shop) -> None:
    await shop.buy(idempotency_key="once")
    other = await shop.add_client("Other")
    for wish in ({"credits": 101}, {"save_payment_method": True}):
        with pytest.raises(IdempotencyConflict):
            await shop.buy(idempotency_key="once", **wish)
    # Another tenant's keys are its own.
    await shop.buy(other, idempotency_key="once")
    assert await shop.count("purchases") == 2


async def test_fifty_requests_with_one_key_charge_once(shop: Shop) -> None:
    card = await shop.save_card()
    answers = await asyncio.gather(
        *(shop.buy(payment_method_id=card, idempotency_key="rush") for _ in range(50))
    )
    assert len({answer.purchase.id for answer in answers}) == 1
    assert len(shop.paid_charges()) == 1
    assert await shop.available() == 100
    assert await shop.count("purchases") == 1


async def test_a_duplicate_is_suspected_until_it_is_confirmed(shop: Shop) -> None:
    first = await shop.buy()
    with pytest.raises(DuplicateSuspected) as refused:
        await shop.buy(idempotency_key="second")
    assert refused.value.purchase_id == first.purchase.id
    assert await shop.count("purchases") == 1
    # The refused key is still free, and another quantity is another wish.
    confirmed = await shop.buy(idempotency_key="second", confirm_duplicate=True)
    assert confirmed.purchase.id != first.purchase.id
    await shop.buy(credits=200)
    assert await shop.count("purchases") == 3


async def test_twenty_equal_wishes_at_once_open_one_purchase(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.buy() for _ in range(20)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, DuplicateSuspected)]
    assert len(refused) == 19
    assert await shop.count("purchases") == 1


async def test_a_payment_the_bank_still_decides_on_is_suspected_after_its_time(
    shop: Shop,
) -> None:
    first = (await shop.buy()).purchase
    await shop.confirm(first, "pm_usBankAccount_processing")
    waiting = await refresh_purchase(shop.rt, shop.client.viewer, first.id)
    assert waiting.status is PurchaseStatus.PROCESSING
    shop.clock.advance(days=2)
    with pytest.raises(DuplicateSuspected) as refused:
        await shop.buy()
    assert refused.value.purchase_id == first.id
    assert await shop.count("purchases") == 1


async def test_an_unpaid_purchase_is_no_duplicate_after_its_time(shop: Shop) -> None:
    await shop.buy()
    shop.clock.advance(days=2)
    await shop.buy()
    assert await shop.count("purchases") == 2


async def test_as_many_credits_as_a_package_gives_are_the_same_quantity(shop: Shop) -> None:
    package_id = await add_package(shop, credits=100, bonus=0, price_minor=2500)
    other_id = await add_package(shop, credits=90, bonus=10, price_minor=2400)
    first = await shop.buy(package_id=package_id)
    for wish in ({"credits": 100}, {"package_id": other_id}):
        with pytest.raises(DuplicateSuspected) as refused:
            await shop.buy(**wish)
        assert refused.value.purchase_id == first.purchase.id
    assert await shop.count("purchases") == 1
    # 90 are another quantity than the 100 that the other package gives.
    await shop.buy(credits=90)
    assert await shop.count("purchases") == 2


async def test_an_ended_purchase_is_no_duplicate(shop: Shop) -> None:
    first = await shop.buy()
    await cancel_purchase(shop.rt, shop.client.viewer, first.purchase.id)
    assert (await shop.buy()).purchase.status is PurchaseStatus.PENDING


async def test_a_card_of_an_account_that_was_replaced_is_not_charged(shop: Shop) -> None:
    card = await shop.save_card()
    account = shop.box.actions.create_account()["id"]
    await rows("UPDATE stripe_connections SET account_id = $1", account)
    with pytest.raises(NotFound):
        await shop.buy(payment_method_id=card)
    assert await shop.count("purchases") == 0


async def test_the_owner_sees_the_purchase_of_its_client(shop: Shop) -> None:
    # An agency's key may buy for its clients; its idempotency keys are the agency's.
    started = await shop.buy()
    as_owner = shop.client
    as_owner.viewer = owner_of(shop)
    with pytest.raises(DuplicateSuspected):
        await shop.buy(as_owner, idempotency_key=f"key-{1}")
    assert started.purchase.actor == "billing-of-Client"
