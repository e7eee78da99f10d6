"""From moves of credits to one ledger transaction and the wallet after it. Pure.

This is the only place that changes buckets: a wallet's buckets and its lots' buckets are folded
from the same moves, so that neither can differ from the postings and allocations written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from gateway.ledger.state import (
    LOT_BUCKETS,
    Account,
    CostBasis,
    LotState,
    TransactionKind,
    WalletState,
    burn_key,
)
from gateway.money import MAX_CREDITS


class Move(NamedTuple):
    """`credits` leave `from_account` and arrive in `to_account`; they belong to `lot_id`.

    lot_id is None only where debt is made: what is owed came from no lot."""

    lot_id: str | None
    from_account: Account
    to_account: Account
    credits: int


class Posting(NamedTuple):
    """The sum of a transaction's moves between two accounts. Both sides in one row: it sums to
    zero by construction (I1)."""

    from_account: Account
    to_account: Account
    credits: int


class NewLot(NamedTuple):
    """A lot that a transaction makes, still empty: its moves fill it from `source`."""

    lot: LotState
    source: Account
    basis: CostBasis | None


class Note(NamedTuple):
    """What the record says beside the numbers."""

    actor: str
    cause_kind: str
    cause_id: str | None = None
    reference: str | None = None
    reason: str | None = None


class Draft(NamedTuple):
    """One transaction, decided and not yet stored.

    credits: signed change of `available`. `after` is the wallet after it, `lots_after` the lots it
    touched, used up ones included."""

    id: str
    kind: TransactionKind
    credits: int
    note: Note
    created_at: datetime
    postings: tuple[Posting, ...]
    allocations: tuple[Move, ...]
    new_lots: tuple[NewLot, ...]
    lots_after: tuple[LotState, ...]
    after: WalletState


_FIELDS: Final = {account: account.value for account in LOT_BUCKETS}


def record(
    wallet: WalletState,
    moves: Sequence[Move],
    *,
    id: str,
    kind: TransactionKind,
    note: Note,
    at: datetime,
    new_lots: tuple[NewLot, ...] = (),
) -> Draft:
    """The transaction that these moves make. After: version + 1, buckets and lots folded."""
    assert moves, "a transaction moves something"
    lots = {lot.id: lot for lot in wallet.lots}
    lots.update((new.lot.id, new.lot) for new in new_lots)
    touched: dict[str, LotState] = {}
    sums: dict[tuple[Account, Account], int] = {}
    for move in moves:
        assert move.credits >= 1, "a move has credits"
        way = (move.from_account, move.to_account)
        sums[way] = sums.get(way, 0) + move.credits
        if move.lot_id is not None:
            lot = touched.get(move.lot_id) or lots[move.lot_id]
            touched[move.lot_id] = _moved_lot(lot, move)
    after = _moved_wallet(wallet, sums)._replace(
        version=wallet.version + 1, lots=_lots_after(wallet.lots, touched, added=bool(new_lots))
    )
    _assert_sound(after)
    return Draft(
        id=id,
        kind=kind,
        credits=after.available - wallet.available,
        note=note,
        created_at=at,
        postings=tuple(Posting(*way, credits) for way, credits in sums.items()),
        allocations=tuple(move for move in moves if move.lot_id is not None),
        new_lots=new_lots,
        lots_after=tuple(touched.values()),
        after=after,
    )


def _moved_lot(lot: LotState, move: Move) -> LotState:
    changes: dict[str, Any] = {}
    if (name := _FIELDS.get(move.from_account)) is not None:
        changes[name] = getattr(lot, name) - move.credits
    if (name := _FIELDS.get(move.to_account)) is not None:
        changes[name] = getattr(lot, name) + move.credits
    moved = lot._replace(**changes) if changes else lot
    assert min(moved.available, moved.held, moved.frozen, moved.reserved) >= 0, "I3: lot bucket"
    assert moved.remaining <= moved.credits, "a lot never holds more than came in"
    return moved


def _moved_wallet(wallet: WalletState, sums: dict[tuple[Account, Account], int]) -> WalletState:
    change: dict[str, Any] = {}
    for (source, target), credits in sums.items():
        if (name := _FIELDS.get(source)) is not None:
            change[name] = change.get(name, getattr(wallet, name)) - credits
        if (name := _FIELDS.get(target)) is not None:
            change[name] = change.get(name, getattr(wallet, name)) + credits
        # Credits in the account `debt` pay; the bucket says what is still owed.
        if Account.DEBT in (source, target):
            sign = 1 if source is Account.DEBT else -1
            change["debt"] = change.get("debt", wallet.debt) + sign * credits
    return wallet._replace(**change)


def _lots_after(
    lots: tuple[LotState, ...], touched: dict[str, LotState], *, added: bool
) -> tuple[LotState, ...]:
    if not added:
        kept = (touched.get(lot.id, lot) for lot in lots)
        return tuple(lot for lot in kept if lot.remaining)
    known = {lot.id: lot for lot in lots} | touched
    return tuple(sorted((lot for lot in known.values() if lot.remaining), key=burn_key))


def _assert_sound(wallet: WalletState) -> None:
    """I2 and I3 for the wallet as it will be stored."""
    assert wallet.available == sum(lot.available for lot in wallet.lots), "I2: available"
    assert wallet.held == sum(lot.held for lot in wallet.lots), "I2: held"
    assert wallet.frozen == sum(lot.frozen for lot in wallet.lots), "I2: frozen"
    assert wallet.reserved == sum(lot.reserved for lot in wallet.lots), "I2: reserved"
    assert min(wallet.available, wallet.held, wallet.frozen, wallet.reserved) >= 0, "I3: bucket"
    assert wallet.debt >= 0, "I3: debt"
    assert wallet.available == 0 or wallet.debt == 0, "I3: credits beside debt"
    assert wallet.total <= MAX_CREDITS, "a wallet's credits stay exact in JSON"
