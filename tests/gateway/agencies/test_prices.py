from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.agencies.prices import (
    PriceMode,
    PriceRule,
    price_preview,
    price_rule,
    set_credit_price,
    set_quantity_rules,
)
from gateway.agencies.wholesale import set_wholesale_price
from gateway.database import rows
from gateway.errors import (
    BadUserInput,
    BelowWholesale,
    InvalidInput,
    NotFound,
    PriceUnavailable,
)
from gateway.pricing.floor import QuantityRules
from gateway.pricing.quote import quote_credits
from gateway.pricing.terms import agency_terms, sub_account_terms
from tests.gateway.agencies.office import ADMIN, Office, billing_of, owner_of

pytestmark = pytest.mark.anyio


async def retail(office: Office, agency_id: str) -> Decimal | None:
    return (await agency_terms(office.rt, ADMIN, [agency_id]))[agency_id].retail


async def client_retail(office: Office, client_id: str) -> Decimal | None:
    return (await sub_account_terms(office.rt, ADMIN, [client_id]))[client_id].retail


@pytest.mark.parametrize("price", ["0.12", "0.11", "0.12000"])
async def test_a_price_at_or_under_wholesale_is_refused_and_nothing_changes(
    office: Office, price: str
) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    before = await office.snapshot("retail_prices", "agencies", "outbox_events")
    with pytest.raises(BelowWholesale) as refused:
        await office.price(agency, price)
    assert refused.value.floor == Decimal("0.1201")
    assert refused.value.field == ("pricePerCredit",)
    assert await office.snapshot("retail_prices", "agencies", "outbox_events") == before
    assert await retail(office, agency.id) == Decimal("0.25")


async def test_a_price_above_the_floor_is_kept_as_a_version(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    await office.price(agency, "0.1201")
    found = await rows("SELECT version, mode, price, floor, actor FROM retail_prices ORDER BY 1")
    assert [tuple(entry.values()) for entry in found] == [
        (1, "FIXED", Decimal("0.250000"), Decimal("0.120100"), "owner-1"),
        (2, "FIXED", Decimal("0.120100"), Decimal("0.120100"), "owner-1"),
    ]
    assert await retail(office, agency.id) == Decimal("0.1201")


async def test_a_client_can_have_a_price_of_its_own_and_lose_it_again(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    first, second = await office.client(agency), await office.client(agency)
    await office.price(agency, "0.20", first)
    assert await client_retail(office, first.id) == Decimal("0.20")
    assert await client_retail(office, second.id) == Decimal("0.25")
    await set_credit_price(
        office.rt,
        owner_of(agency.id),
        agency_id=agency.id,
        sub_account_id=first.id,
        rule=price_rule(price=None, inherit=True),
    )
    await office.price(agency, "0.30")
    assert await client_retail(office, first.id) == Decimal("0.30")


async def test_a_clients_own_price_is_held_to_the_floor_too(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    client = await office.client(agency)
    with pytest.raises(BelowWholesale):
        await office.price(agency, "0.12", client)
    assert await client_retail(office, client.id) is None


async def test_a_rise_of_wholesale_stops_the_sale_and_raises_nothing(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    office.clock.advance(seconds=1)
    await office.wholesale("0.25")
    terms = (await agency_terms(office.rt, ADMIN, [agency.id]))[agency.id]
    assert (terms.retail, terms.wholesale) == (Decimal("0.25"), Decimal("0.25"))
    with pytest.raises(PriceUnavailable):
        quote_credits(terms, 100)


async def test_cost_plus_follows_wholesale(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    await set_credit_price(
        office.rt,
        owner_of(agency.id),
        agency_id=agency.id,
        sub_account_id=None,
        rule=PriceRule(PriceMode.COST_PLUS, markup=Decimal("0.13")),
    )
    assert await retail(office, agency.id) == Decimal("0.25")
    office.clock.advance(seconds=1)
    await office.wholesale("0.20")
    terms = (await agency_terms(office.rt, ADMIN, [agency.id]))[agency.id]
    assert quote_credits(terms, 100).net_minor == 3300


async def test_a_markup_under_the_minimum_margin_is_refused(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    for markup in ("0", "0.00009", "-0.01"):
        with pytest.raises((BelowWholesale, InvalidInput)) as refused:
            await set_credit_price(
                office.rt,
                owner_of(agency.id),
                agency_id=agency.id,
                sub_account_id=None,
                rule=PriceRule(PriceMode.COST_PLUS, markup=Decimal(markup)),
            )
        assert refused.value.field == ("markup",)
    assert await rows("SELECT 1 FROM retail_prices") == []


async def test_a_wholesale_price_counts_from_its_instant_on(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    later = office.clock() + timedelta(days=1)
    await set_wholesale_price(
        office.rt,
        ADMIN,
        currency="USD",
        agency_id=None,
        price=Decimal("0.15"),
        effective_at=later,
    )

    async def now() -> Decimal | None:
        return (await agency_terms(office.rt, ADMIN, [agency.id]))[agency.id].wholesale

    assert await now() == Decimal("0.12")
    office.clock.advance(days=1, seconds=1)
    assert await now() == Decimal("0.15")


async def test_an_agencys_own_wholesale_price_goes_before_the_default(office: Office) -> None:
    first, second = await office.agency(), await office.agency()
    await office.wholesale("0.12")
    await set_wholesale_price(
        office.rt,
        ADMIN,
        currency=None,
        agency_id=first.id,
        price=Decimal("0.10"),
        effective_at=None,
    )
    office.clock.advance(seconds=1)
    await office.wholesale("0.14")
    terms = await agency_terms(office.rt, ADMIN, [first.id, second.id])
    assert terms[first.id].wholesale == Decimal("0.10")
    assert terms[second.id].wholesale == Decimal("0.14")
    assert await office.events(first) == ["BLOCKS_UPDATED"] * 2
    assert await office.events(second) == ["BLOCKS_UPDATED"] * 2


async def test_wholesale_prices_that_cannot_be_meant_are_refused(office: Office) -> None:
    agency = await office.agency()
    past = office.clock() - timedelta(seconds=1)
    wrong: list[dict[str, object]] = [
        {"currency": None, "agency_id": None},
        {"currency": "USD", "agency_id": agency.id},
        {"currency": "XXX"},
        {"price": Decimal("-1")},
        {"price": Decimal("0.0000001")},
        {"effective_at": past},
    ]
    right: dict[str, Any] = {
        "currency": "USD",
        "agency_id": None,
        "price": Decimal(1),
        "effective_at": None,
    }
    for change in wrong:
        with pytest.raises(InvalidInput):
            await set_wholesale_price(office.rt, ADMIN, **{**right, **change})
    assert await rows("SELECT 1 FROM wholesale_prices") == []


async def test_without_a_wholesale_price_none_can_be_set(office: Office) -> None:
    agency = await office.agency()
    with pytest.raises(PriceUnavailable):
        await office.price(agency, "0.25")
    assert await rows("SELECT 1 FROM retail_prices") == []


async def test_another_agencys_price_and_client_are_unknown(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    await office.wholesale("0.12")
    stranger = await office.client(other)
    rule = price_rule(price=Decimal("0.25"))
    with pytest.raises(NotFound) as foreign:
        await set_credit_price(
            office.rt, owner_of(mine.id), agency_id=other.id, sub_account_id=None, rule=rule
        )
    with pytest.raises(NotFound) as unknown:
        await set_credit_price(
            office.rt, owner_of(mine.id), agency_id="agy_nobody", sub_account_id=None, rule=rule
        )
    assert foreign.value.message == unknown.value.message
    with pytest.raises(NotFound) as client:
        await set_credit_price(
            office.rt, owner_of(mine.id), agency_id=mine.id, sub_account_id=stranger.id, rule=rule
        )
    assert client.value.field == ("subAccountId",)
    assert await rows("SELECT 1 FROM retail_prices") == []
    assert await agency_terms(office.rt, owner_of(mine.id), [other.id]) == {}
    assert await sub_account_terms(office.rt, billing_of(stranger), [stranger.id]) != {}
    sibling = await office.client(other)
    assert await sub_account_terms(office.rt, billing_of(sibling), [stranger.id]) == {}


async def test_exactly_one_way_to_price(office: Office) -> None:
    one = Decimal(1)
    for wrong in ({"price": None}, {"price": one, "markup": one}, {"price": one, "inherit": True}):
        with pytest.raises(InvalidInput):
            price_rule(**wrong)
    agency = await office.agency()
    with pytest.raises(InvalidInput):
        await set_credit_price(
            office.rt,
            owner_of(agency.id),
            agency_id=agency.id,
            sub_account_id=None,
            rule=PriceRule(PriceMode.INHERIT),
        )


async def test_quantity_rules(office: Office) -> None:
    agency = await office.agency()
    changed = await set_quantity_rules(
        office.rt, owner_of(agency.id), agency_id=agency.id, minimum=50, maximum=5000, step=50
    )
    assert changed.quantity == QuantityRules(minimum=50, maximum=5000, step=50)
    for wrong in ((0, 10, 1), (10, 9, 1), (1, 2**53, 1), (1, 10, 0)):
        with pytest.raises(InvalidInput):
            await set_quantity_rules(
                office.rt,
                owner_of(agency.id),
                agency_id=agency.id,
                minimum=wrong[0],
                maximum=wrong[1],
                step=wrong[2],
            )
    terms = (await agency_terms(office.rt, ADMIN, [agency.id]))[agency.id]
    assert terms.quantity == QuantityRules(minimum=50, maximum=5000, step=50)


async def test_a_preview_of_the_own_agency_only(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    await office.wholesale("0.12")
    ask: dict[str, Any] = {"price": Decimal("0.25"), "credits": 100, "bonus_credits": 0}
    seen = await price_preview(office.rt, owner_of(mine.id), agency_id=None, **ask)
    assert (seen.margin_minor, seen.margin_after_fee_minor) == (1300, 1197)
    for viewer, agency_id in ((owner_of(mine.id), other.id), (ADMIN, None)):
        with pytest.raises(BadUserInput):
            await price_preview(office.rt, viewer, agency_id=agency_id, **ask)
