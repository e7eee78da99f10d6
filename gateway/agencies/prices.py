"""The agency's own prices and quantities. Every price is held to the floor when it is set."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.agencies.read import COLUMNS, Agency, agency_from_row, lock_agency
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, rows, transaction
from gateway.errors import BadUserInput, InvalidInput, NotFound
from gateway.ids import is_id, new_id
from gateway.money import MAX_CREDITS, is_unit_price
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.pricing.floor import Terms, require_unit_price, required_floor
from gateway.pricing.preview import Preview, StripeFeeEstimate, preview
from gateway.pricing.terms import agency_terms
from gateway.runtime import Runtime

_INSERT: Final = """
    INSERT INTO retail_prices
        (id, agency_id, sub_account_id, version, mode, price, markup, floor, actor, created_at)
    VALUES ($1, $2::text, $3::text, (
        SELECT coalesce(max(version), 0) + 1 FROM retail_prices
        WHERE agency_id = $2::text AND coalesce(sub_account_id, '') = coalesce($3::text, '')
    ), $4, $5, $6, $7, $8, $9)
"""


class PriceMode(StrEnum):
    """How a price follows: not at all, wholesale plus a markup, or the agency's own price."""

    FIXED = "FIXED"
    COST_PLUS = "COST_PLUS"
    INHERIT = "INHERIT"


class PriceRule(NamedTuple):
    """FIXED has `price`, COST_PLUS has `markup`; both per credit in major units."""

    mode: PriceMode
    price: Decimal | None = None
    markup: Decimal | None = None


def price_rule(
    *, price: Decimal | None, markup: Decimal | None = None, inherit: bool = False
) -> PriceRule:
    """The rule that a client named by exactly one of the three. Raises InvalidInput otherwise."""
    rule = optional_price_rule(price=price, markup=markup, inherit=inherit)
    if rule is None:
        raise InvalidInput("Give one of pricePerCredit, markup and inherit.")
    return rule


def optional_price_rule(
    *, price: Decimal | None, markup: Decimal | None = None, inherit: bool = False
) -> PriceRule | None:
    """The same where none of the three means that the price stays."""
    if (price is not None) + (markup is not None) + inherit > 1:
        raise InvalidInput("Give only one way to price: a price, a markup, or none of its own.")
    if price is not None:
        return PriceRule(PriceMode.FIXED, price=price)
    if markup is not None:
        return PriceRule(PriceMode.COST_PLUS, markup=markup)
    return PriceRule(PriceMode.INHERIT) if inherit else None


async def set_credit_price(
    rt: Runtime, viewer: Viewer, *, agency_id: str, sub_account_id: str | None, rule: PriceRule
) -> Agency:
    """Set what a credit costs the agency's clients, or one of them (an override; INHERIT takes
    it back). Purchases that have begun keep their price.

    Raises NotFound, BelowWholesale with the floor, PriceUnavailable (no wholesale price yet),
    InvalidInput."""
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        await store_credit_price(
            rt, viewer, connection, agency_id=agency.id, sub_account_id=sub_account_id, rule=rule
        )
    return agency


async def store_credit_price(
    rt: Runtime,
    viewer: Viewer,
    connection: Connection,
    *,
    agency_id: str,
    sub_account_id: str | None,
    rule: PriceRule,
) -> None:
    """`set_credit_price` inside an open transaction that holds the agency's lock."""
    if sub_account_id is not None:
        await _require_client(connection, agency_id, sub_account_id)
    elif rule.mode is PriceMode.INHERIT:
        raise InvalidInput("Only a client's price can follow the agency's.", field=("inherit",))
    terms = (await agency_terms(rt, viewer, [agency_id], on=connection))[agency_id]
    now = rt.clock()
    await rows(
        _INSERT,
        new_id("price"),
        agency_id,
        sub_account_id,
        rule.mode.value,
        rule.price,
        rule.markup,
        _required_floor(terms, rule),
        viewer.subject,
        now,
        on=connection,
    )
    payload = {} if sub_account_id is None else {"subAccountId": sub_account_id}
    await record_agency_event(
        connection, agency_id=agency_id, kind=ActivityKind.BLOCKS_UPDATED, payload=payload, now=now
    )


async def set_quantity_rules(
    rt: Runtime, viewer: Viewer, *, agency_id: str, minimum: int, maximum: int, step: int
) -> Agency:
    """Which quantities clients may buy freely: minimum + n × step credits, at most maximum.

    Raises NotFound, InvalidInput."""
    if not 1 <= minimum <= maximum <= MAX_CREDITS:
        raise InvalidInput("Choose 1 ≤ min ≤ max.", field=("min",))
    if not 1 <= step <= MAX_CREDITS:
        raise InvalidInput("The step is 1 credit or more.", field=("step",))
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        found = await row(
            "UPDATE agencies SET quantity_min = $2, quantity_max = $3, quantity_step = $4 "
            f"WHERE id = $1 RETURNING {COLUMNS}",
            agency.id,
            minimum,
            maximum,
            step,
            on=connection,
        )
        await record_agency_event(
            connection,
            agency_id=agency.id,
            kind=ActivityKind.BLOCKS_UPDATED,
            payload={},
            now=rt.clock(),
        )
    assert found is not None
    return agency_from_row(found)


async def price_preview(
    rt: Runtime,
    viewer: Viewer,
    *,
    agency_id: str | None,
    price: Decimal,
    credits: int,
    bonus_credits: int,
) -> Preview:
    """What a sale at `price` (major units per paid credit) would leave. Changes nothing.

    agency_id: None for the viewer's own agency. Raises BadUserInput."""
    wanted = agency_id or viewer.agency_id
    if wanted is None:
        raise BadUserInput("Give agencyId: you are not bound to one agency.")
    terms = (await agency_terms(rt, viewer, [wanted])).get(wanted)
    if terms is None:
        raise BadUserInput("No agency with this id is visible to you.")
    fee = StripeFeeEstimate(rt.settings.stripe_fee_percent, rt.settings.stripe_fee_fixed_minor)
    return preview(terms, price=price, credits=credits, bonus_credits=bonus_credits, fee=fee)


def _required_floor(terms: Terms, rule: PriceRule) -> Decimal:
    if rule.mode is PriceMode.INHERIT:
        return terms.floor or Decimal(0)
    if rule.mode is PriceMode.FIXED:
        assert rule.price is not None
        return require_unit_price(terms, rule.price, field=("pricePerCredit",))
    assert rule.markup is not None
    floor = required_floor(terms)
    assert terms.wholesale is not None
    if not is_unit_price(rule.markup):
        raise InvalidInput("Give at most 6 decimal places, not negative.", field=("markup",))
    require_unit_price(terms, terms.wholesale + rule.markup, field=("markup",))
    return floor


async def _require_client(connection: Connection, agency_id: str, sub_account_id: str) -> None:
    """The agency was checked against the viewer, so its own client is the viewer's too."""
    if is_id(sub_account_id, "sub_account") and await rows(
        "SELECT 1 FROM sub_accounts WHERE agency_id = $1 AND id = $2",
        agency_id,
        sub_account_id,
        on=connection,
    ):
        return
    raise NotFound("sub-account", field=("subAccountId",))
