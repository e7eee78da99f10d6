"""A client reads its own part of the agency's lists: never more, and never through the others'."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from gateway.agencies.clients import SubAccount
from gateway.agencies.rebilling import enable_rebilling
from gateway.auth.viewer import Viewer
from gateway.database import row, rows
from gateway.ids import new_id
from gateway.ledger.commands import Grant, GrantSource
from gateway.pages import PageRequest
from gateway.purchases.read import PurchaseFilter, purchases_of_agency, sort_keys
from gateway.wallets.read import Wallet
from gateway.wallets.transactions import Transaction, agency_transaction_pages
from tests.gateway.agencies.office import ADMIN, Office, billing_of, owner_of

pytestmark = pytest.mark.anyio

OTHERS = 400
"""Rows of the sibling, all younger than the client's own three."""


@pytest.fixture
async def clients(office: Office) -> tuple[SubAccount, SubAccount]:
    """A quiet client and its busy sibling."""
    agency = await office.agency()
    await office.wholesale("0.12")
    await office.connected(agency)
    await office.price(agency, "0.25")
    await enable_rebilling(office.rt, owner_of(agency.id), agency_id=agency.id)
    return await office.client(agency), await office.client(agency)


async def wallet_of(office: Office, client: SubAccount) -> Wallet:
    wallet = await office.wallet(client)
    assert wallet is not None
    return wallet


async def grant(office: Office, wallet: Wallet, credits: int) -> None:
    await office.rt.book.post(
        Grant(
            agency_id=wallet.agency_id,
            wallet_id=wallet.id,
            actor="owner-1",
            credits=credits,
            source=GrantSource.PROMO,
            reason="Welcome",
            expires_at=None,
        )
    )


async def page(
    office: Office, viewer: Viewer, agency_id: str, after: str | None, limit: int
) -> list[Transaction]:
    request = PageRequest(agency_id, None if after is None else (after,), limit)
    return (await agency_transaction_pages(office.rt, viewer, [request]))[request]


async def read_rows(table: str, reading: Awaitable[Any]) -> int:
    """How many rows of `table` the database looked at for `reading`."""
    before = await _looked_at(table)
    await reading
    return await _looked_at(table) - before


async def _looked_at(table: str) -> int:
    # Statements that follow each other use the same connection, whose counts this publishes.
    await rows("SELECT pg_stat_force_next_flush()::text")
    await rows("SELECT pg_stat_clear_snapshot()::text")
    sql = "SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read AS n FROM pg_stat_user_tables "
    found = await row(f"{sql} WHERE relname = $1", table)
    assert found is not None
    return int(found["n"])


async def test_a_client_turns_the_pages_of_its_own_changes(
    office: Office, clients: tuple[SubAccount, SubAccount]
) -> None:
    own, sibling = clients
    wallet, other = await wallet_of(office, own), await wallet_of(office, sibling)
    for credits in (1, 2, 3, 4, 5):
        await grant(office, wallet, credits)
        await grant(office, other, 100)
    buyer, agency_id = billing_of(own), own.agency_id
    first = await page(office, buyer, agency_id, None, 2)
    assert [(one.credits, one.wallet_id) for one in first] == [(5, wallet.id), (4, wallet.id)]
    rest = await page(office, buyer, agency_id, first[-1].id, 9)
    assert [(one.credits, one.wallet_id) for one in rest] == [
        (3, wallet.id),
        (2, wallet.id),
        (1, wallet.id),
    ]
    assert await page(office, buyer, agency_id, rest[-1].id, 9) == []


async def test_a_cursor_of_another_wallet_leads_nowhere(
    office: Office, clients: tuple[SubAccount, SubAccount]
) -> None:
    own, sibling = clients
    await grant(office, await wallet_of(office, own), 1)
    await grant(office, await wallet_of(office, sibling), 2)
    (theirs,) = await page(office, billing_of(sibling), own.agency_id, None, 9)
    for cursor in (theirs.id, new_id("transaction"), "zzz"):
        assert await page(office, billing_of(own), own.agency_id, cursor, 9) == []
    stranger = (await office.agency()).id
    assert await page(office, billing_of(own), stranger, None, 9) == []


async def test_reading_own_changes_looks_at_no_change_of_others(
    office: Office, clients: tuple[SubAccount, SubAccount]
) -> None:
    own, sibling = clients
    wallet, other = await wallet_of(office, own), await wallet_of(office, sibling)
    for credits in (1, 2, 3):
        await grant(office, wallet, credits)
    await asyncio.gather(*(grant(office, other, 1) for _ in range(OTHERS)))
    await rows("ANALYZE")
    agency_id = own.agency_id
    looked_at = await read_rows(
        "ledger_transactions", page(office, billing_of(own), agency_id, None, 20)
    )
    assert looked_at == 3
    everything = await read_rows(
        "ledger_transactions", page(office, ADMIN, agency_id, None, OTHERS)
    )
    assert everything >= OTHERS


async def test_reading_own_purchases_looks_at_no_purchase_of_others(
    office: Office, clients: tuple[SubAccount, SubAccount]
) -> None:
    own, sibling = clients
    wallet, other = await wallet_of(office, own), await wallet_of(office, sibling)
    mine = [
        await office.add_purchase(own, wallet, status="CANCELED", credits=100, bonus=0)
        for _ in range(3)
    ]
    for _ in range(OTHERS):
        await office.add_purchase(sibling, other, status="CANCELED", credits=100, bonus=0)
    await rows("ANALYZE")

    async def found(viewer: Viewer, limit: int, after: tuple[str, ...] | None = None) -> list[Any]:
        return await purchases_of_agency(
            viewer, own.agency_id, PurchaseFilter(), limit=limit, after=after
        )

    assert await read_rows("purchases", found(billing_of(own), 20)) == 3
    assert await read_rows("purchases", found(ADMIN, OTHERS)) >= OTHERS
    first, second = await found(billing_of(own), 2)
    assert [first.id, second.id] == [mine[2], mine[1]]
    after = tuple(str(key) for key in sort_keys(second))
    assert [one.id for one in await found(billing_of(own), 9, after)] == [mine[0]]
