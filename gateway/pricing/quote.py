"""What a sale comes to, for a custom quantity and for a package. Pure: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.errors import (
    BelowChargeMinimum,
    InvalidInput,
    PriceUnavailable,
    QuantityOutOfRange,
)
from gateway.money import (
    CHARGE_MINIMUM_MINOR,
    charge_step,
    covers,
    effective_unit,
    exponent,
    total_minor,
)
from gateway.pricing.floor import Terms, require_amount, required_floor, tidy

CHARGE_MAXIMUM_MINOR: Final = 99_999_999
"""Stripe takes amounts of up to eight digits. See Stripe, "Create a PaymentIntent", amount."""

# Fractions of a minor unit repeat after at most 10^4 quantities: enough to meet one that passes.
_GRID_TRIES: Final = 1_000


@dataclass(frozen=True, slots=True)
class PackageOffer:
    """A fixed offer: whole credits and bonus credits for `price_minor`, in the agency's currency.

    validity_days: days until the credits expire after the sale; None: never."""

    id: str
    credits: int
    bonus_credits: int
    price_minor: int
    validity_days: int | None


@dataclass(frozen=True, slots=True)
class Quote:
    """One sale, complete: the snapshot that a purchase keeps.

    Amounts in minor units of `currency`, unit prices in major units per credit.
    gross = net + tax, margin = net − wholesale_total (before Stripe's own fee)."""

    credits: int
    bonus_credits: int
    currency: str
    retail_unit: Decimal
    wholesale_unit: Decimal
    floor_unit: Decimal
    net_minor: int
    tax_minor: int
    gross_minor: int
    wholesale_total_minor: int
    margin_minor: int
    package_id: str | None
    validity_days: int | None


def quote_credits(terms: Terms, credits: int) -> Quote:
    """What `credits` (whole, ≥ 1) cost at the price per credit.

    Raises QuantityOutOfRange, PriceUnavailable (no price, or under the floor),
    BelowChargeMinimum with the smallest quantity that passes, BelowWholesale (the rounded total
    of this very quantity is under the floor), InvalidInput (above Stripe's largest charge)."""
    rules = terms.quantity
    if not rules.allow(credits):
        raise QuantityOutOfRange(minimum=rules.minimum, maximum=rules.maximum, step=rules.step)
    retail = _required_retail(terms)
    net = total_minor(credits=credits, unit=retail, currency=terms.currency)
    require_chargeable(net, terms.currency, _smallest_quantity(terms, retail))
    return _quote(terms, net, credits=credits, bonus=0, retail=retail, package=None)


def quote_package(terms: Terms, package: PackageOffer) -> Quote:
    """What `package` costs; retail_unit is its effective price per credit, bonus included.

    Raises BelowWholesale, PriceUnavailable, BelowChargeMinimum, InvalidInput."""
    net = package.price_minor
    issued = package.credits + package.bonus_credits
    require_chargeable(net, terms.currency, None)
    retail = effective_unit(amount_minor=net, credits=issued, currency=terms.currency)
    return _quote(
        terms,
        net,
        credits=package.credits,
        bonus=package.bonus_credits,
        retail=tidy(retail),
        package=package,
    )


def require_chargeable(net_minor: int, currency: str, smallest_quantity: int | None) -> None:
    """Refuse a total (minor units) that Stripe takes from no card; smallest_quantity: see
    BelowChargeMinimum, which is raised under the minimum. Raises InvalidInput above the largest
    charge."""
    minimum = CHARGE_MINIMUM_MINOR[currency]
    if net_minor < minimum:
        raise BelowChargeMinimum(
            total_minor=net_minor,
            minimum_minor=minimum,
            currency=currency,
            smallest_quantity=smallest_quantity,
        )
    if net_minor > CHARGE_MAXIMUM_MINOR:
        raise InvalidInput("The total is above the largest card charge. Take fewer credits.")


def _quote(
    terms: Terms,
    net: int,
    *,
    credits: int,
    bonus: int,
    retail: Decimal,
    package: PackageOffer | None,
) -> Quote:
    floor = require_amount(terms, amount_minor=net, credits=credits + bonus)
    wholesale = terms.wholesale
    assert wholesale is not None
    fee = total_minor(credits=credits + bonus, unit=wholesale, currency=terms.currency)
    # Follows from the floor: net ≥ n × floor > n × wholesale, and net is whole.
    assert fee <= net
    return Quote(
        credits=credits,
        bonus_credits=bonus,
        currency=terms.currency,
        retail_unit=retail,
        wholesale_unit=wholesale,
        floor_unit=floor,
        net_minor=net,
        tax_minor=0,
        gross_minor=net,
        wholesale_total_minor=fee,
        margin_minor=net - fee,
        package_id=package.id if package else None,
        validity_days=package.validity_days if package else None,
    )


def _required_retail(terms: Terms) -> Decimal:
    floor = required_floor(terms)
    if terms.retail is None:
        raise PriceUnavailable("No price per credit is set yet. Ask the seller.")
    if terms.retail < floor:
        raise PriceUnavailable(
            "Credits cannot be sold at their present price. Ask the seller, or take a package."
        )
    return terms.retail


def _smallest_quantity(terms: Terms, retail: Decimal) -> int | None:
    """The first quantity on the grid that meets the card minimum and the floor, if there is one."""
    currency, rules, floor = terms.currency, terms.quantity, required_floor(terms)
    minimum = CHARGE_MINIMUM_MINOR[currency]
    # Rounding half up to the step: ≥ minimum ⇔ q × unit ≥ minimum − step ÷ 2; doubled it is exact.
    unit = (2 * retail.scaleb(exponent(currency))).as_integer_ratio()
    quantity = rules.at_least(-(-(2 * minimum - charge_step(currency)) * unit[1] // unit[0]))
    for _ in range(_GRID_TRIES):
        if quantity > rules.maximum:
            return None
        net = total_minor(credits=quantity, unit=retail, currency=currency)
        if covers(amount_minor=net, credits=quantity, floor=floor, currency=currency):
            return quantity
        quantity += rules.step
    return None
