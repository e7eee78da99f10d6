"""What a client would pay now."""

from __future__ import annotations

from gateway.auth.viewer import Viewer
from gateway.pricing.quote import Quote
from gateway.purchases.wish import check_item, find_buyer, quote_item
from gateway.runtime import Runtime


async def quote_purchase(
    rt: Runtime, viewer: Viewer, *, wallet_id: str, credits: int | None, package_id: str | None
) -> Quote:
    """Today's price of `credits` (whole) or of a package for one wallet. Changes nothing and
    promises nothing: send its total as the purchase's expected total.

    Raises NotFound, InvalidInput and what pricing raises: QuantityOutOfRange, PriceUnavailable,
    BelowChargeMinimum, BelowWholesale."""
    check_item(credits, package_id)
    buyer = await find_buyer(viewer, wallet_id)
    return await quote_item(rt, viewer, buyer, credits=credits, package_id=package_id)
