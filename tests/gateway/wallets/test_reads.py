from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.agencies.clients import SubAccount, SubAccountStatus
from gateway.agencies.packages import create_credit_package
from gateway.agencies.read import Agency
from gateway.agencies.rebilling import enable_rebilling
from gateway.agencies.sub_accounts import SubAccountChange, update_sub_account
from gateway.auth.viewer import Viewer
from gateway.errors import BadUserInput
from gateway.ledger.commands import Adjust, FundPool, Grant, GrantSource, Spend
from gateway.ledger.state import LotKind
from gateway.pages import PageRequest
from gateway.wallets.blocks import BlockReason
from gateway.wallets.lots import lots, next_expiries, open_lot_pages
from gateway.wallets.read import Wallet, pools, standing_of, wallets
from gateway.wallets.transactions import (
    agency_transaction_pages,
    allocations_of,
    transaction_pages,
    transactions,
)
from tests.gateway.agencies.office import ADMIN, Office, billing_of, owner_of, package_terms

pytestmark = pytest.mark.anyio


@pytest.fixture
async def agency(office: Office) -> Agency:
    """An agency that sells at 0.25 over 0.12."""
    agency = await office.agency()
    await office.wholesale("0.12")
    await office.connected(agency)
    await office.price(agency, "0.25")
    return await enable_rebilling(office.rt, owner_of(agency.id), agency_id=agency.id)


async def opened(office: Office, agency: Agency) -> tuple[SubAccount, Wallet]:
    client = await office.client(agency)
    wallet = await office.wallet(client)
    assert wallet is not None
    return client, wallet


async def grant(
    office: Office, wallet: Wallet, credits: int, expires_at: datetime | None = None
) -> None:
    await office.rt.book.post(
        Grant(
            agency_id=wallet.agency_id,
            wallet_id=wallet.id,
            actor="owner-1",
            credits=credits,
            source=GrantSource.PROMO,
            reason="Welcome",
            expires_at=expires_at,
        )
    )


async def spend(office: Office, wallet: Wallet, credits: int, reference: str = "search") -> None:
    await office.rt.book.post(
        Spend(
            agency_id=wallet.agency_id,
            wallet_id=wallet.id,
            actor="service-1",
            credits=credits,
            reference=reference,
        )
    )


async def read(office: Office, wallet: Wallet, viewer: Viewer = ADMIN) -> Wallet:
    return (await wallets(office.rt, viewer, [wallet.id]))[wallet.id]


async def test_a_wallet_in_order_has_no_blocks(office: Office, agency: Agency) -> None:
    client, wallet = await opened(office, agency)
    seen = await read(office, wallet, billing_of(client))
    assert (seen.available, seen.held, seen.pending, seen.frozen, seen.debt) == (0, 0, 0, 0, 0)
    assert (seen.blocks, seen.purchasable) == ((), True)
    assert seen == wallet


async def test_expired_credits_never_count_although_nothing_was_swept(
    office: Office, agency: Agency
) -> None:
    _, wallet = await opened(office, agency)
    soon, later = office.clock() + timedelta(days=1), office.clock() + timedelta(days=2)
    await grant(office, wallet, 30, soon)
    await grant(office, wallet, 20, soon)
    await grant(office, wallet, 7, later)
    await grant(office, wallet, 3)
    next_one = (await next_expiries(office.rt, ADMIN, [wallet.id]))[wallet.id]
    assert (next_one.credits, next_one.at) == (50, soon)
    office.clock.advance(days=1, seconds=1)
    seen = await read(office, wallet)
    assert (seen.available, seen.version) == (10, 4)
    next_one = (await next_expiries(office.rt, ADMIN, [wallet.id]))[wallet.id]
    assert (next_one.credits, next_one.at) == (7, later)
    office.clock.advance(days=1)
    assert await next_expiries(office.rt, ADMIN, [wallet.id]) == {}
    request = PageRequest(wallet.id, None, 9)
    open_lots = (await open_lot_pages(office.rt, ADMIN, [request]))[request]
    assert [(lot.kind, lot.available) for lot in open_lots] == [(LotKind.PROMO, 3)]


async def test_processing_purchases_are_pending(office: Office, agency: Agency) -> None:
    client, wallet = await opened(office, agency)
    await office.add_purchase(client, wallet, status="PROCESSING", credits=100, bonus=10)
    await office.add_purchase(client, wallet, status="PENDING", credits=1000, bonus=0)
    assert (await read(office, wallet)).pending == 110


async def test_what_the_agency_changes_shows_as_blocks(office: Office, agency: Agency) -> None:
    client, wallet = await opened(office, agency)
    owner = owner_of(agency.id)

    async def reasons() -> list[str]:
        return [block.reason.value for block in (await read(office, wallet)).blocks]

    await update_sub_account(
        office.rt,
        owner,
        sub_account_id=client.id,
        change=SubAccountChange(wallet_access=False, status=SubAccountStatus.SUSPENDED),
    )
    assert await reasons() == ["WALLET_ACCESS_OFF", "SUB_ACCOUNT_SUSPENDED"]
    sibling, other_wallet = await opened(office, agency)
    assert (await read(office, other_wallet)).blocks == ()
    standing = await standing_of(office.rt, billing_of(client), wallet.id)
    assert standing is not None
    assert (standing.suspended, standing.wallet_access) == (True, False)
    assert await standing_of(office.rt, billing_of(sibling), wallet.id) is None


async def test_a_risen_floor_blocks_the_items_under_it(office: Office, agency: Agency) -> None:
    _, wallet = await opened(office, agency)
    owner = owner_of(agency.id)
    await create_credit_package(
        office.rt,
        owner,
        agency_id=agency.id,
        terms=package_terms("400.00", credits=1000, bonus=0),
    )
    office.clock.advance(seconds=1)
    await office.wholesale("0.30")
    seen = await read(office, wallet)
    assert [(one.reason, one.stops_buying) for one in seen.blocks] == [
        (BlockReason.PRICE_UNAVAILABLE, False)
    ]
    assert seen.purchasable
    office.clock.advance(seconds=1)
    await office.wholesale("0.40")
    seen = await read(office, wallet)
    assert [(one.reason, one.stops_buying) for one in seen.blocks] == [
        (BlockReason.PRICE_UNAVAILABLE, True)
    ]
    assert not seen.purchasable


async def test_a_clients_own_price_decides_its_block(office: Office, agency: Agency) -> None:
    client, wallet = await opened(office, agency)
    _, other_wallet = await opened(office, agency)
    await office.price(agency, "0.20", client)
    office.clock.advance(seconds=1)
    await office.wholesale("0.21")
    assert not (await read(office, wallet)).purchasable
    assert (await read(office, other_wallet)).purchasable


async def test_transactions_are_pages_newest_first(office: Office, agency: Agency) -> None:
    _, wallet = await opened(office, agency)
    await grant(office, wallet, 100)
    for number in range(4):
        await spend(office, wallet, 10, f"search {number}")

    async def page(after: int | None, limit: int) -> list[tuple[int, int, int, str]]:
        request = PageRequest(wallet.id, None if after is None else (str(after),), limit)
        found = (await transaction_pages(office.rt, ADMIN, [request]))[request]
        return [(one.version, one.credits, one.available_after, one.description) for one in found]

    assert await page(None, 2) == [
        (5, -10, 60, "Used 10 credits: search 3"),
        (4, -10, 70, "Used 10 credits: search 2"),
    ]
    assert await page(4, 9) == [
        (3, -10, 80, "Used 10 credits: search 1"),
        (2, -10, 90, "Used 10 credits: search 0"),
        (1, 100, 100, "Received 100 credits: Welcome"),
    ]
    with pytest.raises(BadUserInput):
        await transaction_pages(office.rt, ADMIN, [PageRequest(wallet.id, ("soon",), 2)])


async def test_pages_of_many_wallets_are_one_read(office: Office, agency: Agency) -> None:
    pairs = [await opened(office, agency) for _ in range(3)]
    for number, (_, wallet) in enumerate(pairs):
        await grant(office, wallet, 10 + number)
    requests = [PageRequest(wallet.id, None, 5) for _, wallet in pairs]
    found = await transaction_pages(office.rt, owner_of(agency.id), requests)
    assert [[one.credits for one in found[request]] for request in requests] == [[10], [11], [12]]


async def test_an_agency_sees_the_changes_of_all_its_wallets(
    office: Office, agency: Agency
) -> None:
    client, wallet = await opened(office, agency)
    sibling, other_wallet = await opened(office, agency)
    pool = (await pools(office.rt, ADMIN, [agency.id]))[agency.id]
    await office.rt.book.post(
        FundPool(
            agency_id=agency.id, wallet_id=pool.id, actor="admin-1", credits=500, reason="Start"
        )
    )
    await grant(office, wallet, 10)
    await grant(office, other_wallet, 20)

    async def page(viewer: Viewer, after: tuple[str, ...] | None = None) -> list[Any]:
        request = PageRequest(agency.id, after, 2)
        return (await agency_transaction_pages(office.rt, viewer, [request]))[request]

    first = await page(owner_of(agency.id))
    assert [one.credits for one in first] == [20, 10]
    last = first[-1]
    rest = await page(owner_of(agency.id), (last.id,))
    assert [(one.credits, one.wallet_id) for one in rest] == [(500, pool.id)]
    assert [one.credits for one in await page(billing_of(client))] == [10]
    assert [one.credits for one in await page(billing_of(sibling))] == [20]


async def test_allocations_name_the_lots(office: Office, agency: Agency) -> None:
    client, wallet = await opened(office, agency)
    await grant(office, wallet, 30, office.clock() + timedelta(days=1))
    await grant(office, wallet, 20)
    await spend(office, wallet, 40)
    request = PageRequest(wallet.id, None, 1)
    (spent,) = (await transaction_pages(office.rt, ADMIN, [request]))[request]
    buyer = billing_of(client)
    taken = (await allocations_of(office.rt, buyer, [spent.id]))[spent.id]
    assert [(one.credits, one.from_account, one.to_account) for one in taken] == [
        (30, "available", "consumed"),
        (10, "available", "consumed"),
    ]
    found = await lots(office.rt, buyer, [one.lot_id for one in taken])
    assert [found[one.lot_id].available for one in taken] == [0, 10]
    assert found[taken[0].lot_id].retail_unit is None


async def test_open_lots_are_pages_oldest_first(office: Office, agency: Agency) -> None:
    _, wallet = await opened(office, agency)
    for credits in (1, 2, 3):
        await grant(office, wallet, credits)
    await office.rt.book.post(
        Adjust(
            agency_id=agency.id, wallet_id=wallet.id, actor="admin-1", credits=4, reason="Goodwill"
        )
    )

    async def page(after: tuple[str, ...] | None) -> list[Any]:
        request = PageRequest(wallet.id, after, 3)
        return (await open_lot_pages(office.rt, ADMIN, [request]))[request]

    first = await page(None)
    assert [lot.credits for lot in first] == [1, 2, 3]
    rest = await page((first[-1].id,))
    assert [(lot.credits, lot.kind) for lot in rest] == [(4, LotKind.ADJUSTMENT)]


async def test_nobody_reads_another_tenants_wallet(office: Office, agency: Agency) -> None:
    client, wallet = await opened(office, agency)
    sibling, _ = await opened(office, agency)
    stranger = owner_of((await office.agency()).id)
    await grant(office, wallet, 10, office.clock() + timedelta(days=1))
    request = PageRequest(wallet.id, None, 9)
    (granted,) = (await transaction_pages(office.rt, ADMIN, [request]))[request]
    (lot,) = (await open_lot_pages(office.rt, ADMIN, [request]))[request]
    pool = (await pools(office.rt, ADMIN, [agency.id]))[agency.id]
    for viewer in (billing_of(sibling), stranger):
        assert await wallets(office.rt, viewer, [wallet.id, pool.id, "nonsense\x00"]) == {}
        assert (await transaction_pages(office.rt, viewer, [request]))[request] == []
        assert (await open_lot_pages(office.rt, viewer, [request]))[request] == []
        assert await transactions(office.rt, viewer, [granted.id]) == {}
        assert await lots(office.rt, viewer, [lot.id]) == {}
        assert (await allocations_of(office.rt, viewer, [granted.id]))[granted.id] == []
        assert await next_expiries(office.rt, viewer, [wallet.id]) == {}
        assert await pools(office.rt, viewer, [agency.id]) == {}
    buyer = billing_of(client)
    assert list(await wallets(office.rt, buyer, [wallet.id, pool.id])) == [wallet.id]
    assert list(await transactions(office.rt, buyer, [granted.id])) == [granted.id]
