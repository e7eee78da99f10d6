from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.agencies.packages import (
    PackageChange,
    archive_credit_package,
    create_credit_package,
    update_credit_package,
)
from gateway.agencies.read import Agency
from gateway.database import rows
from gateway.errors import BelowChargeMinimum, BelowWholesale, InvalidInput, NotFound
from gateway.pricing.packages import CreditPackage, Visibility, packages, packages_of_agencies
from gateway.pricing.terms import agency_terms
from tests.gateway.agencies.office import (
    ADMIN,
    Office,
    billing_of,
    owner_of,
    package_terms,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def agency(office: Office) -> Agency:
    await office.wholesale("0.12")
    return await office.agency()


async def offer(office: Office, agency: Agency, price: str, **more: Any) -> CreditPackage:
    return await create_credit_package(
        office.rt, owner_of(agency.id), agency_id=agency.id, terms=package_terms(price, **more)
    )


async def test_the_bonus_counts_against_the_floor(office: Office, agency: Agency) -> None:
    with pytest.raises(BelowWholesale) as refused:
        await offer(office, agency, "130.00")
    assert refused.value.offered == Decimal("0.113043")
    assert refused.value.floor == Decimal("0.1201")
    assert refused.value.field == ("price",)
    assert await rows("SELECT 1 FROM credit_packages") == []
    package = await offer(office, agency, "150.00")
    terms = (await agency_terms(office.rt, ADMIN, [agency.id]))[agency.id]
    assert (package.price_minor, package.margin_minor(terms)) == (15000, 1200)
    assert package.price_per_credit == Decimal("0.130435")


@pytest.mark.parametrize(
    "wrong",
    [
        {"credits": 0},
        {"bonus": -1},
        {"price": "0"},
        {"price": "-5"},
        {"price": "150.001"},
        {"price": "1000000"},
        {"validity_days": 0},
        {"validity_days": 3651},
        {"position": -1},
        {"name": " "},
        {"name": "a\x00b"},
        {"name": "x" * 201},
        {"credits": 2**53},
    ],
)
async def test_packages_that_cannot_be_meant_are_refused(
    office: Office, agency: Agency, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        await offer(office, agency, **{"price": "150.00", **wrong})
    assert await rows("SELECT 1 FROM credit_packages") == []


async def test_a_package_under_the_card_minimum_is_refused(office: Office, agency: Agency) -> None:
    with pytest.raises(BelowChargeMinimum):
        await offer(office, agency, "0.49", credits=1, bonus=0)


async def test_a_package_changes_and_stays_above_the_floor(office: Office, agency: Agency) -> None:
    package = await offer(office, agency, "150.00", validity_days=30)
    owner = owner_of(agency.id)

    async def change(**what: Any) -> CreditPackage:
        wish = PackageChange(**what)
        return await update_credit_package(office.rt, owner, package_id=package.id, change=wish)

    before = await office.snapshot("credit_packages")
    for what in ({"price": Decimal(130)}, {"bonus_credits": 400}, {"credits": 1200}):
        with pytest.raises(BelowWholesale):
            await change(**what)
    assert await office.snapshot("credit_packages") == before
    renamed = await change(name="Huge", position=3)
    assert (renamed.name, renamed.position, renamed.validity_days) == ("Huge", 3, 30)
    assert (await change(validity_days=None, keep_validity=False)).validity_days is None
    assert (await change(price=Decimal("160.00"))).price_minor == 16000


async def test_a_package_under_a_risen_floor_can_be_renamed_but_not_sold(
    office: Office, agency: Agency
) -> None:
    package = await offer(office, agency, "150.00")
    office.clock.advance(seconds=1)
    await office.wholesale("0.14")
    terms = (await agency_terms(office.rt, ADMIN, [agency.id]))[agency.id]
    assert not package.is_sellable(terms)
    owner = owner_of(agency.id)
    renamed = await update_credit_package(
        office.rt, owner, package_id=package.id, change=PackageChange(name="Old")
    )
    assert (renamed.name, renamed.price_minor) == ("Old", 15000)
    with pytest.raises(BelowWholesale):
        await update_credit_package(
            office.rt, owner, package_id=package.id, change=PackageChange(price=Decimal(151))
        )


async def test_archiving_again_is_the_same(office: Office, agency: Agency) -> None:
    package = await offer(office, agency, "150.00")
    owner = owner_of(agency.id)
    first = await archive_credit_package(office.rt, owner, package_id=package.id)
    office.clock.advance(hours=1)
    again = await archive_credit_package(office.rt, owner, package_id=package.id)
    assert first.archived_at is not None
    assert again.archived_at == first.archived_at
    assert (await packages_of_agencies(office.rt, owner, [agency.id]))[agency.id] == []
    assert not first.on_sale


async def test_clients_see_public_packages_in_order(office: Office, agency: Agency) -> None:
    last = await offer(office, agency, "150.00", position=2)
    hidden = await offer(office, agency, "150.00", visibility=Visibility.HIDDEN)
    first = await offer(office, agency, "150.00", position=1)
    client = billing_of(await office.client(agency))
    seen = (await packages_of_agencies(office.rt, client, [agency.id]))[agency.id]
    assert [package.id for package in seen] == [first.id, last.id]
    assert await packages(office.rt, client, [hidden.id]) == {}
    owned = (await packages_of_agencies(office.rt, owner_of(agency.id), [agency.id]))[agency.id]
    assert [package.id for package in owned] == [hidden.id, first.id, last.id]


async def test_another_agencys_package_is_unknown(office: Office, agency: Agency) -> None:
    package = await offer(office, agency, "150.00")
    stranger = owner_of((await office.agency()).id)
    before = await office.snapshot("credit_packages")
    with pytest.raises(NotFound):
        await archive_credit_package(office.rt, stranger, package_id=package.id)
    with pytest.raises(NotFound):
        await update_credit_package(
            office.rt, stranger, package_id=package.id, change=PackageChange(name="Mine")
        )
    with pytest.raises(NotFound):
        await create_credit_package(
            office.rt, stranger, agency_id=agency.id, terms=package_terms("150.00")
        )
    assert await packages(office.rt, stranger, [package.id]) == {}
    assert await office.snapshot("credit_packages") == before


async def test_the_price_of_a_package_is_in_the_agencys_currency(office: Office) -> None:
    await office.wholesale("12", currency="JPY")
    agency = await office.agency(currency="JPY")
    with pytest.raises(InvalidInput):
        await offer(office, agency, "30000.50")
    package = await offer(office, agency, "30000", credits=1000, bonus=0)
    assert (package.price_minor, package.currency) == (30000, "JPY")
