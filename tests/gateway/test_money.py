from __future__ import annotations

from decimal import Decimal

from gateway.money import covers, total_minor


def test_a_total_is_rounded_half_up_once() -> None:
    assert total_minor(credits=100, unit=Decimal("0.25"), currency="USD") == 2500
    assert total_minor(credits=1, unit=Decimal("0.005"), currency="USD") == 1
    assert total_minor(credits=3, unit=Decimal("0.0079"), currency="USD") == 2
    assert total_minor(credits=100, unit=Decimal("0.5"), currency="JPY") == 50


def test_the_floor_is_compared_exactly() -> None:
    floor = Decimal("0.1201")
    assert not covers(amount_minor=13000, credits=1150, floor=floor, currency="USD")
    assert covers(amount_minor=15000, credits=1150, floor=floor, currency="USD")
    assert covers(amount_minor=13812, credits=1150, floor=floor, currency="USD")
    assert not covers(amount_minor=13811, credits=1150, floor=floor, currency="USD")


def test_three_decimal_currencies_are_charged_in_tens() -> None:
    assert total_minor(credits=101, unit=Decimal("0.0755"), currency="KWD") == 7630
    assert total_minor(credits=1, unit=Decimal("0.005"), currency="KWD") == 10
    assert total_minor(credits=1, unit=Decimal("0.0049"), currency="KWD") == 0
    assert total_minor(credits=101, unit=Decimal("0.0755"), currency="USD") == 763
