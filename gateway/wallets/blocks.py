"""What stands between a client and its wallet: several named blocks instead of one status. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import PlanNotEligible, StripeNotReady, WalletBlocked


class BlockReason(StrEnum):
    """Why something cannot be done with a wallet now."""

    PLAN_NOT_ELIGIBLE = "PLAN_NOT_ELIGIBLE"
    STRIPE_NOT_READY = "STRIPE_NOT_READY"
    REBILLING_OFF = "REBILLING_OFF"
    WALLET_ACCESS_OFF = "WALLET_ACCESS_OFF"
    PRICE_UNAVAILABLE = "PRICE_UNAVAILABLE"
    SUB_ACCOUNT_SUSPENDED = "SUB_ACCOUNT_SUSPENDED"
    DEBT = "DEBT"


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts that blocks follow from, for one client's wallet at one moment.

    unit_sellable: a custom quantity has a price at or above the floor. package_sellable: at least
    one public package has."""

    plan: str
    white_label: bool
    stripe_status: str
    rebilling_enabled: bool
    wallet_access: bool
    suspended: bool
    debt: int
    unit_sellable: bool
    package_sellable: bool


@dataclass(frozen=True, slots=True)
class Block:
    """stops_buying and stops_spending say what the block forbids; a block with neither only
    limits what can be bought."""

    reason: BlockReason
    stops_buying: bool
    stops_spending: bool
    message: str


def blocks_of(standing: Standing) -> tuple[Block, ...]:
    """Every block that stands, the most basic one first."""
    nothing_sellable = not (standing.unit_sellable or standing.package_sellable)
    blocks = (
        (not standing.white_label, PLAN_BLOCK),
        (standing.stripe_status != "ACTIVE", STRIPE_BLOCK),
        (not standing.rebilling_enabled, _REBILLING),
        (not standing.wallet_access, _ACCESS),
        (standing.suspended, _SUSPENDED),
        (nothing_sellable, _NO_PRICE),
        (not standing.unit_sellable and not nothing_sellable, _PACKAGES_ONLY),
        (standing.debt > 0, _DEBT),
    )
    return tuple(block for stands, block in blocks if stands)


def require_buyable(standing: Standing) -> None:
    """Judge whether a purchase may start at all; which item is judged by its quote.

    Raises PlanNotEligible, StripeNotReady, or WalletBlocked with every other reason."""
    if not standing.white_label:
        raise PlanNotEligible(plan=standing.plan)
    if standing.stripe_status != "ACTIVE":
        raise StripeNotReady(STRIPE_BLOCK.message, status=standing.stripe_status)
    stopping = [
        block
        for block in blocks_of(standing)
        if block.stops_buying and block.reason is not BlockReason.PRICE_UNAVAILABLE
    ]
    if stopping:
        raise WalletBlocked(
            stopping[0].message, reasons=tuple(block.reason.value for block in stopping)
        )


def _block(reason: BlockReason, message: str, *, buying: bool, spending: bool) -> Block:
    return Block(reason, stops_buying=buying, stops_spending=spending, message=message)


PLAN_BLOCK = _block(
    BlockReason.PLAN_NOT_ELIGIBLE,
    "The seller's plan does not include wallets, so no credits are sold. Those you have stay "
    "yours and can be used.",
    buying=True,
    spending=False,
)
STRIPE_BLOCK = _block(
    BlockReason.STRIPE_NOT_READY,
    "The seller cannot take cards at the moment. Try again later; your credits stay usable.",
    buying=True,
    spending=False,
)
_REBILLING = _block(
    BlockReason.REBILLING_OFF,
    "The seller has paused the sale of credits. Your credits stay usable.",
    buying=True,
    spending=False,
)
_ACCESS = _block(
    BlockReason.WALLET_ACCESS_OFF,
    "The seller has switched buying off for this account. Your credits stay usable.",
    buying=True,
    spending=False,
)
_SUSPENDED = _block(
    BlockReason.SUB_ACCOUNT_SUSPENDED,
    "This account is suspended. Ask the seller to resume it; your credits are kept.",
    buying=True,
    spending=True,
)
_NO_PRICE = _block(
    BlockReason.PRICE_UNAVAILABLE,
    "Nothing has a sellable price at the moment. Ask the seller to set one.",
    buying=True,
    spending=False,
)
_PACKAGES_ONLY = _block(
    BlockReason.PRICE_UNAVAILABLE,
    "A free number of credits cannot be sold at its present price. Take a package.",
    buying=False,
    spending=False,
)
_DEBT = _block(
    BlockReason.DEBT,
    "Credits are owed. The next purchase pays them first; spending waits until then.",
    buying=False,
    spending=True,
)
