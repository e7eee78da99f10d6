"""The steps that commands are made of: credits come in, burn, expire. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.errors import InsufficientCredits, InvalidInput
from gateway.ledger.entries import Draft, Move, NewLot, Note, record
from gateway.ledger.state import Account, LotKind, LotState, TransactionKind, WalletState, burn_key
from gateway.money import MAX_CREDITS

NewId = Callable[[str], str]
"""Noun → fresh id; passed in, so that a decision depends on its arguments alone."""


class Surroundings(NamedTuple):
    """What a decision takes from outside: the instant and where ids come from."""

    now: datetime
    new_id: NewId


def expire_due(wallet: WalletState, around: Surroundings) -> list[Draft]:
    """One EXPIRE for each lot that is due, at its expiry instant, the soonest first."""
    if all(lot.expires_at is None for lot in wallet.lots):
        return []
    due = [
        (lot.expires_at, *burn_key(lot), lot)
        for lot in wallet.lots
        if lot.available and lot.expires_at is not None and lot.expires_at <= around.now
    ]
    drafts: list[Draft] = []
    for instant, *_, lot in sorted(due):
        # What is held or frozen stays with its lot, and expires when it is given back.
        move = Move(lot.id, "available", "expired", lot.available)
        draft = record(
            wallet,
            [move],
            id=around.new_id("transaction"),
            kind=TransactionKind.EXPIRE,
            note=Note("system", "LOT", lot.id),
            at=instant,
        )
        drafts.append(draft)
        wallet = draft.after
    return drafts


def credit(
    wallet: WalletState,
    lots: Sequence[NewLot],
    kind: TransactionKind,
    note: Note,
    around: Surroundings,
    *,
    id: str | None = None,
) -> Draft:
    """New lots come in and pay what is owed first, in burn order; the rest becomes available."""
    if wallet.total + sum(new.lot.credits for new in lots) > MAX_CREDITS:
        raise InvalidInput(
            f"The wallet would hold more than {MAX_CREDITS} credits.", field=("credits",)
        )
    owed, moves = wallet.debt, []
    for lot, source, _ in sorted(lots, key=lambda new: burn_key(new.lot)):
        pays = min(owed, lot.credits)
        owed -= pays
        if pays:
            moves.append(Move(lot.id, source, "debt", pays))
        if lot.credits > pays:
            moves.append(Move(lot.id, source, "available", lot.credits - pays))
    txn = id or around.new_id("transaction")
    return record(wallet, moves, id=txn, kind=kind, note=note, at=around.now, new_lots=tuple(lots))


def burn(wallet: WalletState, credits: int, target: Account) -> list[Move]:
    """Take `credits` from the wallet's lots in burn order. Raises InsufficientCredits."""
    check_credits(credits)
    if wallet.available < credits:
        raise InsufficientCredits(required=credits, available=wallet.available)
    moves = []
    for lot in wallet.lots:
        taken = min(lot.available, credits)
        if taken:
            moves.append(Move(lot.id, "available", target, taken))
            credits -= taken
        if not credits:
            break
    assert credits == 0, "I2: the lots hold what the wallet says"
    return moves


def new_lot(
    kind: LotKind, credits: int, around: Surroundings, expires_at: datetime | None
) -> LotState:
    """An empty lot of `credits` that is to be filled now. Raises InvalidInput."""
    check_credits(credits)
    if expires_at is not None and expires_at <= around.now:
        raise InvalidInput("Credits must expire in the future.", field=("expiresAt",))
    return LotState(
        id=around.new_id("lot"),
        kind=kind,
        credits=credits,
        available=0,
        held=0,
        frozen=0,
        reserved=0,
        purchase_id=None,
        effective_at=around.now,
        expires_at=expires_at,
    )


def check_credits(credits: int) -> None:
    """Raise InvalidInput unless 1 ≤ credits ≤ 2^53 - 1."""
    if not 1 <= credits <= MAX_CREDITS:
        raise InvalidInput(
            f"Credits are whole numbers from 1 to {MAX_CREDITS}.", field=("credits",)
        )


def check_texts(note: Note) -> None:
    """Raise InvalidInput for what PostgreSQL or UTF-8 cannot hold: NUL and lone surrogates."""
    for text in note:
        if text is not None and ("\0" in text or not (text.isascii() or _is_utf8(text))):
            raise InvalidInput("A text holds a character that cannot be stored.")


def _is_utf8(text: str) -> bool:
    """False for lone surrogates, which JSON can smuggle into a string."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
