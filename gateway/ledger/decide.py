"""What a command does to the wallets it names. Pure: no clock, no chance, no database.

Every command first books the lots that have expired by `now`, each at its own instant, so that an
expired credit is never used, however late the sweep is. Those bookings come before the command's
own transaction, and because every command does it, the times of a wallet's transactions rise with
its versions as long as all clocks agree. The order of record is the version, never the time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import singledispatch
from typing import NamedTuple

from gateway.errors import DebtOutstanding, InvalidInput, InvalidState, WalletBlocked
from gateway.ledger.commands import (
    Adjust,
    Command,
    Expire,
    FundPool,
    Grant,
    GrantSource,
    Issue,
    Spend,
)
from gateway.ledger.entries import Draft, NewLot, Note, record
from gateway.ledger.state import Account, LotKind, TransactionKind, WalletKind, WalletState
from gateway.ledger.steps import (
    NewId,
    Surroundings,
    burn,
    check_credits,
    check_texts,
    credit,
    expire_due,
    new_lot,
)


class Decision(NamedTuple):
    """own: the command's transactions, the caller's wallet first (none: nothing to do).
    drafts: everything to be stored, in order, booked expiries included."""

    own: tuple[Draft, ...]
    drafts: tuple[Draft, ...]


def decide(
    wallets: Mapping[str, WalletState], command: Command, *, now: datetime, new_id: NewId
) -> Decision:
    """Decide one command on the wallets that it names (by id).

    Raises InvalidInput, InvalidState, InsufficientCredits, DebtOutstanding; then nothing is to
    be stored. After: the new wallets stand in the drafts, the last draft of a wallet wins."""
    around = Surroundings(now, new_id)
    expiries: list[Draft] = []
    current = dict(wallets)
    for wallet_id in command.wallet_ids():
        due = expire_due(current[wallet_id], around)
        expiries += due
        if due:
            current[wallet_id] = due[-1].after
    own = _decide(command, current, around)
    for draft in own:
        check_texts(draft.note)
    if isinstance(command, Expire):
        return Decision(own=tuple(expiries), drafts=tuple(expiries))
    return Decision(own=own, drafts=(*expiries, *own))


@singledispatch
def _decide(
    command: Command,
    wallets: Mapping[str, WalletState],  # noqa: ARG001 - the shape of all that follow
    around: Surroundings,  # noqa: ARG001
) -> tuple[Draft, ...]:
    raise TypeError(f"the ledger knows no {type(command).__name__}")


@_decide.register
def _(
    command: Expire,  # noqa: ARG001 - its work is done before every command
    wallets: Mapping[str, WalletState],  # noqa: ARG001
    around: Surroundings,  # noqa: ARG001
) -> tuple[Draft, ...]:
    return ()


@_decide.register
def _(
    command: Issue, wallets: Mapping[str, WalletState], around: Surroundings
) -> tuple[Draft, ...]:
    wallet = _client(wallets[command.wallet_id])
    parts: list[tuple[LotKind, int, Account]] = [
        (LotKind.PURCHASED, command.credits, "issued_paid")
    ]
    if command.bonus_credits:
        parts.append((LotKind.BONUS, command.bonus_credits, "issued_free"))
    lots = []
    for kind, credits, source in parts:
        lot = new_lot(kind, credits, around, command.expires_at)
        lot = lot._replace(purchase_id=command.purchase_id)
        lots.append(NewLot(lot, source, command.basis))
    note = Note(command.actor, "PURCHASE", command.purchase_id)
    return (credit(wallet, lots, TransactionKind.ISSUE, note, around),)


@_decide.register
def _(
    command: Grant, wallets: Mapping[str, WalletState], around: Surroundings
) -> tuple[Draft, ...]:
    wallet = _client(wallets[command.wallet_id])
    if command.source is GrantSource.POOL:
        return _grant_from_pool(command, wallet, wallets, around)
    if command.pool_wallet_id is not None:
        raise InvalidInput("Only a grant from the pool names a pool.", field=("source",))
    kind = LotKind.PROMO if command.source is GrantSource.PROMO else LotKind.ALLOWANCE
    lot = new_lot(kind, command.credits, around, command.expires_at)
    note = Note(command.actor, command.source.value, reason=command.reason)
    lots = [NewLot(lot, "issued_free", None)]
    return (credit(wallet, lots, TransactionKind.GRANT, note, around),)


def _grant_from_pool(
    command: Grant, client: WalletState, wallets: Mapping[str, WalletState], around: Surroundings
) -> tuple[Draft, ...]:
    if command.pool_wallet_id is None:
        raise InvalidInput("A grant from the pool needs the agency's pool.", field=("source",))
    pool = _pool(wallets[command.pool_wallet_id])
    lot = new_lot(LotKind.POOL_GRANT, command.credits, around, command.expires_at)
    taken, given = around.new_id("transaction"), around.new_id("transaction")
    down = record(
        pool,
        burn(pool, command.credits, "pool"),
        id=taken,
        kind=TransactionKind.POOL_OUT,
        # Each side names the other, so that both are found from either.
        note=Note(command.actor, "TRANSACTION", given, reason=command.reason),
        at=around.now,
    )
    note = Note(command.actor, "TRANSACTION", taken, reason=command.reason)
    lots = [NewLot(lot, "pool", None)]
    return credit(client, lots, TransactionKind.GRANT, note, around, id=given), down


@_decide.register
def _(
    command: FundPool, wallets: Mapping[str, WalletState], around: Surroundings
) -> tuple[Draft, ...]:
    pool = _pool(wallets[command.wallet_id])
    lot = new_lot(LotKind.POOL_GRANT, command.credits, around, None)
    note = Note(command.actor, "PLATFORM", reason=command.reason)
    lots = [NewLot(lot, "issued_free", None)]
    return (credit(pool, lots, TransactionKind.POOL_IN, note, around),)


@_decide.register
def _(
    command: Spend, wallets: Mapping[str, WalletState], around: Surroundings
) -> tuple[Draft, ...]:
    wallet = _client(wallets[command.wallet_id])
    check_credits(command.credits)
    if wallet.suspended:
        raise WalletBlocked(
            "The client is suspended. Its agency can resume it.",
            reasons=("SUB_ACCOUNT_SUSPENDED",),
        )
    if wallet.debt:
        raise DebtOutstanding(debt=wallet.debt)
    draft = record(
        wallet,
        burn(wallet, command.credits, "consumed"),
        id=around.new_id("transaction"),
        kind=TransactionKind.SPEND,
        note=Note(command.actor, command.cause_kind, command.cause_id, command.reference),
        at=around.now,
    )
    return (draft,)


@_decide.register
def _(
    command: Adjust, wallets: Mapping[str, WalletState], around: Surroundings
) -> tuple[Draft, ...]:
    wallet = _client(wallets[command.wallet_id])
    if not command.reason.strip():
        raise InvalidInput("An adjustment needs its reason in words.", field=("reason",))
    note = Note(command.actor, "ADJUSTMENT", reason=command.reason)
    if command.credits > 0:
        lot = new_lot(LotKind.ADJUSTMENT, command.credits, around, None)
        lots = [NewLot(lot, "adjusted", None)]
        return (credit(wallet, lots, TransactionKind.ADJUST, note, around),)
    moves = burn(wallet, -command.credits, "adjusted")
    txn = around.new_id("transaction")
    return (record(wallet, moves, id=txn, kind=TransactionKind.ADJUST, note=note, at=around.now),)


def _client(wallet: WalletState) -> WalletState:
    if wallet.kind is not WalletKind.CLIENT:
        raise InvalidState("This is done with a client's wallet, not with the agency's pool.")
    return wallet


def _pool(wallet: WalletState) -> WalletState:
    """I7: only FundPool and a grant's other side come this way."""
    if wallet.kind is not WalletKind.POOL:
        raise InvalidState("This is done with the agency's pool, not with a client's wallet.")
    return wallet
