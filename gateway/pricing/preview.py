"""What an agency would earn at a price it is thinking about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from gateway.errors import BadUserInput, Refusal
from gateway.money import is_unit_price, total_minor
from gateway.pricing.floor import Terms, require_amount, require_unit_price
from gateway.pricing.quote import require_chargeable


@dataclass(frozen=True, slots=True)
class StripeFeeEstimate:
    """percent of the charge plus `fixed_minor` minor units. See Stripe, "Pricing"."""

    percent: Decimal
    fixed_minor: int

    def fee_minor(self, amount_minor: int) -> int:
        """The estimated fee on a charge of `amount_minor`, rounded half up."""
        exact = Decimal(amount_minor) * self.percent / 100 + self.fixed_minor
        return int(exact.to_integral_value(rounding=ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Preview:
    """A sale of `credits` + `bonus_credits` at `price` per paid credit, as it would come out.

    Amounts in minor units. refusal: why it could not be sold, None when it could.
    warning: a sentence when Stripe's estimated fee eats the whole margin."""

    credits: int
    bonus_credits: int
    currency: str
    price: Decimal
    floor: Decimal
    net_minor: int
    wholesale_total_minor: int
    margin_minor: int
    stripe_fee_minor: int
    margin_after_fee_minor: int
    refusal: Refusal | None
    warning: str | None

    @property
    def accepted(self) -> bool:
        return self.refusal is None


def preview(
    terms: Terms, *, price: Decimal, credits: int, bonus_credits: int, fee: StripeFeeEstimate
) -> Preview:
    """Margin before and after Stripe's estimated fee, and whether the floor and Stripe's smallest
    and largest charge allow the sale. price: per paid credit, major units. Changes nothing.

    A question, not a wish: raises BadUserInput for a price or numbers that cannot be meant, and
    while no wholesale price stands."""
    if credits < 1 or bonus_credits < 0:
        raise BadUserInput("credits must be 1 or more, bonusCredits 0 or more.")
    if not is_unit_price(price):
        raise BadUserInput("pricePerCredit has at most 6 decimal places and is not negative.")
    floor, currency = terms.floor, terms.currency
    if terms.wholesale is None or floor is None:
        raise BadUserInput(f"The platform has set no wholesale price in {currency} yet.")
    issued = credits + bonus_credits
    net = total_minor(credits=credits, unit=price, currency=currency)
    wholesale = total_minor(credits=issued, unit=terms.wholesale, currency=currency)
    stripe_fee = fee.fee_minor(net)
    left = net - wholesale - stripe_fee
    return Preview(
        credits=credits,
        bonus_credits=bonus_credits,
        currency=currency,
        price=price,
        floor=floor,
        net_minor=net,
        wholesale_total_minor=wholesale,
        margin_minor=net - wholesale,
        stripe_fee_minor=stripe_fee,
        margin_after_fee_minor=left,
        refusal=_refusal(terms, price, net=net, issued=issued, plain=bonus_credits == 0),
        warning=_warning(left, stripe_fee),
    )


def _refusal(terms: Terms, price: Decimal, *, net: int, issued: int, plain: bool) -> Refusal | None:
    try:
        if plain:
            require_unit_price(terms, price, field=("pricePerCredit",))
        require_amount(terms, amount_minor=net, credits=issued, field=("pricePerCredit",))
        require_chargeable(net, terms.currency, None)
    except Refusal as refusal:
        return refusal
    return None


def _warning(left_minor: int, stripe_fee_minor: int) -> str | None:
    if left_minor >= 0 or stripe_fee_minor == 0:
        return None
    return (
        "Stripe's estimated fee is larger than the margin of this sale: it would lose money. "
        "Raise the price or sell larger quantities."
    )
