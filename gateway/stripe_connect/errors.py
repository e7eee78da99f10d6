"""How a call to Stripe can end badly.

StripeFailure
├── CardDeclined                 the bank said no; the intent is in the facts
│   └── AuthenticationRequired   the cardholder has to confirm
├── UnexpectedState              the intent moved meanwhile: read it again
├── NotFoundAtStripe             no such object on that account
├── IdempotencyMismatch          the same key was sent with another body: a bug of ours
├── AccountLost                  we may not act for that account any more
├── StripeRefused                any other definite no
├── RateLimited                  too many calls; nothing was done
└── StripeUnavailable            no usable answer; outcome_unknown says whether it may be done
BadWebhook                       a webhook body or signature that proves nothing
"""

from __future__ import annotations

from gateway.stripe_connect.values import CardProblem


class StripeFailure(Exception):
    """A call to Stripe did not give what was asked for. The message holds no secret."""


class CardDeclined(StripeFailure):
    """`problem` says why; `intent_id` is the PaymentIntent or SetupIntent that was tried."""

    def __init__(self, problem: CardProblem, *, intent_id: str | None) -> None:
        super().__init__(problem.decline_code or problem.code)
        self.problem, self.intent_id = problem, intent_id


class AuthenticationRequired(CardDeclined):
    """The bank wants the cardholder present (3-D Secure)."""


class UnexpectedState(StripeFailure):
    """The step does not fit the object's present state. See Stripe, "Error codes",
    `payment_intent_unexpected_state`."""


class NotFoundAtStripe(StripeFailure):
    """`resource_missing`. `param`: the parameter that names what is missing; None where Stripe
    names none."""

    def __init__(self, message: str, *, param: str | None) -> None:
        super().__init__(message)
        self.param = param


class IdempotencyMismatch(StripeFailure):
    """The key belongs to a request with other parameters. Nothing was done now."""


class AccountLost(StripeFailure):
    """The connected account took its permission back, or is not one of ours."""


class StripeRefused(StripeFailure):
    """`code` and `param` as in Stripe's error object; None where it names none."""

    def __init__(self, message: str, *, code: str | None, param: str | None) -> None:
        super().__init__(message)
        self.code, self.param = code, param


class RateLimited(StripeFailure):
    """429 on every try. Decided by Stripe before anything is done."""


class StripeUnavailable(StripeFailure):
    """Network, timeout, 5xx or an unreadable answer on every try.

    outcome_unknown: True when the call may have had its effect: never send it under a new key."""

    def __init__(self, message: str, *, outcome_unknown: bool) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown


class BadWebhook(Exception):
    """The message is safe to log and to answer."""
