from __future__ import annotations

from decimal import Decimal

from gateway.money import covers, part_minor, smallest_amount_minor, total_minor


def test_a_total_is_rounded_half_up_once() -> None:
    assert total_minor(credits=100, unit=Decimal("0.25"), currency="USD") == 2500
    assert total_minor(credits=1, unit=Decimal("0.005"), currency="USD") == 1
    assert total_minor(credits=3, unit=Decimal("0.0079"), currency="USD") == 2
    assert total_minor(credits=100, unit=Decimal("0.5"), currency="JPY") == 50
    assert total_minor(credits=3, unit=Decimal("0.0005"), currency="KWD") == 2


def test_three_thirds_of_ten_are_ten() -> None:
    first = part_minor(total=1000, cumulative=1, whole=3, earlier=0)
    second = part_minor(total=1000, cumulative=2, whole=3, earlier=first)
    third = part_minor(total=1000, cumulative=3, whole=3, earlier=first + second)
    assert (first, second, third) == (333, 334, 333)


def test_the_floor_is_compared_exactly() -> None:
    floor = Decimal("0.1201")
    assert not covers(amount_minor=13000, credits=1150, floor=floor, currency="USD")
    assert covers(amount_minor=15000, credits=1150, floor=floor, currency="USD")
    assert smallest_amount_minor(credits=1150, floor=floor, currency="USD") == 13812
    assert covers(amount_minor=13812, credits=1150, floor=floor, currency="USD")
    assert not covers(amount_minor=13811, credits=1150, floor=floor, currency="USD")
