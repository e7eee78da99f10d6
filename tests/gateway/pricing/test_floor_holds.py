"""Whatever is quoted, no credit goes under the floor and the sums are right."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BelowChargeMinimum, BelowWholesale, Refusal
from gateway.money import CHARGE_MINIMUM_MINOR, charge_step, exponent
from gateway.pricing.floor import QuantityRules, Terms
from gateway.pricing.quote import PackageOffer, Quote, quote_credits, quote_package

PRICES = st.integers(0, 5_000_000).map(lambda millionths: Decimal(millionths).scaleb(-6))
TERMS = st.builds(
    Terms,
    currency=st.sampled_from(["USD", "JPY", "KWD", "CZK"]),
    retail=PRICES,
    wholesale=PRICES,
    minimum_margin=st.sampled_from([Decimal("0.0001"), Decimal("0.000001"), Decimal("0.05")]),
    quantity=st.builds(
        QuantityRules,
        minimum=st.integers(1, 500),
        maximum=st.integers(500, 10_000_000),
        step=st.integers(1, 50),
    ),
)
PACKAGES = st.builds(
    PackageOffer,
    id=st.just("pkg_1"),
    credits=st.integers(1, 100_000),
    bonus_credits=st.integers(0, 50_000),
    price_minor=st.integers(0, 200_000_000),
    validity_days=st.none(),
)


def must_hold(terms: Terms, quote: Quote) -> None:
    issued = quote.credits + quote.bonus_credits
    minor = 10 ** exponent(terms.currency)
    assert terms.wholesale is not None
    floor = Fraction(terms.wholesale) + Fraction(terms.minimum_margin)
    assert Fraction(quote.net_minor, minor * issued) >= floor
    exact_fee = Fraction(terms.wholesale) * issued * minor
    assert abs(quote.wholesale_total_minor - exact_fee) <= Fraction(charge_step(quote.currency), 2)
    assert quote.margin_minor == quote.net_minor - quote.wholesale_total_minor >= 0
    assert quote.gross_minor == quote.net_minor + quote.tax_minor
    assert CHARGE_MINIMUM_MINOR[terms.currency] <= quote.gross_minor <= 99_999_999
    assert quote.floor_unit > quote.wholesale_unit


def must_be_short(terms: Terms, package: PackageOffer, floor: Decimal) -> None:
    issued = package.credits + package.bonus_credits
    assert Fraction(package.price_minor, 10 ** exponent(terms.currency) * issued) < Fraction(floor)


@settings(max_examples=400, deadline=None)
@given(terms=TERMS, credits=st.integers(1, 1_000_000))
def test_no_quantity_is_quoted_under_the_floor(terms: Terms, credits: int) -> None:
    rules = terms.quantity
    try:
        quote = quote_credits(terms, rules.at_least(credits))
    except BelowChargeMinimum as refused:
        if refused.smallest_quantity is not None:
            must_hold(terms, quote_credits(terms, refused.smallest_quantity))
    except Refusal:
        pass
    else:
        assert terms.retail is not None
        exact = Fraction(terms.retail) * quote.credits * 10 ** exponent(terms.currency)
        assert abs(quote.net_minor - exact) <= Fraction(charge_step(quote.currency), 2)
        must_hold(terms, quote)


@settings(max_examples=400, deadline=None)
@given(terms=TERMS, package=PACKAGES)
def test_no_package_is_quoted_under_the_floor(terms: Terms, package: PackageOffer) -> None:
    try:
        quote = quote_package(terms, package)
    except BelowWholesale as refused:
        must_be_short(terms, package, refused.floor)
    except Refusal:
        pass
    else:
        must_hold(terms, quote)
