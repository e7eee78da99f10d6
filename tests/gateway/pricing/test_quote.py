from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.errors import (
    BelowChargeMinimum,
    BelowWholesale,
    InvalidInput,
    PriceUnavailable,
    QuantityOutOfRange,
)
from gateway.pricing.floor import QuantityRules, Terms, require_unit_price, tidy
from gateway.pricing.quote import PackageOffer, Quote, quote_credits, quote_package

RULES = QuantityRules(minimum=1, maximum=1_000_000, step=1)


def terms(
    retail: str | None = "0.25",
    wholesale: str | None = "0.12",
    *,
    currency: str = "USD",
    quantity: QuantityRules = RULES,
) -> Terms:
    return Terms(
        currency=currency,
        retail=None if retail is None else Decimal(retail),
        wholesale=None if wholesale is None else Decimal(wholesale),
        minimum_margin=Decimal("0.0001"),
        quantity=quantity,
    )


def package(price_minor: int, credits: int = 1000, bonus: int = 150) -> PackageOffer:
    return PackageOffer(
        id="pkg_1", credits=credits, bonus_credits=bonus, price_minor=price_minor, validity_days=90
    )


def test_a_hundred_credits_at_25_cents_over_12() -> None:
    assert quote_credits(terms(), 100) == Quote(
        credits=100,
        bonus_credits=0,
        currency="USD",
        retail_unit=Decimal("0.25"),
        wholesale_unit=Decimal("0.12"),
        floor_unit=Decimal("0.1201"),
        net_minor=2500,
        tax_minor=0,
        gross_minor=2500,
        wholesale_total_minor=1200,
        margin_minor=1300,
        package_id=None,
        validity_days=None,
    )


@pytest.mark.parametrize("price", ["0.12", "0.11", "0.1200", "0"])
def test_a_price_at_or_under_wholesale_is_refused_with_the_floor(price: str) -> None:
    with pytest.raises(BelowWholesale) as refused:
        require_unit_price(terms(), Decimal(price), field=("pricePerCredit",))
    assert refused.value.floor == Decimal("0.1201")
    assert refused.value.offered == Decimal(price)
    assert "0.1201 USD" in refused.value.message
    assert refused.value.field == ("pricePerCredit",)


@pytest.mark.parametrize("price", ["0.25", "0.1201"])
def test_a_price_from_the_floor_up_is_accepted(price: str) -> None:
    assert require_unit_price(terms(), Decimal(price), field=("p",)) == Decimal("0.1201")


@pytest.mark.parametrize("price", ["0.2500001", "-0.25", "NaN", "Infinity", "1000000000"])
def test_a_price_that_is_not_exact_is_refused(price: str) -> None:
    with pytest.raises(InvalidInput):
        require_unit_price(terms(), Decimal(price), field=("p",))


def test_a_package_whose_bonus_breaks_the_floor_is_refused() -> None:
    with pytest.raises(BelowWholesale) as refused:
        quote_package(terms(), package(13000))
    assert refused.value.offered == Decimal("0.113043")
    assert refused.value.floor == Decimal("0.1201")


def test_a_package_owes_wholesale_for_its_bonus_too() -> None:
    quote = quote_package(terms(), package(15000))
    assert (quote.gross_minor, quote.wholesale_total_minor, quote.margin_minor) == (
        15000,
        13800,
        1200,
    )
    assert quote.retail_unit == Decimal("0.130435")
    assert (quote.package_id, quote.validity_days) == ("pkg_1", 90)


def test_the_floor_of_a_package_is_exact_to_the_cent() -> None:
    assert quote_package(terms(), package(13812)).margin_minor == 12
    with pytest.raises(BelowWholesale):
        quote_package(terms(), package(13811))


@pytest.mark.parametrize("credits", [0, -10, 49, 55, 1001, 1010])
def test_quantities_outside_the_rules_are_refused(credits: int) -> None:
    rules = QuantityRules(minimum=50, maximum=1000, step=10)
    with pytest.raises(QuantityOutOfRange) as refused:
        quote_credits(terms(quantity=rules), credits)
    assert (refused.value.minimum, refused.value.maximum, refused.value.step) == (50, 1000, 10)


@pytest.mark.parametrize("credits", [50, 60, 1000])
def test_quantities_on_the_grid_are_sold(credits: int) -> None:
    rules = QuantityRules(minimum=50, maximum=1000, step=10)
    assert quote_credits(terms(quantity=rules), credits).credits == credits


def test_an_amount_under_the_card_minimum_names_the_smallest_quantity() -> None:
    with pytest.raises(BelowChargeMinimum) as refused:
        quote_credits(terms(), 1)
    assert (refused.value.total_minor, refused.value.minimum_minor) == (25, 50)
    assert refused.value.smallest_quantity == 2
    assert quote_credits(terms(), 2).gross_minor == 50


def test_the_smallest_quantity_lies_on_the_grid() -> None:
    rules = QuantityRules(minimum=5, maximum=1000, step=7)
    with pytest.raises(BelowChargeMinimum) as refused:
        quote_credits(terms("0.05", "0.01", quantity=rules), 5)
    assert refused.value.smallest_quantity == 12
    assert quote_credits(terms("0.05", "0.01", quantity=rules), 12).gross_minor == 60


def test_no_smallest_quantity_is_named_when_the_largest_is_too_small() -> None:
    rules = QuantityRules(minimum=1, maximum=9, step=1)
    with pytest.raises(BelowChargeMinimum) as refused:
        quote_credits(terms("0.05", "0.01", quantity=rules), 5)
    assert refused.value.smallest_quantity is None


def test_a_package_under_the_card_minimum_has_no_smallest_quantity() -> None:
    with pytest.raises(BelowChargeMinimum) as refused:
        quote_package(terms(), package(49, credits=1, bonus=0))
    assert refused.value.smallest_quantity is None


def test_rounding_down_may_not_break_the_floor() -> None:
    with pytest.raises(BelowWholesale) as refused:
        quote_credits(terms("0.1201"), 105)
    assert refused.value.offered == Decimal("0.120095")
    assert quote_credits(terms("0.1201"), 100).net_minor == 1201


def test_wholesale_above_the_price_makes_the_item_unavailable() -> None:
    for wholesale in ("0.25", "0.30", "0.24995"):
        with pytest.raises(PriceUnavailable):
            quote_credits(terms("0.25", wholesale), 100)


def test_without_a_price_nothing_is_sold() -> None:
    for retail, wholesale in ((None, "0.12"), ("0.25", None), (None, None)):
        with pytest.raises(PriceUnavailable):
            quote_credits(terms(retail, wholesale), 100)
    with pytest.raises(PriceUnavailable):
        quote_package(terms(wholesale=None), package(15000))


def test_currencies_without_and_with_three_decimals() -> None:
    yen = quote_credits(terms("30", "12", currency="JPY"), 100)
    assert (yen.net_minor, yen.wholesale_total_minor) == (3000, 1200)
    dinar = quote_credits(terms("0.025", "0.012", currency="KWD"), 100)
    assert (dinar.net_minor, dinar.wholesale_total_minor) == (2500, 1200)


def test_a_total_that_stripe_cannot_charge_is_refused() -> None:
    assert quote_credits(terms("99.99", "1"), 10_000).net_minor == 99_990_000
    with pytest.raises(InvalidInput):
        quote_credits(terms("100", "1"), 10_000)


def test_prices_are_shown_without_trailing_zeros() -> None:
    shown = [str(tidy(Decimal(text))) for text in ("0.120100", "0.250000", "30.000000", "1E+1")]
    assert shown == ["0.1201", "0.25", "30.00", "10.00"]
