"""The smallest charge of each currency. Source: Stripe, "Minimum and maximum charge amounts"."""

from __future__ import annotations

from typing import Final

from stripe_sandbox.errors import invalid

MINIMUM_MINOR: Final = {
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
# Stripe converts these to the settlement currency first, so none has a fixed minimum of its own.
_WITHOUT_MINIMUM: Final = frozenset({
    "bgn", "bhd", "clp", "cop", "idr", "ils", "jod", "krw", "kwd", "omr", "pen", "php", "tnd",
    "try", "twd", "vnd", "zar",
})  # fmt: skip
_LARGEST_MINOR: Final = 99_999_999


def check_amount(amount_minor: int, currency: str) -> None:
    """Raise ApiError for a currency that is not known and an amount that cannot be charged."""
    if currency not in MINIMUM_MINOR and currency not in _WITHOUT_MINIMUM:
        raise invalid("currency", f"Invalid currency: {currency}.")
    least = MINIMUM_MINOR.get(currency, 1)
    if amount_minor < 1:
        raise invalid(
            "amount", "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
        )  # fmt: skip
    if amount_minor < least:
        message = f"Amount must be at least {least} in the smallest unit of {currency}."
        raise invalid("amount", message, code="amount_too_small")
    if amount_minor > _LARGEST_MINOR:
        raise invalid("amount", "Amount must be no more than 99999999.", code="amount_too_large")
