"""A purchase begins: judged, written down, and only then taken to Stripe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from gateway.auth.viewer import Viewer
from gateway.crash_points import crash_point
from gateway.database import Connection, row, transaction
from gateway.errors import (
    DuplicateSuspected,
    IdempotencyConflict,
    NotFound,
    PriceChanged,
    Refusal,
)
from gateway.ids import is_id, new_id
from gateway.money import Money, exponent
from gateway.pricing.quote import Quote
from gateway.purchases import store
from gateway.purchases.declines import DeclineReason, refusal_of
from gateway.purchases.intents import advance, unavailable
from gateway.purchases.record import OPEN, PurchaseRecord, PurchaseStatus
from gateway.purchases.wish import Buyer, Wish, find_buyer, quote_item
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import StripeFailure
from gateway.wallets.blocks import require_buyable
from gateway.wallets.read import standing_of

_OPERATION: Final = "purchaseCredits"


@dataclass(frozen=True, slots=True)
class Started:
    """The purchase as it stands, and why it did not get further (CardDeclined,
    PaymentUnavailable); None when nothing is wrong."""

    purchase: PurchaseRecord
    refusal: Refusal | None


async def purchase_credits(rt: Runtime, viewer: Viewer, wish: Wish) -> Started:
    """Begin to buy credits, or carry on with what the same idempotency key began.

    After: a purchase row with its price snapshot is committed, and Stripe knows the payment (or
    will: the reconciler repeats a step that got no answer). With a saved card the charge was
    tried and, if it went through, the credits are in the wallet. Without one the purchase has a
    client secret for the buyer's own confirmation. See Stripe, "Accept a payment".

    Raises, with nothing changed: InvalidInput, NotFound, PlanNotEligible, StripeNotReady,
    WalletBlocked, what pricing raises, PriceChanged (with the new quote), DuplicateSuspected,
    IdempotencyConflict."""
    wish.check()
    purchase = await _open(rt, viewer, wish)
    crash_point("purchase_row_committed")
    if not purchase.status.is_open:
        return Started(purchase, _decline_of(purchase))
    try:
        purchase = await advance(rt, purchase)
    except StripeFailure as failure:
        purchase = await store.load(purchase.id, agency_id=purchase.agency_id)
        return Started(purchase, unavailable(failure))
    return Started(purchase, _decline_of(purchase))


async def _open(rt: Runtime, viewer: Viewer, wish: Wish) -> PurchaseRecord:
    async with transaction() as connection:
        buyer = await find_buyer(viewer, wish.wallet_id, on=connection)
        await _wait_for_turn(connection, buyer)
        if earlier := await _opened_by_key(connection, viewer, buyer, wish):
            return earlier
        standing = await standing_of(rt, viewer, wish.wallet_id, on=connection)
        assert standing is not None
        require_buyable(standing)
        quote = await quote_item(
            rt, viewer, buyer, credits=wish.credits, package_id=wish.package_id, on=connection
        )
        _check_total(wish, quote)
        await _check_card(rt, connection, buyer, wish)
        await _check_duplicate(rt, connection, buyer, wish, quote)
        purchase = await store.insert(connection, _values(rt, viewer, buyer, wish, quote))
        await _store_key(connection, viewer, wish, purchase)
        return purchase


async def _wait_for_turn(connection: Connection, buyer: Buyer) -> None:
    # One purchase of a wallet is opened at a time, so that two cannot both find "no other open".
    # An advisory lock and not the wallet's row, which spends are waiting for.
    await connection.execute_query(
        "SELECT pg_advisory_xact_lock(hashtextextended('purchase:' || $1, 0))", [buyer.wallet_id]
    )


async def _opened_by_key(
    connection: Connection, viewer: Viewer, buyer: Buyer, wish: Wish
) -> PurchaseRecord | None:
    sql = """
        SELECT request_hash, subject_id FROM idempotency_keys
        WHERE agency_id = $1 AND tenant = $2 AND operation = $3 AND key = $4
    """
    values = (buyer.agency_id, viewer.tenant, _OPERATION, wish.idempotency_key)
    found = await row(sql, *values, on=connection)
    if found is None:
        return None
    if found["request_hash"] != wish.request_hash:
        raise IdempotencyConflict
    return await store.load(found["subject_id"], agency_id=buyer.agency_id)


def _check_total(wish: Wish, quote: Quote) -> None:
    shown = wish.expected_total
    if shown is not None and shown != Money(quote.gross_minor, quote.currency).amount:
        raise PriceChanged(quote=quote)


async def _check_card(rt: Runtime, connection: Connection, buyer: Buyer, wish: Wish) -> None:
    if wish.payment_method_id is None:
        return
    # A card belongs to one account: after a reconnection with another it cannot be charged.
    sql = """
        SELECT id FROM payment_methods
        WHERE agency_id = $1 AND id = $2 AND sub_account_id = $3 AND stripe_account_id = $4
            AND livemode = $5 AND removed_at IS NULL
    """
    named = (wish.payment_method_id, buyer.sub_account_id, buyer.stripe_account_id)
    found = None
    if is_id(wish.payment_method_id, "payment_method"):
        found = await row(sql, buyer.agency_id, *named, rt.settings.livemode, on=connection)
    if found is None:
        raise NotFound("payment method", field=("paymentMethodId",))


async def _check_duplicate(
    rt: Runtime, connection: Connection, buyer: Buyer, wish: Wish, quote: Quote
) -> None:
    # The same quantity is the same number of credits issued, as a package or not. A payment that
    # the bank is still deciding on outlives the purchase's time.
    if wish.confirm_duplicate:
        return
    sql = """
        SELECT id FROM purchases
        WHERE agency_id = $1 AND wallet_id = $2 AND status = ANY($3)
            AND (status = 'PROCESSING' OR expires_at > $4)
            AND payment_method_id IS NOT DISTINCT FROM $5 AND credits + bonus_credits = $6
        ORDER BY created_at DESC LIMIT 1
    """
    item = (wish.payment_method_id, quote.credits + quote.bonus_credits)
    found = await row(
        sql, buyer.agency_id, buyer.wallet_id, sorted(OPEN), rt.clock(), *item, on=connection
    )
    if found is not None:
        raise DuplicateSuspected(purchase_id=found["id"])


def _values(
    rt: Runtime, viewer: Viewer, buyer: Buyer, wish: Wish, quote: Quote
) -> dict[str, object]:
    assert buyer.stripe_account_id is not None, "an ACTIVE connection has an account"
    assert quote.margin_minor >= 0, "the floor leaves a margin"
    now = rt.clock()
    return {
        **asdict(quote),
        "id": new_id("purchase"),
        "agency_id": buyer.agency_id,
        "sub_account_id": buyer.sub_account_id,
        "wallet_id": buyer.wallet_id,
        "status": PurchaseStatus.PENDING.value,
        "currency_exponent": exponent(quote.currency),
        "stripe_account_id": buyer.stripe_account_id,
        "livemode": rt.settings.livemode,
        "payment_method_id": wish.payment_method_id,
        "save_payment_method": wish.save_payment_method and wish.payment_method_id is None,
        "actor": viewer.subject,
        "created_at": now,
        "updated_at": now,
        "checked_at": now,
        "expires_at": now + timedelta(seconds=rt.settings.purchase_expires_s),
    }


async def _store_key(
    connection: Connection, viewer: Viewer, wish: Wish, purchase: PurchaseRecord
) -> None:
    sql = """
        INSERT INTO idempotency_keys
            (agency_id, tenant, operation, key, request_hash, subject_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING subject_id
    """
    values = (wish.idempotency_key, wish.request_hash, purchase.id, purchase.created_at)
    named = (purchase.agency_id, viewer.tenant, _OPERATION)
    if await row(sql, *named, *values, on=connection) is None:
        # The same key was just used for another wallet, whose turn this one did not wait for.
        raise IdempotencyConflict


def _decline_of(purchase: PurchaseRecord) -> Refusal | None:
    """The refusal that a saved card's last attempt ended with."""
    failed = purchase.status in (PurchaseStatus.PENDING, PurchaseStatus.FAILED)
    if not failed or purchase.last_error_reason is None:
        return None
    return refusal_of(DeclineReason(purchase.last_error_reason))
