"""`rebill verify`: recompute the whole ledger from its rows and name what differs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any, Final

import asyncpg

from gateway.database import connection, transaction
from gateway.ledger import verify_statements as statements
from gateway.ledger.chain import Facts
from gateway.ledger.entries import Move, NewLot, Posting
from gateway.ledger.proof import Finding, StoredTransaction, StoredWallet, WalletProof
from gateway.ledger.state import LOT_BUCKETS, CostBasis, LotKind, LotState, WalletKind
from gateway.ledger.storage import Database

_WALLETS_AT_ONCE: Final = 100
_TRANSACTIONS_AT_ONCE: Final = 2_000

Progress = Callable[[int, int], None]


async def verify(*, on_progress: Progress | None = None) -> list[Finding]:
    """Recompute every wallet's chain, versions, postings, buckets and lots, and what ties the
    ledger to purchases and idempotency keys. on_progress gets (wallets done, wallets in all).

    Answers the first wrong row of each wallet, then those that belong to none; empty: all holds.
    Reads snapshots of some wallets at a time, so it can run while the gateway works."""
    findings: list[Finding] = []
    counted = await connection().execute_query_dict("SELECT count(*) AS count FROM wallets")
    done, total = 0, int(counted[0]["count"])
    last = ("", "")
    while True:
        async with _snapshot() as database:
            page = await database.fetch(statements.WALLETS, *last, _WALLETS_AT_ONCE)
            if not page:
                break
            findings += await _prove(database, page, after=last)
        last = (page[-1]["agency_id"], page[-1]["id"])
        done += len(page)
        if on_progress is not None:
            on_progress(done, max(total, done))
    async with _snapshot() as database:
        for table, sql, what in statements.TIES:
            findings += [
                Finding(table, row["id"], what, row["wallet_id"])
                for row in await database.fetch(sql)
            ]
    return findings


@asynccontextmanager
async def _snapshot() -> AsyncIterator[Database]:
    async with transaction() as opened, opened.acquire_connection() as database:
        # One moment for all statements of a page; and a big ledger takes its time.
        await database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await database.execute("SET LOCAL statement_timeout = 0")
        yield database


async def _prove(
    database: Database, page: Sequence[asyncpg.Record], *, after: tuple[str, str]
) -> list[Finding]:
    wallets = {row["id"]: _stored_wallet(row) for row in page}
    proofs = {wallet.id: WalletProof(wallet.id, wallet.kind) for wallet in wallets.values()}
    findings: dict[str, Finding] = {}
    until = (page[-1]["agency_id"], page[-1]["id"])
    async for txn in _transactions(database, after=after, until=until):
        wallet_id = txn.facts.wallet_id
        if wallet_id not in findings and (found := proofs[wallet_id].follow(txn)):
            findings[wallet_id] = found
    lots: dict[str, list[LotState]] = {}
    for row in await database.fetch(statements.LOTS, *after, *until):
        lots.setdefault(row["wallet_id"], []).append(_lot(row))
    for wallet in wallets.values():
        if wallet.id not in findings and (
            found := proofs[wallet.id].close(wallet, lots.get(wallet.id, []))
        ):
            findings[wallet.id] = found
    return list(findings.values())


async def _transactions(
    database: Database, *, after: tuple[str, str], until: tuple[str, str]
) -> AsyncIterator[StoredTransaction]:
    """The transactions of the wallets behind `after` up to `until`, by wallet and version."""
    # Every version of `after` itself was proven with the page before.
    cursor: tuple[Any, ...] = (*after, 2**63 - 1)
    while True:
        page = await database.fetch(statements.TRANSACTIONS, *cursor, *until, _TRANSACTIONS_AT_ONCE)
        if not page:
            return
        names = [row["agency_id"] for row in page], [row["id"] for row in page]
        postings = _by_transaction(await database.fetch(statements.POSTINGS, *names))
        allocations = _by_transaction(await database.fetch(statements.ALLOCATIONS, *names))
        new_lots = _by_transaction(await database.fetch(statements.NEW_LOTS, *names))
        for row in page:
            yield StoredTransaction(
                Facts(*row[:-2]),
                row["previous_hash"],
                row["hash"],
                tuple(Posting(*part[1:]) for part in postings.get(row["id"], ())),
                tuple(Move(*part[1:]) for part in allocations.get(row["id"], ())),
                tuple(_new_lot(part) for part in new_lots.get(row["id"], ())),
            )
        cursor = (page[-1]["agency_id"], page[-1]["wallet_id"], page[-1]["version"])


def _by_transaction(found: Iterable[asyncpg.Record]) -> dict[str, list[asyncpg.Record]]:
    """Rows in line order, by the transaction that each names first."""
    return {txn: list(group) for txn, group in groupby(found, key=lambda row: row[0])}


def _stored_wallet(row: asyncpg.Record) -> StoredWallet:
    return StoredWallet(
        id=row["id"],
        kind=WalletKind(row["kind"]),
        buckets={name: row[name] for name in (*LOT_BUCKETS, "debt")},
        version=row["version"],
        head_hash=row["head_hash"],
        next_expiry_at=row["next_expiry_at"],
    )


def _lot(row: asyncpg.Record) -> LotState:
    facts = {name: row[name] for name in LotState._fields}
    return LotState(**{**facts, "kind": LotKind(row["kind"])})


def _new_lot(row: asyncpg.Record) -> NewLot:
    basis = None
    if row["currency"] is not None:
        basis = CostBasis(row["currency"], row["retail_unit"], row["wholesale_unit"])
    # From where it was filled stands in its allocations.
    return NewLot(_lot(row), "issued_free", basis)
