from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import PlanNotEligible, StripeNotReady, WalletBlocked
from gateway.wallets.blocks import BlockReason, Standing, blocks_of, require_buyable

FREE = Standing(
    plan="White",
    white_label=True,
    stripe_status="ACTIVE",
    rebilling_enabled=True,
    wallet_access=True,
    suspended=False,
    debt=0,
    unit_sellable=True,
    package_sellable=True,
)


def test_nothing_stands_when_everything_is_in_order() -> None:
    assert blocks_of(FREE) == ()
    require_buyable(FREE)


# (change, reason, stops buying, stops spending): domain rules, section 7.
@pytest.mark.parametrize(
    ("change", "reason", "buying", "spending"),
    [
        ({"white_label": False}, BlockReason.PLAN_NOT_ELIGIBLE, True, False),
        ({"stripe_status": "RESTRICTED"}, BlockReason.STRIPE_NOT_READY, True, False),
        ({"rebilling_enabled": False}, BlockReason.REBILLING_OFF, True, False),
        ({"wallet_access": False}, BlockReason.WALLET_ACCESS_OFF, True, False),
        ({"suspended": True}, BlockReason.SUB_ACCOUNT_SUSPENDED, True, True),
        ({"unit_sellable": False}, BlockReason.PRICE_UNAVAILABLE, False, False),
        (
            {"unit_sellable": False, "package_sellable": False},
            BlockReason.PRICE_UNAVAILABLE,
            True,
            False,
        ),
        ({"debt": 5}, BlockReason.DEBT, False, True),
    ],
)
def test_each_block_stops_what_it_should(
    change: dict[str, object], reason: BlockReason, *, buying: bool, spending: bool
) -> None:
    (block,) = blocks_of(replace(FREE, **change))  # type: ignore[arg-type]
    assert (block.reason, block.stops_buying, block.stops_spending) == (reason, buying, spending)
    assert block.message


def test_a_missing_unit_price_alone_leaves_packages() -> None:
    assert blocks_of(replace(FREE, package_sellable=False)) == ()


def test_a_purchase_is_refused_by_the_most_basic_reason() -> None:
    closed = replace(FREE, white_label=False, stripe_status="NONE", suspended=True)
    with pytest.raises(PlanNotEligible) as plan:
        require_buyable(closed)
    assert plan.value.plan == "White"
    with pytest.raises(StripeNotReady) as stripe:
        require_buyable(replace(closed, white_label=True))
    assert stripe.value.status == "NONE"
    with pytest.raises(WalletBlocked) as blocked:
        require_buyable(replace(FREE, rebilling_enabled=False, wallet_access=False, suspended=True))
    assert blocked.value.reasons == (
        "REBILLING_OFF",
        "WALLET_ACCESS_OFF",
        "SUB_ACCOUNT_SUSPENDED",
    )


def test_debt_does_not_stop_a_purchase() -> None:
    require_buyable(replace(FREE, debt=5))
