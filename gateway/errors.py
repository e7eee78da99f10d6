"""Every expected failure, as plain exceptions that carry their facts.

    Refusal                     becomes one typed entry of a mutation's `userErrors`
    ├── InvalidInput, InvalidState, AlreadyExists, NotFound, Forbidden
    ├── BelowWholesale, BelowChargeMinimum, QuantityOutOfRange, PriceChanged
    ├── PriceUnavailable, NoWholesalePrice
    ├── PlanNotEligible, StripeNotReady, WalletBlocked
    ├── InsufficientCredits, DebtOutstanding
    ├── DuplicateSuspected, IdempotencyConflict, InProgress
    └── CardDeclined, PaymentUnavailable
    RequestError                becomes one entry of the answer's top-level `errors`
    ├── Unauthenticated, AccessDenied, BadUserInput, ConflictRetry, RateLimited, QueryTooCostly

Anything else that is raised is a bug: masked outside with a request id, logged whole.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum


class ErrorCode(StrEnum):
    """Closed list of reasons for a refusal; each is described in `schema/errors.py`."""

    INVALID_INPUT = "INVALID_INPUT"
    INVALID_STATE = "INVALID_STATE"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    DEBT_OUTSTANDING = "DEBT_OUTSTANDING"
    WALLET_BLOCKED = "WALLET_BLOCKED"
    PLAN_NOT_ELIGIBLE = "PLAN_NOT_ELIGIBLE"
    STRIPE_NOT_READY = "STRIPE_NOT_READY"
    BELOW_WHOLESALE = "BELOW_WHOLESALE"
    BELOW_CHARGE_MINIMUM = "BELOW_CHARGE_MINIMUM"
    QUANTITY_OUT_OF_RANGE = "QUANTITY_OUT_OF_RANGE"
    PRICE_CHANGED = "PRICE_CHANGED"
    PRICE_UNAVAILABLE = "PRICE_UNAVAILABLE"
    DUPLICATE_SUSPECTED = "DUPLICATE_SUSPECTED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    IN_PROGRESS = "IN_PROGRESS"
    CARD_DECLINED = "CARD_DECLINED"
    PAYMENT_UNAVAILABLE = "PAYMENT_UNAVAILABLE"


class Refusal(Exception):
    """A business rule said no. `field` is the path inside the mutation's input, None for all."""

    code: ErrorCode

    def __init__(self, message: str, *, field: tuple[str, ...] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidInput(Refusal):
    """A value of the input cannot be used as it stands; the message says what can."""

    code = ErrorCode.INVALID_INPUT


class InvalidState(Refusal):
    """The object is in a state from which this step is not possible."""

    code = ErrorCode.INVALID_STATE


class AlreadyExists(Refusal):
    """A value that must be unique is taken."""

    code = ErrorCode.ALREADY_EXISTS


class NotFound(Refusal):
    """No such object for this viewer. Says the same for an unknown and for a foreign id."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, noun: str, *, field: tuple[str, ...] | None = None) -> None:
        super().__init__(
            f"No {noun} with this id is visible to you. Check the id and the login.", field=field
        )


class Forbidden(Refusal):
    """The viewer sees the object, but their role or scope does not include this step. `message`
    says so; whom to ask is the same for all and added to it."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, message: str, *, field: tuple[str, ...] | None = None) -> None:
        super().__init__(
            f"{message} Ask an owner of the agency, or use an API key with the scope.", field=field
        )


class InsufficientCredits(Refusal):
    """Credits, whole numbers: `required`, `available`, `shortfall = required - available`."""

    code = ErrorCode.INSUFFICIENT_CREDITS

    def __init__(self, *, required: int, available: int) -> None:
        self.required, self.available = required, available
        self.shortfall = required - available
        super().__init__(
            f"{required} credits are needed and {available} are available: "
            f"{self.shortfall} are missing. Buy credits and try again."
        )


class DebtOutstanding(Refusal):
    """`debt` credits (whole) are owed; spending waits until they are paid."""

    code = ErrorCode.DEBT_OUTSTANDING

    def __init__(self, *, debt: int) -> None:
        self.debt = debt
        super().__init__(f"The wallet owes {debt} credits. The next purchase pays them first.")


class WalletBlocked(Refusal):
    """`reasons` are the block names of domain rule 7 that stand against this step."""

    code = ErrorCode.WALLET_BLOCKED

    def __init__(self, message: str, *, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__(message)


class PlanNotEligible(Refusal):
    """The agency's plan has no white-label; `plan` is the plan's name."""

    code = ErrorCode.PLAN_NOT_ELIGIBLE

    def __init__(self, *, plan: str) -> None:
        self.plan = plan
        super().__init__(
            f"The plan “{plan}” does not include white-label wallets. "
            "Move the agency to a plan that does."
        )


class StripeNotReady(Refusal):
    """The agency's Stripe account cannot take charges; `status` is the connection's status."""

    code = ErrorCode.STRIPE_NOT_READY

    def __init__(self, message: str, *, status: str) -> None:
        self.status = status
        super().__init__(message)


class BelowWholesale(Refusal):
    """The price leaves less than the minimum margin. `floor`: lowest unit price that passes,
    in major units of `currency`; `offered`: the unit price that was asked for."""

    code = ErrorCode.BELOW_WHOLESALE

    def __init__(
        self,
        *,
        floor: Decimal,
        offered: Decimal,
        currency: str,
        field: tuple[str, ...] | None = None,
    ) -> None:
        self.floor, self.offered, self.currency = floor, offered, currency
        super().__init__(
            f"A credit must sell for at least {floor} {currency}, bonus credits included; "
            f"this comes to {offered}.",
            field=field,
        )


class BelowChargeMinimum(Refusal):
    """The total is under the smallest card charge of its currency.

    Amounts in minor units; `smallest_quantity` is the smallest number of credits that passes,
    None when the item's quantity cannot be changed (a package, a preview) and when none of those
    that may be bought freely passes."""

    code = ErrorCode.BELOW_CHARGE_MINIMUM

    def __init__(
        self, *, total_minor: int, minimum_minor: int, currency: str, smallest_quantity: int | None
    ) -> None:
        self.total_minor, self.minimum_minor = total_minor, minimum_minor
        self.currency, self.smallest_quantity = currency, smallest_quantity
        hint = (
            f" Take at least {smallest_quantity} credits." if smallest_quantity is not None else ""
        )
        super().__init__(
            f"The total is under the smallest card charge in {currency}.{hint}",
        )


class QuantityOutOfRange(Refusal):
    """`min`, `max`, `step` in credits; a quantity must be min + n × step and at most max."""

    code = ErrorCode.QUANTITY_OUT_OF_RANGE

    def __init__(self, *, minimum: int, maximum: int, step: int) -> None:
        self.minimum, self.maximum, self.step = minimum, maximum, step
        super().__init__(
            f"Take between {minimum} and {maximum} credits, in steps of {step}.",
            field=("credits",),
        )


class PriceUnavailable(Refusal):
    """No price at or above the floor stands for this item, so it cannot be sold now."""

    code = ErrorCode.PRICE_UNAVAILABLE


class NoWholesalePrice(PriceUnavailable):
    """The same because the platform has set no wholesale price in `currency`. Its message is not
    for clients."""

    def __init__(self, *, currency: str) -> None:
        self.currency = currency
        super().__init__(
            f"The platform has set no wholesale price in {currency} yet. Ask the platform."
        )


class PriceChanged(Refusal):
    """The total the client showed is not today's. `quote` is the new quote to show."""

    code = ErrorCode.PRICE_CHANGED

    def __init__(self, *, quote: object) -> None:
        self.quote = quote
        super().__init__("The price has changed. Show the new quote and ask again.")


class DuplicateSuspected(Refusal):
    """The same wallet, card and quantity has an open purchase (`purchase_id`)."""

    code = ErrorCode.DUPLICATE_SUSPECTED

    def __init__(self, *, purchase_id: str) -> None:
        self.purchase_id = purchase_id
        super().__init__(
            "A purchase of the same quantity is still open. Finish or cancel it, "
            "or send confirmDuplicate: true to buy again."
        )


class IdempotencyConflict(Refusal):
    """The key was used before with another input."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was used with another input. Use a new key for a new wish.",
            field=("idempotencyKey",),
        )


class InProgress(Refusal):
    """The first request with this key has not ended yet."""

    code = ErrorCode.IN_PROGRESS

    def __init__(self) -> None:
        super().__init__(
            "The first request with this key is still running. Ask again with the same key.",
            field=("idempotencyKey",),
        )


class CardDeclined(Refusal):
    """The card's bank said no. `reason`: our closed list of decline reasons; `retryable`: whether
    the same card may pass later. See Stripe, "Decline codes"."""

    code = ErrorCode.CARD_DECLINED

    def __init__(self, message: str, *, reason: str, retryable: bool) -> None:
        self.reason, self.retryable = reason, retryable
        super().__init__(message)


class PaymentUnavailable(Refusal):
    """Stripe did not answer or refused for a reason of its own; nothing is lost, ask again."""

    code = ErrorCode.PAYMENT_UNAVAILABLE


class RequestErrorCode(StrEnum):
    """`extensions.code` of a top-level error."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    RATE_LIMITED = "RATE_LIMITED"
    QUERY_TOO_COSTLY = "QUERY_TOO_COSTLY"
    CONFLICT_RETRY = "CONFLICT_RETRY"
    INTERNAL = "INTERNAL"


class RequestError(Exception):
    """The request itself cannot be served; `code` and `message` are shown to the client."""

    code: RequestErrorCode

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unauthenticated(RequestError):
    """No token, or one that proves nothing. `expired` tells a client that a new token helps."""

    code = RequestErrorCode.UNAUTHENTICATED

    def __init__(self, message: str, *, expired: bool = False) -> None:
        self.expired = expired
        super().__init__(message)


class AccessDenied(RequestError):
    """The viewer may not read this field or run this operation at all."""

    code = RequestErrorCode.FORBIDDEN


class BadUserInput(RequestError):
    """An argument outside its documented range."""

    code = RequestErrorCode.BAD_USER_INPUT


class ConflictRetry(RequestError):
    """The database could not finish now (restart, conflict). Nothing changed; send it again."""

    code = RequestErrorCode.CONFLICT_RETRY


class RateLimited(RequestError):
    """Too many requests for this token; `retry_after_s` seconds to wait."""

    code = RequestErrorCode.RATE_LIMITED

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class QueryTooCostly(RequestError):
    """The document passes a limit; the message names the limit."""

    code = RequestErrorCode.QUERY_TOO_COSTLY
