"""A client asks how its purchase stands, because a webhook may be late."""

from __future__ import annotations

from gateway.auth.viewer import Viewer
from gateway.purchases.intents import advance, unavailable
from gateway.purchases.read import visible_purchase
from gateway.purchases.record import PurchaseRecord
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import StripeFailure


async def refresh_purchase(rt: Runtime, viewer: Viewer, purchase_id: str) -> PurchaseRecord:
    """Read the payment from Stripe and settle it. The client's word counts for nothing here.

    After: the purchase stands where Stripe says, credits issued if it was paid.
    Raises NotFound, and PaymentUnavailable when Stripe cannot be asked."""
    purchase = await visible_purchase(rt, viewer, purchase_id)
    if not purchase.status.is_open and purchase.payment_intent_id is None:
        return purchase
    try:
        return await advance(rt, purchase)
    except StripeFailure as failure:
        raise unavailable(failure) from failure
