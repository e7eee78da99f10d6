"""Card errors: 402 answers that carry what they are about. Source: Stripe, "Card errors"."""

from __future__ import annotations

from typing import Any

from stripe_sandbox.cards import Decline
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.state import copy, public


def card_error(
    code: str,
    message: str,
    *,
    decline_code: str | None = None,
    payment_method: Json | None = None,
    **facts: Any,
) -> ApiError:
    """A 402 with type card_error."""
    method = copy(public(payment_method)) if payment_method else None
    return ApiError(
        402, message, kind="card_error", code=code, decline_code=decline_code,
        payment_method=method, **facts,
    )  # fmt: skip


def refused(decline: Decline, method: Json, charge: str | None = None) -> ApiError:
    """The error of a payment or setup that the issuer refused."""
    return card_error(
        decline.code,
        decline.message,
        decline_code=decline.decline_code,
        payment_method=method,
        charge=charge,
    )
