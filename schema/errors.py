"""Typed `userErrors`: one interface, one concrete type for every set of facts, one table.

A client that asks for `code message field` alone always gets an answer."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypedDict, TypeVar

import strawberry

from gateway import errors
from gateway.errors import ErrorCode, Refusal
from gateway.wallets.blocks import PLAN_BLOCK, STRIPE_BLOCK
from schema.enums import described
from schema.money import Money
from schema.purchase_states import DeclineReason
from schema.scalars import Credits
from schema.standing import BlockReason, ConnectionStatus

described(
    ErrorCode,
    "Why a mutation was refused. Nothing was changed.",
    {
        ErrorCode.INVALID_INPUT: "A value cannot be used; the message says what can.",
        ErrorCode.INVALID_STATE: "The object is in a state from which this is not possible.",
        ErrorCode.ALREADY_EXISTS: "A value that must be unique is taken.",
        ErrorCode.NOT_FOUND: "No such object is visible to you.",
        ErrorCode.FORBIDDEN: "Your role or scope does not include this.",
        ErrorCode.INSUFFICIENT_CREDITS: "The wallet has fewer credits than needed.",
        ErrorCode.DEBT_OUTSTANDING: "The wallet owes credits; the next purchase pays them first.",
        ErrorCode.WALLET_BLOCKED: "The wallet is blocked for this; the reasons are listed.",
        ErrorCode.PLAN_NOT_ELIGIBLE: "The agency's plan has no white-label wallets.",
        ErrorCode.STRIPE_NOT_READY: "The agency's Stripe account cannot take charges.",
        ErrorCode.BELOW_WHOLESALE: "The price leaves less than the minimum margin.",
        ErrorCode.BELOW_CHARGE_MINIMUM: "The total is under the smallest card charge.",
        ErrorCode.QUANTITY_OUT_OF_RANGE: "The number of credits is outside the agency's rules.",
        ErrorCode.PRICE_CHANGED: "The total shown to the buyer is no longer right.",
        ErrorCode.PRICE_UNAVAILABLE: "No sellable price stands for this item.",
        ErrorCode.DUPLICATE_SUSPECTED: "The same purchase is already open.",
        ErrorCode.IDEMPOTENCY_CONFLICT: "The idempotency key was used with another input.",
        ErrorCode.IN_PROGRESS: "The first request with this key is still running.",
        ErrorCode.CARD_DECLINED: "The card's bank refused.",
        ErrorCode.PAYMENT_UNAVAILABLE: "Stripe cannot be used right now; ask again.",
    },
)


@strawberry.interface(description="Why a mutation was refused. Concrete types carry the facts.")
class UserError:
    code: ErrorCode = strawberry.field(description="The reason, from a closed list.")
    message: str = strawberry.field(description="A sentence for a person: what, and what next.")
    field: list[str] | None = strawberry.field(
        default=None, description="Path inside `input`; null when the whole input is meant."
    )


@strawberry.type(description="A refusal without further facts.")
class SimpleError(UserError):
    pass


@strawberry.type(description="The wallet has fewer credits than needed.")
class InsufficientCreditsError(UserError):
    required: Credits = strawberry.field(description="Credits that the step needs.")
    available: Credits = strawberry.field(description="Credits that the wallet has.")
    shortfall: Credits = strawberry.field(description="Credits that are missing.")


@strawberry.type(description="The wallet owes credits.")
class DebtOutstandingError(UserError):
    debt: Credits = strawberry.field(description="Credits owed.")


@strawberry.type(description="The wallet is blocked for this step.")
class WalletBlockedError(UserError):
    reasons: list[BlockReason] = strawberry.field(description="The blocks that stand.")


@strawberry.type(
    description="The agency's plan has no white-label wallets. A client gets a SimpleError with "
    "the same code: the plan is the agency's own affair."
)
class PlanNotEligibleError(UserError):
    plan: str = strawberry.field(description="Name of the agency's plan.")


@strawberry.type(
    description="The agency's Stripe account cannot take charges. A client gets a SimpleError "
    "with the same code: where the agency stands is its own affair."
)
class StripeNotReadyError(UserError):
    status: ConnectionStatus = strawberry.field(description="Where the agency stands.")


@strawberry.type(description="The price leaves less than the minimum margin.")
class BelowWholesaleError(UserError):
    floor: Decimal = strawberry.field(
        description="Lowest price per credit that passes, in major units, bonus credits counted."
    )
    offered: Decimal = strawberry.field(
        description="What a credit came to, in major units, bonus credits counted."
    )


@strawberry.type(description="The total is under the smallest card charge of its currency.")
class BelowChargeMinimumError(UserError):
    total: Money = strawberry.field(description="The total that was asked for.")
    minimum: Money = strawberry.field(description="The smallest card charge.")
    smallest_quantity: Credits | None = strawberry.field(
        description="Smallest number of credits that passes; null for a package, for a preview, "
        "and when no number that may be bought freely passes."
    )


@strawberry.type(description="The number of credits is outside the agency's rules.")
class QuantityOutOfRangeError(UserError):
    min: Credits = strawberry.field(description="Smallest quantity, in credits.")
    max: Credits = strawberry.field(description="Largest quantity, in credits.")
    step: Credits = strawberry.field(description="Quantities are min + a multiple of this.")


@strawberry.type(description="The card's bank refused.")
class CardDeclinedError(UserError):
    reason: DeclineReason = strawberry.field(description="Why, as in `Purchase.lastError`.")
    retryable: bool = strawberry.field(description="True when the same card may pass later.")


class Shared(TypedDict):
    """The fields that every error has."""

    code: ErrorCode
    message: str
    field: list[str] | None


RefusalT = TypeVar("RefusalT", bound=Refusal)
_BUILDERS: dict[type[Refusal], Callable[[Any, Shared], UserError]] = {
    errors.InsufficientCredits: lambda refusal, shared: InsufficientCreditsError(
        **shared,
        required=Credits(refusal.required),
        available=Credits(refusal.available),
        shortfall=Credits(refusal.shortfall),
    ),
    errors.DebtOutstanding: lambda refusal, shared: DebtOutstandingError(
        **shared, debt=Credits(refusal.debt)
    ),
    errors.WalletBlocked: lambda refusal, shared: WalletBlockedError(
        **shared, reasons=[BlockReason(reason) for reason in refusal.reasons]
    ),
    errors.PlanNotEligible: lambda refusal, shared: PlanNotEligibleError(
        **shared, plan=refusal.plan
    ),
    errors.StripeNotReady: lambda refusal, shared: StripeNotReadyError(
        **shared, status=ConnectionStatus(refusal.status)
    ),
    errors.BelowWholesale: lambda refusal, shared: BelowWholesaleError(
        **shared, floor=refusal.floor, offered=refusal.offered
    ),
    errors.BelowChargeMinimum: lambda refusal, shared: BelowChargeMinimumError(
        **shared,
        total=Money.of(refusal.total_minor, refusal.currency),
        minimum=Money.of(refusal.minimum_minor, refusal.currency),
        smallest_quantity=refusal.smallest_quantity,
    ),
    errors.QuantityOutOfRange: lambda refusal, shared: QuantityOutOfRangeError(
        **shared,
        min=Credits(refusal.minimum),
        max=Credits(refusal.maximum),
        step=Credits(refusal.step),
    ),
    errors.CardDeclined: lambda refusal, shared: CardDeclinedError(
        **shared, reason=DeclineReason(refusal.reason), retryable=refusal.retryable
    ),
}

_NOT_SELLABLE: Final = (
    ErrorCode.PRICE_UNAVAILABLE,
    "This item cannot be sold at its present price. Ask the seller.",
)
_FOR_CLIENTS: Final[dict[type[Refusal], tuple[ErrorCode, str]]] = {
    errors.BelowWholesale: _NOT_SELLABLE,
    errors.NoWholesalePrice: _NOT_SELLABLE,
    errors.PlanNotEligible: (ErrorCode.PLAN_NOT_ELIGIBLE, PLAN_BLOCK.message),
    errors.StripeNotReady: (ErrorCode.STRIPE_NOT_READY, STRIPE_BLOCK.message),
}


def explain(refusal: type[RefusalT], build: Callable[[RefusalT, Shared], UserError]) -> None:
    """Add a refusal whose typed error needs a type of another module (a quote, a purchase)."""
    assert refusal not in _BUILDERS, f"{refusal.__name__} is explained twice"
    _BUILDERS[refusal] = build


def to_user_error(refusal: Refusal, *, agency_side: bool) -> UserError:
    """The typed error of a refusal. agency_side False: the viewer is a client, who must not learn
    of the wholesale price, the agency's plan or its Stripe account: what tells of them becomes a
    SimpleError with a neutral sentence."""
    field = list(refusal.field) if refusal.field else None
    neutral = None if agency_side else _FOR_CLIENTS.get(type(refusal))
    if neutral is not None:
        code, message = neutral
        return SimpleError(code=code, message=message, field=field)
    shared = Shared(code=refusal.code, message=refusal.message, field=field)
    build = _BUILDERS.get(type(refusal))
    return build(refusal, shared) if build else SimpleError(**shared)


CONCRETE_ERRORS: list[type] = [
    SimpleError,
    InsufficientCreditsError,
    DebtOutstandingError,
    WalletBlockedError,
    PlanNotEligibleError,
    StripeNotReadyError,
    BelowWholesaleError,
    BelowChargeMinimumError,
    QuantityOutOfRangeError,
    CardDeclinedError,
]
"""Types that the schema must know although no field returns them by name."""
