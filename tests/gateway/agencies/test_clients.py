from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from gateway.agencies.clients import SubAccountStatus, sub_account_pages, sub_accounts
from gateway.agencies.configure import Configuration, configure_sub_accounts
from gateway.agencies.manage import create_agency, update_agency
from gateway.agencies.plans import create_plan, plan_page, plans
from gateway.agencies.read import agencies, agency_page
from gateway.agencies.sub_accounts import SubAccountChange, update_sub_account
from gateway.database import rows
from gateway.errors import AlreadyExists, BelowWholesale, InvalidInput, NotFound
from gateway.ids import new_id
from gateway.pages import PageRequest
from gateway.pricing.terms import sub_account_terms
from gateway.wallets.read import pools
from tests.gateway.agencies.office import ADMIN, Office, billing_of, owner_of

pytestmark = pytest.mark.anyio


async def test_an_agency_begins_with_an_empty_pool(office: Office) -> None:
    agency = await office.agency()
    pool = (await pools(office.rt, ADMIN, [agency.id]))[agency.id]
    assert (pool.available, pool.version, pool.sub_account_id, pool.blocks) == (0, 0, None, ())
    assert not pool.purchasable
    assert (agency.currency, agency.rebilling_enabled) == ("USD", False)
    assert agency.wallets_opened_at is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a\x00b"},
        {"currency": "XXX"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": ""},
    ],
)
async def test_agencies_that_cannot_be_meant_are_refused(
    office: Office, wrong: dict[str, Any]
) -> None:
    plan = await create_plan(office.rt, name="Plan", white_label=True)
    right = {"name": "Agency", "plan_id": plan.id, "currency": "USD", "time_zone": "UTC"}
    with pytest.raises(InvalidInput):
        await create_agency(office.rt, **{**right, **wrong})
    with pytest.raises(NotFound):
        await create_agency(office.rt, **{**right, "plan_id": new_id("plan")})
    assert await rows("SELECT 1 FROM agencies UNION ALL SELECT 1 FROM wallets") == []


async def test_names_of_plans_and_agencies_are_unique(office: Office) -> None:
    plan = await create_plan(office.rt, name="Plan", white_label=True)
    with pytest.raises(AlreadyExists):
        await create_plan(office.rt, name=" Plan ", white_label=False)
    first, second = await office.agency(), await office.agency()
    with pytest.raises(AlreadyExists):
        await create_agency(
            office.rt, name=first.name, plan_id=plan.id, currency="USD", time_zone="UTC"
        )
    with pytest.raises(AlreadyExists):
        await update_agency(office.rt, ADMIN, agency_id=second.id, name=first.name)
    kept = (await agencies(office.rt, ADMIN, [second.id]))[second.id]
    assert kept == second


async def test_an_agency_sees_its_own_plan_and_itself_only(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    owner = owner_of(mine.id)
    assert list(await agencies(office.rt, owner, [mine.id, other.id])) == [mine.id]
    assert list(await plans(office.rt, owner, [mine.plan_id, other.plan_id])) == [mine.plan_id]
    assert [agency.id for agency in await agency_page(owner, after=None, limit=9)] == [mine.id]
    newest = await agency_page(ADMIN, after=None, limit=1)
    assert [agency.id for agency in newest] == [other.id]
    rest = await agency_page(ADMIN, after=other.id, limit=9)
    assert [agency.id for agency in rest] == [mine.id]
    assert len(await plan_page(after=None, limit=9)) == 2


async def test_external_ids_are_unique_within_an_agency(office: Office) -> None:
    first, second = await office.agency(), await office.agency()
    client = await office.client(first, external_id="crm-7")
    await office.client(second, external_id="crm-7")
    with pytest.raises(AlreadyExists) as refused:
        await office.client(first, external_id="crm-7")
    assert refused.value.field == ("externalId",)
    sibling = await office.client(first)
    with pytest.raises(AlreadyExists):
        await update_sub_account(
            office.rt,
            owner_of(first.id),
            sub_account_id=sibling.id,
            change=SubAccountChange(external_id="crm-7", name="Changed"),
        )
    kept = await sub_accounts(office.rt, ADMIN, [client.id, sibling.id])
    assert kept == {client.id: client, sibling.id: sibling}


async def test_changing_a_client_twice_is_the_same(office: Office) -> None:
    agency = await office.agency()
    client = await office.client(agency)
    events = len(await office.events(agency))
    for _ in range(2):
        changed = await update_sub_account(
            office.rt,
            owner_of(agency.id),
            sub_account_id=client.id,
            change=SubAccountChange(status=SubAccountStatus.SUSPENDED, wallet_access=False),
        )
    assert (changed.status, changed.wallet_access) == (SubAccountStatus.SUSPENDED, False)
    assert (changed.name, changed.external_id) == (client.name, None)
    assert len(await office.events(agency)) == events + 1


async def test_clients_are_found_by_their_agency_and_by_themselves(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    clients = [await office.client(mine) for _ in range(5)]
    stranger = await office.client(other)
    owner, buyer = owner_of(mine.id), billing_of(clients[0])

    async def page(viewer: Any, agency: str, after: str | None, limit: int) -> list[str]:
        request = PageRequest(agency, None if after is None else (after,), limit)
        found = await sub_account_pages(office.rt, viewer, [request])
        return [client.id for client in found[request]]

    newest_first = [client.id for client in reversed(clients)]
    assert await page(owner, mine.id, None, 3) == newest_first[:3]
    assert await page(owner, mine.id, newest_first[2], 3) == newest_first[3:]
    assert await page(owner, other.id, None, 3) == []
    assert await page(buyer, mine.id, None, 9) == [clients[0].id]
    both = [PageRequest(mine.id, None, 2), PageRequest(other.id, None, 2)]
    found = await sub_account_pages(office.rt, ADMIN, both)
    assert [[client.id for client in found[request]] for request in both] == [
        newest_first[:2],
        [stranger.id],
    ]
    assert await sub_accounts(office.rt, buyer, [clients[1].id, stranger.id, "nonsense"]) == {}


async def test_a_foreign_client_is_as_unknown_as_any(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    stranger = await office.client(other)
    before = await office.snapshot("sub_accounts", "outbox_events")
    messages = set()
    for id in (stranger.id, new_id("sub_account"), "nonsense\x00"):
        with pytest.raises(NotFound) as refused:
            await update_sub_account(
                office.rt,
                owner_of(mine.id),
                sub_account_id=id,
                change=SubAccountChange(name="Mine now"),
            )
        messages.add((refused.value.message, refused.value.field))
    assert len(messages) == 1
    assert await office.snapshot("sub_accounts", "outbox_events") == before


async def configured(office: Office, agency_id: str, items: Any, **more: Any) -> Any:
    return await configure_sub_accounts(
        office.rt, owner_of(agency_id), agency_id=agency_id, items=items, **more
    )


async def test_one_refused_item_stops_no_other(office: Office) -> None:
    agency, other = await office.agency(), await office.agency()
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    good, cheap = await office.client(agency), await office.client(agency)
    stranger = await office.client(other)
    off = SubAccountChange(wallet_access=False)
    items = [
        Configuration(good.id, off, Decimal("0.20")),
        Configuration(cheap.id, off, Decimal("0.12")),
        Configuration(stranger.id, off),
    ]
    done = await configured(office, agency.id, items, dry_run=False)
    assert done[0].sub_account.wallet_access is False
    assert [type(one.refusal) for one in done[1:]] == [BelowWholesale, NotFound]
    kept = await sub_accounts(office.rt, ADMIN, [good.id, cheap.id, stranger.id])
    assert [kept[id].wallet_access for id in (good.id, cheap.id, stranger.id)] == [
        False,
        True,
        True,
    ]
    terms = await sub_account_terms(office.rt, ADMIN, [good.id, cheap.id])
    assert (terms[good.id].retail, terms[cheap.id].retail) == (Decimal("0.20"), Decimal("0.25"))


async def test_an_item_that_cannot_be_meant_stops_no_other(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    torn, good = await office.client(agency), await office.client(agency)
    before = await office.snapshot("retail_prices")
    items = [
        Configuration(torn.id, SubAccountChange(name="New"), Decimal("0.20"), inherit_price=True),
        Configuration(good.id, SubAccountChange(name="New")),
    ]
    done = await configured(office, agency.id, items, dry_run=False)
    assert [type(one.refusal) for one in done] == [InvalidInput, type(None)]
    kept = await sub_accounts(office.rt, ADMIN, [torn.id, good.id])
    assert [kept[id].name for id in (torn.id, good.id)] == [torn.name, "New"]
    assert await office.snapshot("retail_prices") == before


async def test_a_dry_run_judges_the_same_and_changes_nothing(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    good, cheap = await office.client(agency), await office.client(agency)
    items = [
        Configuration(good.id, SubAccountChange(name="New"), Decimal("0.20")),
        Configuration(cheap.id, SubAccountChange(name="New"), Decimal("0.12")),
    ]
    before = await office.snapshot("sub_accounts", "retail_prices", "outbox_events")
    rehearsed = await configured(office, agency.id, items, dry_run=True)
    assert (rehearsed[0].sub_account.name, rehearsed[0].refusal) == ("New", None)
    assert isinstance(rehearsed[1].refusal, BelowWholesale)
    assert await office.snapshot("sub_accounts", "retail_prices", "outbox_events") == before
    real = await configured(office, agency.id, items, dry_run=False)
    assert real[0] == rehearsed[0]
    assert type(real[1].refusal) is type(rehearsed[1].refusal)


async def test_lists_that_cannot_be_meant_are_refused_whole(office: Office) -> None:
    agency = await office.agency()
    client = await office.client(agency)
    item = Configuration(client.id, SubAccountChange(name="New"))
    for items in ([], [item, item], [item] * 101):
        with pytest.raises(InvalidInput):
            await configured(office, agency.id, items, dry_run=False)
    assert (await sub_accounts(office.rt, ADMIN, [client.id]))[client.id] == client


async def test_two_clients_at_once_with_one_external_id(office: Office) -> None:
    agency = await office.agency()
    made = await asyncio.gather(
        *(office.client(agency, external_id="crm-1") for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, AlreadyExists) for one in made) == 3
    assert len(await rows("SELECT 1 FROM sub_accounts")) == 1
