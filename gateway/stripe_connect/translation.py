"""Exceptions of the `stripe` package → ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import stripe

from gateway.stripe_connect.errors import (
    AccountLost,
    AuthenticationRequired,
    CardDeclined,
    IdempotencyMismatch,
    NotFoundAtStripe,
    RateLimited,
    StripeFailure,
    StripeRefused,
    StripeUnavailable,
    UnexpectedState,
)
from gateway.stripe_connect.reading import read_problem

_BY_CODE: Final[Mapping[str, type[StripeFailure]]] = {
    "payment_intent_unexpected_state": UnexpectedState,
    "setup_intent_unexpected_state": UnexpectedState,
    "account_invalid": AccountLost,
    "application_not_authorized": AccountLost,
}


def is_worth_another_try(error: stripe.StripeError) -> bool:
    """True for what the same request under the same key may overcome. See Stripe, "Low-level
    error handling": network errors, 409, 429 and 5xx, unless `Stripe-Should-Retry` says no."""
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError):
        return True
    told = (error.headers or {}).get("Stripe-Should-Retry")
    if told is not None:
        return bool(told == "true")
    status = error.http_status or 0
    # A 2xx that arrives as an error had an unreadable body.
    return status == 409 or status >= 500 or 200 <= status < 300


def translate(error: stripe.StripeError, *, method: str) -> StripeFailure:
    """The failure that `error` stands for after the last try."""
    facts = _facts(error)
    if isinstance(error, stripe.CardError):
        return _declined(facts)
    if isinstance(error, stripe.IdempotencyError):
        return IdempotencyMismatch("idempotency_error")
    if isinstance(error, stripe.RateLimitError):
        return RateLimited("rate_limit")
    if (named := _named(facts)) is not None:
        return named
    if is_worth_another_try(error) or (error.http_status or 0) >= 500:
        return StripeUnavailable(type(error).__name__, outcome_unknown=method == "post")
    text = facts.get("message") or type(error).__name__
    return StripeRefused(str(text), code=facts.get("code"), param=facts.get("param"))


def _facts(error: stripe.StripeError) -> Mapping[str, Any]:
    body: Any = error.json_body
    found = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(found, str):  # OAuth: the error is its code
        return {"code": found, "message": body.get("error_description")}
    return found if isinstance(found, Mapping) else {}


def _named(facts: Mapping[str, Any]) -> StripeFailure | None:
    """The failure that has a code of its own."""
    code = facts.get("code")
    if code == "resource_missing":
        return NotFoundAtStripe(code, param=facts.get("param"))
    return _BY_CODE[code](code) if isinstance(code, str) and code in _BY_CODE else None


def _declined(facts: Mapping[str, Any]) -> CardDeclined:
    problem = read_problem(facts)
    assert problem is not None, "a 402 without an error object"
    intent = facts.get("payment_intent") or facts.get("setup_intent") or {}
    kind = AuthenticationRequired if problem.code == "authentication_required" else CardDeclined
    return kind(problem, intent_id=intent.get("id"))
