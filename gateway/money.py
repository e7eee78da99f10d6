"""Exact money: integer minor units beside an ISO 4217 code, and unit prices as decimals.

No float is ever involved. Rounding is half up, once, where a total is made."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

MAX_CREDITS: Final = 2**53 - 1
"""Largest number of credits: JSON numbers stay exact up to here (RFC 8259, section 6)."""

UNIT_PRICE_PLACES: Final = 6
_UNIT_PRICE_STEP: Final = Decimal(1).scaleb(-UNIT_PRICE_PLACES)
_MAX_UNIT_PRICE: Final = Decimal(10) ** 9

# ISO 4217 exponents that differ from 2, and Stripe's smallest card charge in minor units
# ("Currencies", minimum charge amounts). Only currencies listed here can be sold in.
_EXPONENTS: Final = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "BHD": 3, "KWD": 3, "JOD": 3, "TND": 3}
CHARGE_MINIMUM_MINOR: Final = {
    "USD": 50, "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500,
    "DKK": 250, "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000,
    "MYR": 200, "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000,
    "KRW": 500, "CLP": 500, "VND": 12000, "BHD": 200, "KWD": 200, "JOD": 400, "TND": 2000,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Money:
    """amount_minor: integer minor units (cents for USD); currency: ISO 4217."""

    amount_minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """The same amount in major units, exact."""
        return Decimal(self.amount_minor).scaleb(-exponent(self.currency))


def is_supported(currency: str) -> bool:
    """True when cards can be charged in `currency` here."""
    return currency in CHARGE_MINIMUM_MINOR


def exponent(currency: str) -> int:
    """Decimal places of the currency's minor unit: 2 for USD, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


def charge_step(currency: str) -> int:
    """Minor units to which every amount is whole: 10 for currencies of three decimals, whose
    last digit must be 0 in a charge (Stripe, "Currencies", three-decimal currencies), else 1."""
    return 10 if exponent(currency) == 3 else 1


def total_minor(*, credits: int, unit: Decimal, currency: str) -> int:
    """round_half_up(credits × unit), in minor units, to a whole `charge_step`."""
    step = charge_step(currency)
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(credits) * unit.scaleb(exponent(currency)) / step
        return int(exact.to_integral_value(rounding=ROUND_HALF_UP)) * step


def is_unit_price(value: Decimal) -> bool:
    """True for an exact price per credit: finite, ≥ 0, at most 6 places, under 10^9."""
    return (
        value.is_finite()
        and 0 <= value < _MAX_UNIT_PRICE
        and value == value.quantize(_UNIT_PRICE_STEP)
    )


def effective_unit(*, amount_minor: int, credits: int, currency: str) -> Decimal:
    """What one credit comes to, rounded half up to 6 places of the major unit."""
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(amount_minor).scaleb(-exponent(currency)) / Decimal(credits)
        return exact.quantize(_UNIT_PRICE_STEP, rounding=ROUND_HALF_UP)


def covers(*, amount_minor: int, credits: int, floor: Decimal, currency: str) -> bool:
    """True when amount ÷ credits ≥ floor, compared without division or rounding."""
    with localcontext() as context:
        context.prec = 60
        return Decimal(amount_minor) >= Decimal(credits) * floor.scaleb(exponent(currency))
