"""Stripe's many decline codes → a closed list that a client can act on.

See Stripe, "Decline codes" and "Error codes"."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.errors import CardDeclined, PaymentUnavailable, Refusal
from gateway.stripe_connect.values import CardProblem


class DeclineReason(StrEnum):
    """Why a payment did not pass."""

    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    CARD_EXPIRED = "CARD_EXPIRED"
    INCORRECT_DETAILS = "INCORRECT_DETAILS"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    LOST_OR_STOLEN = "LOST_OR_STOLEN"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    DECLINED = "DECLINED"
    REFUSED = "REFUSED"


_REASONS: Final[Mapping[str, DeclineReason]] = {
    "insufficient_funds": DeclineReason.INSUFFICIENT_FUNDS,
    "expired_card": DeclineReason.CARD_EXPIRED,
    "invalid_expiry_month": DeclineReason.INCORRECT_DETAILS,
    "invalid_expiry_year": DeclineReason.INCORRECT_DETAILS,
    "incorrect_cvc": DeclineReason.INCORRECT_DETAILS,
    "invalid_cvc": DeclineReason.INCORRECT_DETAILS,
    "incorrect_number": DeclineReason.INCORRECT_DETAILS,
    "invalid_number": DeclineReason.INCORRECT_DETAILS,
    "incorrect_zip": DeclineReason.INCORRECT_DETAILS,
    "incorrect_pin": DeclineReason.INCORRECT_DETAILS,
    "authentication_required": DeclineReason.AUTHENTICATION_FAILED,
    "payment_intent_authentication_failure": DeclineReason.AUTHENTICATION_FAILED,
    "setup_intent_authentication_failure": DeclineReason.AUTHENTICATION_FAILED,
    "lost_card": DeclineReason.LOST_OR_STOLEN,
    "stolen_card": DeclineReason.LOST_OR_STOLEN,
    "pickup_card": DeclineReason.LOST_OR_STOLEN,
    "restricted_card": DeclineReason.LOST_OR_STOLEN,
    "card_velocity_exceeded": DeclineReason.LIMIT_EXCEEDED,
    "withdrawal_count_limit_exceeded": DeclineReason.LIMIT_EXCEEDED,
    "card_not_supported": DeclineReason.NOT_SUPPORTED,
    "currency_not_supported": DeclineReason.NOT_SUPPORTED,
    "transaction_not_allowed": DeclineReason.NOT_SUPPORTED,
    "processing_error": DeclineReason.PROCESSING_ERROR,
    "issuer_not_available": DeclineReason.PROCESSING_ERROR,
    "reenter_transaction": DeclineReason.PROCESSING_ERROR,
    "try_again_later": DeclineReason.PROCESSING_ERROR,
}

_MESSAGES: Final[Mapping[DeclineReason, str]] = {
    DeclineReason.INSUFFICIENT_FUNDS: "The card has too little money on it.",
    DeclineReason.CARD_EXPIRED: "The card has expired. Use another one.",
    DeclineReason.INCORRECT_DETAILS: "The card's number, date or code is wrong.",
    DeclineReason.AUTHENTICATION_FAILED: "The bank could not confirm that it was you. Try again.",
    # The bank's exact word is not shown: it would tell a thief that the theft was noticed.
    # See Stripe, "Decline codes", `lost_card`.
    DeclineReason.LOST_OR_STOLEN: "The card was declined. Use another one.",
    DeclineReason.LIMIT_EXCEEDED: "The card is over its limit. Try later or use another one.",
    DeclineReason.NOT_SUPPORTED: "The card cannot be used for this. Use another one.",
    DeclineReason.PROCESSING_ERROR: "The bank could not be reached. Try again.",
    DeclineReason.DECLINED: "The card was declined. Ask the bank or use another card.",
    DeclineReason.REFUSED: "The payment could not be started. Ask the seller.",
}

RETRYABLE: Final = frozenset(
    {
        DeclineReason.INSUFFICIENT_FUNDS,
        DeclineReason.INCORRECT_DETAILS,
        DeclineReason.AUTHENTICATION_FAILED,
        DeclineReason.LIMIT_EXCEEDED,
        DeclineReason.PROCESSING_ERROR,
    }
)
"""Reasons after which the same card may pass later."""


def reason_of(problem: CardProblem) -> DeclineReason:
    """Ours for Stripe's. A code that Stripe adds one day is DECLINED."""
    found = _REASONS.get(problem.decline_code or "") or _REASONS.get(problem.code)
    return found or DeclineReason.DECLINED


def message_of(reason: DeclineReason) -> str:
    """A sentence for the buyer: what, and what next."""
    return _MESSAGES[reason]


def refusal_of(reason: DeclineReason) -> Refusal:
    """The typed error of a mutation whose payment did not pass: CardDeclined, or
    PaymentUnavailable when no bank was asked."""
    if reason is DeclineReason.REFUSED:
        return PaymentUnavailable(message_of(reason))
    return CardDeclined(message_of(reason), reason=reason.value, retryable=reason in RETRYABLE)
