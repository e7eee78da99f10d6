"""From moves of credits to one ledger transaction and the wallet after it. Pure.

This is the only place that changes buckets: a wallet's buckets and its lots' buckets are folded
from the same moves, so that neither can differ from the postings and allocations written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

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
        lot_id, source, target, credits = move
        assert credits >= 1, "a move has credits"
        sums[source, target] = sums.get((source, target), 0) + credits
        if lot_id is not None:
            touched[lot_id] = lots[lot_id] = _moved_lot(lots[lot_id], move)
    order = sorted(lots.values(), key=burn_key) if new_lots else lots.values()
    after = _moved_wallet(wallet, sums, tuple([lot for lot in order if lot.remaining]))
    _assert_sound(after)
    return Draft(
        id=id,
        kind=kind,
        credits=after.available - wallet.available,
        note=note,
        created_at=at,
        postings=tuple([Posting(*way, credits) for way, credits in sums.items()]),
        allocations=tuple([move for move in moves if move.lot_id is not None]),
        new_lots=new_lots,
        lots_after=tuple(touched.values()),
        after=after,
    )


def _moved_lot(lot: LotState, move: Move) -> LotState:
    changes: dict[str, Any] = {}
    if move.from_account in LOT_BUCKETS:
        changes[move.from_account] = getattr(lot, move.from_account) - move.credits
    if move.to_account in LOT_BUCKETS:
        changes[move.to_account] = getattr(lot, move.to_account) + move.credits
    moved = lot._replace(**changes) if changes else lot
    assert min(moved.available, moved.held, moved.frozen, moved.reserved) >= 0, "I3: lot bucket"
    assert moved.remaining <= moved.credits, "a lot never holds more than came in"
    return moved


def _moved_wallet(
    wallet: WalletState, sums: dict[tuple[Account, Account], int], lots: tuple[LotState, ...]
) -> WalletState:
    change: dict[Account, int] = {}
    for (source, target), credits in sums.items():
        change[source] = change.get(source, 0) - credits
        change[target] = change.get(target, 0) + credits
    return WalletState(
        id=wallet.id,
        agency_id=wallet.agency_id,
        kind=wallet.kind,
        available=wallet.available + change.get("available", 0),
        held=wallet.held + change.get("held", 0),
        frozen=wallet.frozen + change.get("frozen", 0),
        reserved=wallet.reserved + change.get("reserved", 0),
        # Credits that arrive in the account `debt` pay; the bucket says what is still owed.
        debt=wallet.debt - change.get("debt", 0),
        version=wallet.version + 1,
        lots=lots,
        suspended=wallet.suspended,
    )


def _assert_sound(wallet: WalletState) -> None:
    """I2 and I3 for the wallet as it will be stored."""
    available = held = frozen = reserved = 0
    for lot in wallet.lots:
        available += lot.available
        held += lot.held
        frozen += lot.frozen
        reserved += lot.reserved
    assert wallet.available == available, "I2: available"
    assert wallet.held == held, "I2: held"
    assert wallet.frozen == frozen, "I2: frozen"
    assert wallet.reserved == reserved, "I2: reserved"
    assert wallet.debt >= 0, "I3: debt"
    assert available == 0 or wallet.debt == 0, "I3: credits beside debt"
    assert wallet.total <= MAX_CREDITS, "a wallet's credits stay exact in JSON"
