"""The changes of wallets, as committed, with a sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import rows
from gateway.errors import BadUserInput
from gateway.ids import is_id
from gateway.ledger.state import TransactionKind
from gateway.pages import PageRequest
from gateway.runtime import Runtime

_COLUMNS: Final = (
    "t.id, t.agency_id, t.wallet_id, t.version, t.kind, t.credits, t.available_after, "
    "t.cause_kind, t.cause_id, t.actor, t.reference, t.reason, t.created_at"
)
_OWNED: Final = "JOIN wallets w ON w.agency_id = t.agency_id AND w.id = t.wallet_id"

_REQUESTS: Final = (
    "SELECT q.place, page.* FROM unnest($1::text[], $2::text[], $3::bigint[]) "
    "WITH ORDINALITY AS q(owner, after, size, place)"
)
_AGENCY_PAGES: Final = f"""
    {_REQUESTS}
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM ledger_transactions t {_OWNED}
        WHERE t.agency_id = q.owner AND {{scope}} AND (q.after IS NULL OR t.id < q.after)
        ORDER BY t.id DESC LIMIT q.size
    ) page
    ORDER BY q.place, page.id DESC
"""
# A client has one wallet, whose versions are its order. A cursor that is not of this wallet has no
# version there, and nothing follows it.
_OWN_PAGES: Final = f"""
    {_REQUESTS}
    JOIN wallets w ON w.agency_id = q.owner AND {{scope}}
    LEFT JOIN ledger_transactions last
        ON last.agency_id = w.agency_id AND last.wallet_id = w.id AND last.id = q.after
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM ledger_transactions t
        WHERE t.agency_id = w.agency_id AND t.wallet_id = w.id
            AND t.version < CASE WHEN q.after IS NULL THEN {2**63 - 1} ELSE last.version END
        ORDER BY t.version DESC LIMIT q.size
    ) page
    ORDER BY q.place, page.version DESC
"""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One committed change. credits: signed change of `available`; available_after: the balance
    after it. cause_kind and cause_id name what it was for. actor: subject of who asked."""

    id: str
    agency_id: str
    wallet_id: str
    version: int
    kind: TransactionKind
    credits: int
    available_after: int
    cause_kind: str
    cause_id: str | None
    actor: str
    reference: str | None
    reason: str | None
    created_at: datetime

    @property
    def description(self) -> str:
        """What happened, in a sentence for the wallet's owner."""
        what = _SENTENCES[self.kind].format(credits=f"{abs(self.credits):,}")
        detail = self.reference or self.reason
        return f"{what}: {detail}" if detail else what


_SENTENCES: Final = {
    TransactionKind.ISSUE: "Bought {credits} credits",
    TransactionKind.GRANT: "Received {credits} credits",
    TransactionKind.SPEND: "Used {credits} credits",
    TransactionKind.EXPIRE: "{credits} credits expired",
    TransactionKind.ADJUST: "Corrected by {credits} credits",
    TransactionKind.POOL_IN: "The pool received {credits} credits",
    TransactionKind.POOL_OUT: "The pool gave {credits} credits",
}


class LedgerAccount(StrEnum):
    """Both sides of a movement: the wallet's buckets first, then the accounts outside of it."""

    AVAILABLE = "available"
    HELD = "held"
    FROZEN = "frozen"
    RESERVED = "reserved"
    DEBT = "debt"
    ISSUED_PAID = "issued_paid"
    ISSUED_FREE = "issued_free"
    POOL = "pool"
    CONSUMED = "consumed"
    EXPIRED = "expired"
    CLAWED_BACK = "clawed_back"
    ADJUSTED = "adjusted"


@dataclass(frozen=True, slots=True)
class Allocation:
    """Credits (whole) of one lot that a transaction moved between two accounts."""

    transaction_id: str
    lot_id: str
    from_account: LedgerAccount
    to_account: LedgerAccount
    credits: int


async def transactions(_rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, Transaction]:
    """These transactions, as far as the viewer may see their wallets."""
    scope = visible(viewer, first=2, agency="t.agency_id", sub_account="w.sub_account_id")
    found = await rows(
        f"SELECT {_COLUMNS} FROM ledger_transactions t {_OWNED} "
        f"WHERE t.id = ANY($1) AND {scope.sql}",
        [id for id in ids if is_id(id, "transaction")],
        *scope.values,
    )
    return {row["id"]: _transaction(row) for row in found}


async def transaction_pages(
    _rt: Runtime, viewer: Viewer, requests: Sequence[PageRequest]
) -> dict[PageRequest, list[Transaction]]:
    """Pages of wallets' transactions, newest first; the sort key is the version."""
    scope = visible(viewer, first=4, agency="w.agency_id", sub_account="w.sub_account_id")
    found = await rows(
        f"""
        SELECT q.place, page.* FROM unnest($1::text[], $2::bigint[], $3::bigint[])
            WITH ORDINALITY AS q(owner, after, size, place)
        JOIN wallets w ON w.id = q.owner AND {scope.sql}
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM ledger_transactions t
            WHERE t.agency_id = w.agency_id AND t.wallet_id = w.id
                AND (q.after IS NULL OR t.version < q.after)
            ORDER BY t.version DESC LIMIT q.size
        ) page
        ORDER BY q.place, page.version DESC
        """,
        [request.owner_id for request in requests],
        [_version(request) for request in requests],
        [request.limit for request in requests],
        *scope.values,
    )
    pages: dict[PageRequest, list[Transaction]] = {request: [] for request in requests}
    for row in found:
        pages[requests[row.pop("place") - 1]].append(_transaction(row))
    return pages


async def agency_transaction_pages(
    _rt: Runtime, viewer: Viewer, requests: Sequence[PageRequest]
) -> dict[PageRequest, list[Transaction]]:
    """Pages of all transactions of agencies, pools included, last booked first; the sort key is
    the id, which rises with time and leads through the primary key. A client's viewer finds only
    its own, read through its wallet: a walk through the agency's rows would be slow, and how slow
    would tell a client how much the others do."""
    bound = viewer.sub_account_id is not None
    scope = visible(viewer, first=4, agency="w.agency_id", sub_account="w.sub_account_id")
    found = await rows(
        (_OWN_PAGES if bound else _AGENCY_PAGES).format(scope=scope.sql),
        [request.owner_id for request in requests],
        [request.after[0] if request.after else None for request in requests],
        [request.limit for request in requests],
        *scope.values,
    )
    pages: dict[PageRequest, list[Transaction]] = {request: [] for request in requests}
    for row in found:
        pages[requests[row.pop("place") - 1]].append(_transaction(row))
    return pages


async def allocations_of(
    _rt: Runtime, viewer: Viewer, transaction_ids: Sequence[str]
) -> dict[str, list[Allocation]]:
    """From which lots each of these transactions took, or to which it gave, in order."""
    scope = visible(viewer, first=2, agency="t.agency_id", sub_account="w.sub_account_id")
    found = await rows(
        "SELECT a.transaction_id, a.lot_id, a.from_account, a.to_account, a.credits "
        f"FROM ledger_transactions t {_OWNED} JOIN ledger_allocations a "
        "ON a.agency_id = t.agency_id AND a.transaction_id = t.id "
        f"WHERE t.id = ANY($1) AND {scope.sql} ORDER BY a.transaction_id, a.line",
        list(transaction_ids),
        *scope.values,
    )
    grouped: dict[str, list[Allocation]] = {id: [] for id in transaction_ids}
    for row in found:
        grouped[row["transaction_id"]].append(
            Allocation(
                transaction_id=row["transaction_id"],
                lot_id=row["lot_id"],
                from_account=LedgerAccount(row["from_account"]),
                to_account=LedgerAccount(row["to_account"]),
                credits=row["credits"],
            )
        )
    return grouped


def _version(request: PageRequest) -> int | None:
    if request.after is None:
        return None
    (text,) = request.after
    if not text.isdecimal() or len(text) > 18:
        raise BadUserInput("`after` is not a cursor of this list.")
    return int(text)


def _transaction(row: Mapping[str, Any]) -> Transaction:
    return Transaction(**{**row, "kind": TransactionKind(row["kind"])})
