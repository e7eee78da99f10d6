"""The hash chain of a wallet: each transaction's hash covers the one before and all it says.

hash = SHA-256(previous hash + canonical bytes). Canonical bytes are one compact JSON array in
UTF-8 (RFC 8259, no white space), fields in the order written here; times are whole microseconds
since 1970, unit prices text with 6 places. A first transaction's previous hash is
SHA-256(tag + wallet id). Another order or field needs another tag."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from gateway.ledger.entries import Move, NewLot, Posting

_TAG: Final = "rebill.ledger.1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Facts(NamedTuple):
    """Everything a transaction's hash covers."""

    id: str
    agency_id: str
    wallet_id: str
    version: int
    kind: str
    credits: int
    available_after: int
    held_after: int
    frozen_after: int
    reserved_after: int
    debt_after: int
    cause_kind: str
    cause_id: str | None
    actor: str
    reference: str | None
    reason: str | None
    created_at: datetime


def first_hash(wallet_id: str) -> bytes:
    """The head of a wallet without transactions."""
    return sha256(f"{_TAG}:{wallet_id}".encode()).digest()


def next_hash(
    previous: bytes,
    facts: Facts,
    *,
    postings: Sequence[Posting],
    allocations: Sequence[Move],
    new_lots: Sequence[NewLot],
) -> bytes:
    """The hash of a transaction: over `previous`, its facts, postings, allocations (both in line
    order) and the unchanging part of the lots that it made (in id order)."""
    content = orjson.dumps(
        [
            _TAG,
            *facts[:-1],
            _microseconds(facts.created_at),
            [list(posting) for posting in postings],
            [list(allocation) for allocation in allocations],
            [_lot_facts(new) for new in sorted(new_lots, key=lambda new: new.lot.id)],
        ]
    )
    return sha256(previous + content).digest()


def _lot_facts(new: NewLot) -> list[object]:
    lot, basis = new.lot, new.basis
    return [
        lot.id,
        lot.kind,
        lot.credits,
        lot.purchase_id,
        _microseconds(lot.effective_at),
        None if lot.expires_at is None else _microseconds(lot.expires_at),
        None
        if basis is None
        else [basis.currency, _price(basis.retail_unit), _price(basis.wholesale_unit)],
    ]


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _price(price: Decimal) -> str:
    return f"{price:.6f}"
