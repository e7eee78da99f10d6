"""What a client would pay now."""

from __future__ import annotations

from gateway.auth.viewer import Viewer
from gateway.errors import NotFound, Refusal
from gateway.pricing.quote import Quote
from gateway.purchases.wish import check_item, find_buyer, quote_item
from gateway.runtime import Runtime


async def quote_purchase(
    rt: Runtime, viewer: Viewer, *, wallet_id: str, credits: int | None, package_id: str | None
) -> Quote | Refusal | None:
    """Today's price of `credits` (whole) or of a package for one wallet, or why it cannot be sold
    (what `quote_item` raises). None for a wallet that the viewer does not see.

    Changes nothing and promises nothing: send its total as the purchase's expected total."""
    try:
        buyer = await find_buyer(viewer, wallet_id)
    except NotFound:
        return None
    try:
        check_item(credits, package_id)
        return await quote_item(rt, viewer, buyer, credits=credits, package_id=package_id)
    except Refusal as refusal:
        return refusal
