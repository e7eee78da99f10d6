"""What a client would pay now."""

from __future__ import annotations

from gateway.auth.viewer import Viewer
from gateway.errors import NotFound, Refusal
from gateway.pricing.quote import Quote
from gateway.purchases.wish import check_item, find_buyer, quote_item
from gateway.runtime import Runtime
from gateway.wallets.blocks import require_buyable
from gateway.wallets.read import standing_of


async def quote_purchase(
    rt: Runtime, viewer: Viewer, *, wallet_id: str, credits: int | None, package_id: str | None
) -> Quote | Refusal | None:
    """Today's price of `credits` (whole) or of a package for one wallet, or why it cannot be sold
    (what `require_buyable` and `quote_item` raise). None for a wallet that the viewer does not see.

    Changes nothing and promises nothing: send its total as the purchase's expected total."""
    try:
        buyer = await find_buyer(viewer, wallet_id)
    except NotFound:
        return None
    try:
        check_item(credits, package_id)
        standing = await standing_of(rt, viewer, wallet_id)
        assert standing is not None, "a buyer has a client's wallet"
        require_buyable(standing)
        return await quote_item(rt, viewer, buyer, credits=credits, package_id=package_id)
    except Refusal as refusal:
        return refusal
