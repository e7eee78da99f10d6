"""An unpaid purchase ends because its buyer, or its time, says so."""

from __future__ import annotations

from dataclasses import replace

from gateway.agencies.refresh import refresh_connection_by_account
from gateway.auth.viewer import Viewer
from gateway.errors import InvalidState
from gateway.purchases import store
from gateway.purchases.decide import progress_of
from gateway.purchases.intents import find_and_settle, unavailable
from gateway.purchases.read import visible_purchase
from gateway.purchases.record import PurchaseRecord, PurchaseStatus
from gateway.purchases.settle import cancel_intent
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import AccountLost, StripeFailure


async def cancel_purchase(rt: Runtime, viewer: Viewer, purchase_id: str) -> PurchaseRecord:
    """End an unpaid purchase. Canceling a canceled one answers it again.

    After: CANCELED (EXPIRED when its time was over), and its intent can no longer be paid; on an
    account that was lost, nobody of ours can pay it.
    Raises NotFound, InvalidState when it is paid, being paid or ended otherwise (a payment that
    wins the race is kept), PaymentUnavailable."""
    purchase = await visible_purchase(rt, viewer, purchase_id)
    if purchase.status.is_open:
        try:
            purchase = await end_unpaid(rt, purchase)
        except StripeFailure as failure:
            raise unavailable(failure) from failure
    if purchase.status not in (PurchaseStatus.CANCELED, PurchaseStatus.EXPIRED):
        raise InvalidState(
            f"The purchase is {purchase.status.value} and cannot be canceled. "
            "Read it again; only its seller can give a payment back."
        )
    return purchase


async def end_unpaid(rt: Runtime, purchase: PurchaseRecord) -> PurchaseRecord:
    """Cancel the intent of an open purchase and settle what came of it. Raises StripeFailure.

    A purchase whose intent Stripe does not have, or whose account is lost, simply ends. One that
    is being processed goes on: only the bank can end that."""
    try:
        return await _end_at_stripe(rt, purchase)
    except AccountLost:
        await refresh_connection_by_account(rt, purchase.stripe_account_id)
        # Should it have been paid after all, settling issues the credits and flags it.
        return await _end_without_stripe(rt, purchase)


async def _end_at_stripe(rt: Runtime, purchase: PurchaseRecord) -> PurchaseRecord:
    if purchase.payment_intent_id is None:
        found = await find_and_settle(rt, purchase)
        if found is None:
            return await _end_without_stripe(rt, purchase)
        purchase = found
    if purchase.status in (PurchaseStatus.PENDING, PurchaseStatus.REQUIRES_ACTION):
        return await cancel_intent(rt, purchase)
    return purchase


async def _end_without_stripe(rt: Runtime, purchase: PurchaseRecord) -> PurchaseRecord:
    now = rt.clock()
    over = now >= purchase.expires_at
    status = PurchaseStatus.EXPIRED if over else PurchaseStatus.CANCELED
    progress = replace(progress_of(purchase), status=status, client_secret=None, next_action=None)
    ended = await store.advance_row(purchase, progress, now=now)
    return ended or await store.load(purchase.id, agency_id=purchase.agency_id)
