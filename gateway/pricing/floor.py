"""The floor: no credit is ever sold for less than the platform takes plus a minimum margin."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.errors import BelowWholesale, InvalidInput, NoWholesalePrice
from gateway.money import covers, effective_unit, is_unit_price

_SHOWN_PLACES: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class QuantityRules:
    """Whole credits: a custom quantity is minimum + n × step and at most maximum."""

    minimum: int
    maximum: int
    step: int

    def allow(self, credits: int) -> bool:
        """True when a client may buy exactly `credits`."""
        return self.minimum <= credits <= self.maximum and (credits - self.minimum) % self.step == 0

    def at_least(self, credits: int) -> int:
        """The smallest quantity on the grid that is not below `credits`; it may pass maximum."""
        steps = max(0, -((self.minimum - credits) // self.step))
        return self.minimum + steps * self.step


@dataclass(frozen=True, slots=True)
class Terms:
    """What stands for one buyer at one moment. Prices per credit in major units of `currency`.

    retail: None while the agency has set no price. wholesale: None while the platform has set
    none. Either way nothing can be sold."""

    currency: str
    retail: Decimal | None
    wholesale: Decimal | None
    minimum_margin: Decimal
    quantity: QuantityRules

    @property
    def floor(self) -> Decimal | None:
        """The lowest price per credit that may be sold at; None without a wholesale price."""
        return None if self.wholesale is None else tidy(self.wholesale + self.minimum_margin)

    @property
    def sellable(self) -> bool:
        """True when the price per credit stands at or above the floor."""
        return self.retail is not None and self.floor is not None and self.retail >= self.floor


def required_floor(terms: Terms) -> Decimal:
    """The floor. Raises NoWholesalePrice while the platform has set no wholesale price."""
    if terms.floor is None:
        raise NoWholesalePrice(currency=terms.currency)
    return terms.floor


def require_unit_price(terms: Terms, price: Decimal, *, field: tuple[str, ...]) -> Decimal:
    """Answer the floor when credits may sell at `price` each (major units).

    Raises InvalidInput (not exact to 6 places), BelowWholesale, NoWholesalePrice."""
    floor = required_floor(terms)
    if not is_unit_price(price):
        raise InvalidInput(
            "A price per credit has at most 6 decimal places and is not negative.", field=field
        )
    if price < floor:
        raise BelowWholesale(floor=floor, offered=price, currency=terms.currency, field=field)
    return floor


def require_amount(
    terms: Terms, *, amount_minor: int, credits: int, field: tuple[str, ...] | None = None
) -> Decimal:
    """Answer the floor when `credits` (bonus included) may sell for `amount_minor` together.

    Compared exactly, without division. Raises BelowWholesale, NoWholesalePrice."""
    floor = required_floor(terms)
    currency = terms.currency
    if not covers(amount_minor=amount_minor, credits=credits, floor=floor, currency=currency):
        offered = effective_unit(amount_minor=amount_minor, credits=credits, currency=currency)
        raise BelowWholesale(floor=floor, offered=tidy(offered), currency=currency, field=field)
    return floor


def tidy(value: Decimal) -> Decimal:
    """The same number without trailing zeros beyond the second place: 0.120100 is 0.1201."""
    shortest = value.normalize()
    exponent = shortest.as_tuple().exponent
    assert isinstance(exponent, int)
    return shortest if exponent <= -2 else shortest.quantize(_SHOWN_PLACES)
