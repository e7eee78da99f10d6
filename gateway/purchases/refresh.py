"""A client asks how its purchase stands, because a webhook may be late."""

from __future__ import annotations

from gateway.auth.viewer import Viewer
from gateway.purchases.intents import advance, find_and_settle, unavailable
from gateway.purchases.read import may_buy, visible_purchase
from gateway.purchases.record import PurchaseRecord
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import StripeFailure


async def refresh_purchase(rt: Runtime, viewer: Viewer, purchase_id: str) -> PurchaseRecord:
    """Read the payment from Stripe and settle it. The client's word counts for nothing here.

    After: the purchase stands where Stripe says, credits issued if it was paid. A payment that
    Stripe does not have yet is begun only for a viewer who may buy.
    Raises NotFound, and PaymentUnavailable when Stripe cannot be asked."""
    purchase = await visible_purchase(rt, viewer, purchase_id)
    if not purchase.status.is_open and purchase.payment_intent_id is None:
        return purchase
    try:
        if purchase.payment_intent_id is None and not may_buy(viewer):
            return await find_and_settle(rt, purchase) or purchase
        return await advance(rt, purchase)
    except StripeFailure as failure:
        raise unavailable(failure) from failure
