"""Between the database's rows and the plain values of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import orjson

from gateway.ledger import statements
from gateway.ledger.commands import Issue
from gateway.ledger.entries import Draft, NewLot
from gateway.ledger.plan import Known, KnownKey, Plan, Sealed, Wish
from gateway.ledger.receipts import KeyName, Receipt
from gateway.ledger.state import LotKind, LotState, WalletKind, WalletState, burn_key

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class WrittenMeanwhileError(Exception):
    """Another process, under other wallets' locks, stored one of our idempotency keys or issued
    one of our purchases after we had looked. Look again."""


async def lock_wallets(database: Database, wishes: Sequence[Wish]) -> list[asyncpg.Record]:
    """Lock every wallet that the wishes name, and answer their rows as they now are."""
    names = {
        (wish.command.agency_id, wallet_id)
        for wish in wishes
        for wallet_id in wish.command.wallet_ids()
    }
    return await database.fetch(statements.LOCK_WALLETS, *_columns(names, 2))


async def read_known(
    database: Database, wishes: Sequence[Wish], locked: Sequence[asyncpg.Record]
) -> Known:
    """All that a decision on the locked wallets needs. Call it only under their locks."""
    lots = await _open_lots(database, locked)
    known = Known(
        wallets={row["id"]: _wallet(row, lots.get(row["id"], [])) for row in locked},
        heads={row["id"]: row["head_hash"] for row in locked},
    )
    if names := {wish.idempotency.name for wish in wishes if wish.idempotency}:
        found = await database.fetch(statements.TAKEN_KEYS, *_columns(names, 4))
        known.keys = {KeyName(*row[:4]): _known_key(row) for row in found}
    purchases = {
        (wish.command.agency_id, wish.command.purchase_id)
        for wish in wishes
        if isinstance(wish.command, Issue)
    }
    if purchases:
        found = await database.fetch(statements.EARLIER_ISSUES, *_columns(purchases, 2))
        known.issues = {(row["agency_id"], row["cause_id"]): _issued(row) for row in found}
    return known


async def is_stored(database: Database, sealed: Sealed) -> bool:
    """True when this very transaction was committed before."""
    agency_id, txn = sealed.facts.agency_id, sealed.facts.id
    return await database.fetchval(statements.IS_STORED, agency_id, txn) is not None


async def write(database: Database, plan: Plan, *, now: datetime) -> None:
    """Store everything the plan says, in one statement. Raises WrittenMeanwhileError."""
    if not plan.sealed and not plan.keys:
        return
    made = {new.lot.id for sealed in plan.sealed for new in sealed.draft.new_lots}
    wallets = _wallet_rows(plan.sealed, now)
    lots = [
        (draft.after.agency_id, lot.id, lot.available, lot.held, lot.frozen, lot.reserved)
        for draft, lot in plan.lots.values()
        if lot.id not in made
    ]
    arrays: tuple[Sequence[tuple[Any, ...]], ...] = (
        wallets,
        lots,
        [
            _new_lot_row(new, plan.lots[new.lot.id][1], sealed.draft)
            for sealed in plan.sealed
            for new in sealed.draft.new_lots
        ],
        [(*sealed.facts, sealed.previous_hash, sealed.hash) for sealed in plan.sealed],
        [row for sealed in plan.sealed for row in _posting_rows(sealed)],
        [row for sealed in plan.sealed for row in _allocation_rows(sealed)],
        [_event_row(sealed, now) for sealed in plan.sealed],
        _key_rows(plan, now),
    )
    try:
        done = await database.fetchrow(statements.WRITE, *arrays)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != statements.ISSUE_ONCE:
            raise
        raise WrittenMeanwhileError from error
    assert done is not None, "the statement always answers one row"
    assert done["wallets"] == len(wallets), "I6: the locked wallets were changed by someone else"
    assert done["lots"] == len(lots), "a lot that was read is still there"
    if done["keys"] != len(plan.keys):
        raise WrittenMeanwhileError


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) or [()] * width


async def _open_lots(
    database: Database, locked: Sequence[asyncpg.Record]
) -> dict[str, list[LotState]]:
    names = [(row["agency_id"], row["id"]) for row in locked]
    lots: dict[str, list[LotState]] = {}
    for row in await database.fetch(statements.OPEN_LOTS, *_columns(names, 2)):
        wallet_id, lot_id, kind, *rest = row
        lots.setdefault(wallet_id, []).append(LotState(lot_id, LotKind(kind), *rest))
    return lots


def _wallet(row: asyncpg.Record, lots: list[LotState]) -> WalletState:
    return WalletState(
        id=row["id"],
        agency_id=row["agency_id"],
        kind=WalletKind(row["kind"]),
        available=row["available"],
        held=row["held"],
        frozen=row["frozen"],
        reserved=row["reserved"],
        debt=row["debt"],
        version=row["version"],
        lots=tuple(sorted(lots, key=burn_key)),
        suspended=row["suspended"],
    )


def _known_key(row: asyncpg.Record) -> KnownKey:
    outcome = row["outcome"]
    receipt = None if outcome is None else Receipt.from_json(outcome)
    return KnownKey(row["request_hash"], receipt)


def _issued(row: asyncpg.Record) -> Receipt:
    return Receipt(
        transaction_ids=(row["id"],),
        wallet_id=row["wallet_id"],
        version=row["version"],
        available=row["available_after"],
        held=row["held_after"],
        frozen=row["frozen_after"],
        reserved=row["reserved_after"],
        debt=row["debt_after"],
        credits=row["credits"],
    )


def _wallet_rows(sealed: Sequence[Sealed], now: datetime) -> list[tuple[Any, ...]]:
    before: dict[str, int] = {}
    last: dict[str, Sealed] = {}
    for entry in sealed:
        before.setdefault(entry.facts.wallet_id, entry.facts.version - 1)
        last[entry.facts.wallet_id] = entry
    return [
        (
            facts.agency_id, facts.wallet_id, before[facts.wallet_id], facts.available_after,
            facts.held_after, facts.frozen_after, facts.reserved_after, facts.debt_after,
            facts.version, head, draft.after.next_expiry_at, now,
        )
        for draft, facts, _, head in last.values()
    ]  # fmt: skip


def _new_lot_row(new: NewLot, last: LotState, draft: Draft) -> tuple[Any, ...]:
    return (
        last.id, draft.after.agency_id, draft.after.id, draft.id, last.kind, last.credits,
        last.available, last.held, last.frozen, last.reserved, last.purchase_id,
        *(new.basis or (None, None, None)), last.effective_at, last.expires_at,
    )  # fmt: skip


def _posting_rows(sealed: Sealed) -> list[tuple[Any, ...]]:
    agency_id, txn = sealed.facts.agency_id, sealed.facts.id
    return [
        (agency_id, txn, line, *posting)
        for line, posting in enumerate(sealed.draft.postings, start=1)
    ]


def _allocation_rows(sealed: Sealed) -> list[tuple[Any, ...]]:
    agency_id, txn = sealed.facts.agency_id, sealed.facts.id
    return [
        (agency_id, txn, line, *move) for line, move in enumerate(sealed.draft.allocations, start=1)
    ]


def _event_row(sealed: Sealed, now: datetime) -> tuple[Any, ...]:
    facts = sealed.facts
    payload = {
        "wallet_id": facts.wallet_id,
        "version": facts.version,
        "transaction_id": facts.id,
        "kind": facts.kind,
        "credits": facts.credits,
        "available": facts.available_after,
        "held": facts.held_after,
        "frozen": facts.frozen_after,
        "reserved": facts.reserved_after,
        "debt": facts.debt_after,
        "cause_kind": facts.cause_kind,
        "cause_id": facts.cause_id,
        "created_at": facts.created_at,
    }
    text = orjson.dumps(payload).decode()
    return facts.agency_id, facts.wallet_id, facts.version, facts.kind, text, now


def _key_rows(plan: Plan, now: datetime) -> list[tuple[Any, ...]]:
    # Sorted, so that two processes that store the same keys never wait for each other in a ring.
    return [
        (
            *key.name,
            key.request_hash,
            receipt.transaction_ids[0] if receipt.transaction_ids else receipt.wallet_id,
            receipt.to_json(),
            now,
        )
        for key, receipt in sorted(plan.keys, key=lambda entry: entry[0].name)
    ]
