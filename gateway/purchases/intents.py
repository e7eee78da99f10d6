"""The Stripe step of a purchase, repeatable from its row alone: one intent per purchase, ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog

from gateway.crash_points import crash_point
from gateway.database import row
from gateway.errors import PaymentUnavailable
from gateway.purchases import store
from gateway.purchases.customers import Customer, known_customer, with_customer
from gateway.purchases.decide import PURCHASE_KEY, progress_of
from gateway.purchases.declines import DeclineReason, message_of
from gateway.purchases.record import PurchaseRecord, PurchaseStatus
from gateway.purchases.settle import settle
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import (
    AccountLost,
    CardDeclined,
    IdempotencyMismatch,
    NotFoundAtStripe,
    StripeFailure,
    StripeRefused,
    StripeUnavailable,
)
from gateway.stripe_connect.values import Intent

log = structlog.get_logger(__name__)

# Stripe forgets an idempotency key after 24 hours: an older one could make a second intent.
# See Stripe, "Idempotent requests".
_KEY_LIFE: Final = timedelta(hours=23)
# Clocks differ; an intent made "before" its row must still be found.
_CLOCK_SLACK: Final = timedelta(minutes=10)


async def advance(rt: Runtime, purchase: PurchaseRecord) -> PurchaseRecord:
    """Make the purchase's intent, or read the one it has, and settle what Stripe says.

    May be called again at any time: the same idempotency key is sent with the same body, built
    from the row. No intent is made any more for a client that was suspended, or on an account
    that was disconnected, since the purchase began: it ends. Raises StripeFailure when Stripe
    cannot be asked; the purchase stays open."""
    if purchase.payment_intent_id is not None:
        intent = await rt.stripe.payment_intent(
            account=purchase.stripe_account_id, id=purchase.payment_intent_id
        )
        return await settle(rt, purchase, intent)
    if rt.clock() - purchase.created_at > _KEY_LIFE:
        return await find_and_settle(rt, purchase) or purchase
    try:
        if not await _may_begin(purchase):
            found = await find_and_settle(rt, purchase)
            return found or await _fail(rt, purchase, why="disconnected or suspended")
        made = await _create(rt, purchase)
    except (StripeRefused, NotFoundAtStripe, AccountLost) as refusal:
        return await _fail(rt, purchase, why=repr(refusal))
    crash_point("stripe_answered")
    return await settle(rt, purchase, made)


async def find_and_settle(rt: Runtime, purchase: PurchaseRecord) -> PurchaseRecord | None:
    """Look for an intent whose creation was never answered. None when Stripe has none."""
    intent = await _find(rt, purchase)
    return None if intent is None else await settle(rt, purchase, intent)


def unavailable(failure: StripeFailure) -> PaymentUnavailable:
    """What a client is told when Stripe cannot be asked."""
    if isinstance(failure, AccountLost):
        return PaymentUnavailable("The seller's Stripe account is not available. Ask the seller.")
    return PaymentUnavailable(
        "Stripe did not answer. Nothing is lost and nothing is charged twice: "
        "send the same request again."
    )


async def _may_begin(purchase: PurchaseRecord) -> bool:
    sql = """
        SELECT 1 FROM stripe_connections c
        JOIN sub_accounts s ON s.agency_id = c.agency_id AND s.id = $3
        WHERE c.agency_id = $1 AND c.account_id = $2 AND c.status <> 'DISCONNECTED'
            AND s.status <> 'SUSPENDED'
    """
    named = (purchase.agency_id, purchase.stripe_account_id, purchase.sub_account_id)
    return await row(sql, *named) is not None


async def _create(rt: Runtime, purchase: PurchaseRecord) -> Intent:
    async def ask(customer: Customer) -> Intent:
        # A customer that came after the purchase may follow a deleted one, for whom the intent
        # was made without an answer; that one had another idempotency key.
        if customer.since > purchase.created_at and not customer.opened:
            found = await _find(rt, purchase)
            if found is not None:
                return found
        return await _create_for(rt, purchase, customer)

    return await with_customer(rt, purchase, ask)


async def _create_for(rt: Runtime, purchase: PurchaseRecord, customer: Customer) -> Intent:
    account = purchase.stripe_account_id
    card = await _card_at_stripe(purchase)
    try:
        return await rt.stripe.create_payment_intent(
            account=account,
            amount_minor=purchase.gross_minor,
            currency=purchase.currency,
            application_fee_minor=purchase.wholesale_total_minor,
            customer=customer.customer_id,
            metadata={
                PURCHASE_KEY: purchase.id,
                "rebill_wallet": purchase.wallet_id,
                "rebill_agency": purchase.agency_id,
            },
            payment_method=card,
            confirm=card is not None,
            save=purchase.save_payment_method,
            key=f"rebill:pi:{purchase.id}:{customer.id}",
        )
    except CardDeclined as declined:
        if declined.intent_id is not None:
            return await rt.stripe.payment_intent(account=account, id=declined.intent_id)
        return await _find_or_raise(rt, purchase, declined)
    except (StripeUnavailable, IdempotencyMismatch) as failure:
        # Stripe repeats a stored 500 for ever, although the intent may have been made.
        return await _find_or_raise(rt, purchase, failure)


async def _find_or_raise(rt: Runtime, purchase: PurchaseRecord, failure: StripeFailure) -> Intent:
    intent = await _find(rt, purchase)
    if intent is None:
        raise failure
    return intent


async def _find(rt: Runtime, purchase: PurchaseRecord) -> Intent | None:
    customer = await known_customer(purchase)
    if customer is None:
        return None
    # A younger customer may follow a deleted one, who is not written down: look at everybody's.
    younger = customer.since > purchase.created_at
    if customer.customer_id is None and not younger:
        return None
    made = await rt.stripe.payment_intents_of(
        account=purchase.stripe_account_id,
        customer=None if younger else customer.customer_id,
        created_after=purchase.created_at - _CLOCK_SLACK,
    )
    own = [intent for intent in made if intent.metadata.get(PURCHASE_KEY) == purchase.id]
    return own[0] if own else None


async def _card_at_stripe(purchase: PurchaseRecord) -> str | None:
    if purchase.payment_method_id is None:
        return None
    found = await row(
        "SELECT stripe_payment_method_id FROM payment_methods WHERE agency_id = $1 AND id = $2",
        purchase.agency_id,
        purchase.payment_method_id,
    )
    assert found is not None, "a saved card's row is never deleted"
    return str(found["stripe_payment_method_id"])


async def _fail(rt: Runtime, purchase: PurchaseRecord, *, why: str) -> PurchaseRecord:
    """Stripe has no intent and is not asked for one again: the purchase has failed."""
    log.error("purchase_not_begun", purchase=purchase.id, why=why)
    failed = replace(
        progress_of(purchase),
        status=PurchaseStatus.FAILED,
        last_error_reason=DeclineReason.REFUSED.value,
        last_error_message=message_of(DeclineReason.REFUSED),
    )
    stored = await store.advance_row(purchase, failed, now=rt.clock())
    return stored or await store.load(purchase.id, agency_id=purchase.agency_id)
