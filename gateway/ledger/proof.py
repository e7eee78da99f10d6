"""Proving one wallet: replay what is stored from the first transaction on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.ledger.chain import Facts, first_hash, next_hash
from gateway.ledger.entries import Move, NewLot, Posting
from gateway.ledger.state import LOT_BUCKETS, LotState, TransactionKind, WalletKind

_BUCKETS = (*LOT_BUCKETS, "debt")
_POOL_KINDS = (TransactionKind.POOL_IN, TransactionKind.POOL_OUT)


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that is not what it should be: the first of its wallet, in the order of record."""

    table: str
    id: str
    what: str
    wallet_id: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Plain JSON."""
        return asdict(self)


class StoredTransaction(NamedTuple):
    """A transaction with everything that hangs on it, as read from the database."""

    facts: Facts
    previous_hash: bytes
    hash: bytes
    postings: tuple[Posting, ...]
    allocations: tuple[Move, ...]
    new_lots: tuple[NewLot, ...]


class StoredWallet(NamedTuple):
    """A wallet's row."""

    id: str
    kind: WalletKind
    buckets: dict[str, int]
    version: int
    head_hash: bytes
    next_expiry_at: datetime | None


class WalletProof:
    """Takes a wallet's transactions in version order, then its row and its lots."""

    def __init__(self, wallet_id: str, kind: WalletKind) -> None:
        self._id = wallet_id
        self._kind = kind
        self._version = 0
        self._head = first_hash(wallet_id)
        self._buckets = dict.fromkeys(_BUCKETS, 0)
        self._lots: dict[str, dict[str, int]] = {}

    def follow(self, txn: StoredTransaction) -> Finding | None:
        """Check the next transaction; after a finding nothing later can be judged."""
        facts = txn.facts
        if facts.version != self._version + 1:
            missing = f"version {self._version + 1} is missing before it"
            return self._found("ledger_transactions", facts.id, missing)
        if txn.previous_hash != self._head:
            what = "it does not follow the hash of the transaction before it"
            return self._found("ledger_transactions", facts.id, what)
        if (facts.kind in _POOL_KINDS) != (self._kind is WalletKind.POOL):
            what = f"{facts.kind} is no transaction of a {self._kind} wallet"
            return self._found("ledger_transactions", facts.id, what)
        if finding := self._contents(txn):
            return finding
        self._version, self._head = facts.version, txn.hash
        self._fold(txn)
        return None

    def close(self, wallet: StoredWallet, lots: Sequence[LotState]) -> Finding | None:
        """Check the wallet's row and its lots against everything that was followed."""
        if wallet.version > self._version:
            what = f"version {self._version + 1} is missing; the wallet is at {wallet.version}"
            return self._found("ledger_transactions", self._id, what)
        for lot in lots:
            folded = self._lots.pop(lot.id, None)
            if folded is None:
                return self._found("ledger_lots", lot.id, "no transaction made it")
            if stored := _difference(lot._asdict(), folded):
                return self._found(
                    "ledger_lots", lot.id, f"its allocations say otherwise: {stored}"
                )
        if self._lots:
            return self._found("ledger_lots", min(self._lots), "it is missing")
        return self._close_row(wallet, lots)

    def _close_row(self, wallet: StoredWallet, lots: Sequence[LotState]) -> Finding | None:
        due = [lot.expires_at for lot in lots if lot.expires_at and lot.available]
        what = None
        if stored := _difference(wallet.buckets, self._buckets):
            what = f"its postings say otherwise: {stored}"
        elif wallet.version != self._version:
            what = f"version is {wallet.version}, its transactions say {self._version}"
        elif wallet.head_hash != self._head:
            what = "head_hash is not the hash of its newest transaction"
        elif wallet.next_expiry_at != min(due, default=None):
            what = "next_expiry_at is not the earliest expiry of its lots"
        return None if what is None else self._found("wallets", self._id, what)

    def _contents(self, txn: StoredTransaction) -> Finding | None:
        facts, derived = txn.facts, _postings_of(txn)
        if derived != txn.postings:
            # The hash tells which of the two was changed.
            if txn.hash == _hash(txn._replace(postings=derived)):
                what = "they are not what the allocations and the hash say"
                return self._found("ledger_postings", facts.id, what)
            what = "they do not add up to the postings"
            return self._found("ledger_allocations", facts.id, what)
        after = {name: getattr(facts, f"{name}_after") for name in _BUCKETS}
        expected = _shifted(self._buckets, txn.postings)
        if stored := _difference(after, expected):
            what = f"its postings say otherwise: {stored}"
            return self._found("ledger_transactions", facts.id, what)
        if facts.credits != expected["available"] - self._buckets["available"]:
            what = "credits is not the change of available"
            return self._found("ledger_transactions", facts.id, what)
        if txn.hash != _hash(txn):
            made = ", ".join(sorted(new.lot.id for new in txn.new_lots))
            what = "its hash does not fit what it says" + (
                f", or its new lots: {made}" * bool(made)
            )
            return self._found("ledger_transactions", facts.id, what)
        return None

    def _fold(self, txn: StoredTransaction) -> None:
        self._buckets = _shifted(self._buckets, txn.postings)
        for new in txn.new_lots:
            self._lots[new.lot.id] = dict.fromkeys(LOT_BUCKETS, 0)
        for lot_id, source, target, credits in txn.allocations:
            lot = self._lots.setdefault(str(lot_id), dict.fromkeys(LOT_BUCKETS, 0))
            if source in LOT_BUCKETS:
                lot[source] -= credits
            if target in LOT_BUCKETS:
                lot[target] += credits

    def _found(self, table: str, id: str, what: str) -> Finding:
        return Finding(table, id, what, self._id)


def _postings_of(txn: StoredTransaction) -> tuple[Posting, ...]:
    """What the allocations add up to; debt that was made came from no lot and stays as posted."""
    sums: dict[tuple[str, str], Posting] = {}
    for _, source, target, credits in txn.allocations:
        earlier = sums.get((source, target))
        total = credits + (earlier.credits if earlier else 0)
        sums[source, target] = Posting(source, target, total)
    derived = iter(sums.values())
    lines = [
        posting if posting.from_account == "debt" else next(derived, None)
        for posting in txn.postings
    ]
    return tuple(line for line in (*lines, *derived) if line is not None)


def _hash(txn: StoredTransaction) -> bytes:
    return next_hash(
        txn.previous_hash,
        txn.facts,
        postings=txn.postings,
        allocations=txn.allocations,
        new_lots=txn.new_lots,
    )


def _shifted(buckets: Mapping[str, int], postings: Sequence[Posting]) -> dict[str, int]:
    shifted = dict(buckets)
    for source, target, credits in postings:
        for account, change in ((source, -credits), (target, credits)):
            if account in shifted:
                # What arrives in `debt` pays it.
                shifted[account] += -change if account == "debt" else change
    return shifted


def _difference(stored: Mapping[str, object], expected: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name} is {stored[name]}, not {value}"
        for name, value in expected.items()
        if stored[name] != value
    )
