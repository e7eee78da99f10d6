from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.errors import BadUserInput, BelowChargeMinimum, BelowWholesale, InvalidInput
from gateway.pricing.floor import QuantityRules, Terms
from gateway.pricing.preview import Preview, StripeFeeEstimate, preview
from gateway.pricing.quote import quote_credits

TERMS = Terms(
    currency="USD",
    retail=None,
    wholesale=Decimal("0.12"),
    minimum_margin=Decimal("0.0001"),
    quantity=QuantityRules(minimum=1, maximum=1_000_000, step=1),
)
FEE = StripeFeeEstimate(percent=Decimal("2.9"), fixed_minor=30)


def look(price: str, credits: int, bonus: int = 0, terms: Terms = TERMS) -> Preview:
    return preview(terms, price=Decimal(price), credits=credits, bonus_credits=bonus, fee=FEE)


def test_a_good_price_shows_the_margin_before_and_after_stripe() -> None:
    seen = look("0.25", 100)
    assert (seen.net_minor, seen.wholesale_total_minor, seen.margin_minor) == (2500, 1200, 1300)
    assert (seen.stripe_fee_minor, seen.margin_after_fee_minor) == (103, 1197)
    assert (seen.accepted, seen.refusal, seen.warning) == (True, None, None)
    assert seen.floor == Decimal("0.1201")


def test_a_thin_margin_is_accepted_with_a_warning() -> None:
    seen = look("0.13", 100)
    assert (seen.margin_minor, seen.stripe_fee_minor, seen.margin_after_fee_minor) == (100, 68, 32)
    assert seen.warning is None
    seen = look("0.121", 100)
    assert (seen.margin_minor, seen.stripe_fee_minor, seen.margin_after_fee_minor) == (10, 65, -55)
    assert seen.accepted
    assert seen.warning is not None


def test_bonus_credits_count_against_the_floor() -> None:
    assert look("0.15", 1000, 150).accepted
    refusal = look("0.13", 1000, 150).refusal
    assert isinstance(refusal, BelowWholesale)
    assert (refusal.offered, refusal.floor) == (Decimal("0.113043"), Decimal("0.1201"))


def test_a_price_at_wholesale_is_shown_as_refused() -> None:
    seen = look("0.12", 100)
    assert isinstance(seen.refusal, BelowWholesale)
    assert not seen.accepted


def test_too_small_a_sale_is_shown_as_refused() -> None:
    seen = look("0.25", 1)
    assert isinstance(seen.refusal, BelowChargeMinimum)
    assert seen.refusal.minimum_minor == 50


def test_too_large_a_sale_is_refused_as_its_quote_is() -> None:
    assert look("0.25", 3_999_999).accepted
    seen = look("0.25", 4_000_000)
    assert seen.net_minor == 100_000_000
    assert isinstance(seen.refusal, InvalidInput)
    assert not seen.accepted
    sold = replace(TERMS, retail=Decimal("0.25"), quantity=QuantityRules(1, 10**9, 1))
    assert quote_credits(sold, 3_999_999).gross_minor == 99_999_975
    with pytest.raises(InvalidInput) as quoted:
        quote_credits(sold, 4_000_000)
    assert quoted.value.message == seen.refusal.message


def test_senseless_questions_are_bad_input() -> None:
    for price, credits, bonus in (("0.25", 0, 0), ("0.25", 10, -1), ("0.0000001", 10, 0)):
        with pytest.raises(BadUserInput):
            look(price, credits, bonus)
    without = Terms("USD", None, None, Decimal("0.0001"), TERMS.quantity)
    with pytest.raises(BadUserInput):
        look("0.25", 100, terms=without)
