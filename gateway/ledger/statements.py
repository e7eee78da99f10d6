"""The ledger's SQL. Each statement takes a whole unit of work as arrays, one per column, so that
their number does not depend on how many commands it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

# NO KEY UPDATE: rows that only point at a wallet (a new purchase) need not wait for the ledger.
# In id order, so that two units of work never wait for each other in a ring.
LOCK_WALLETS: Final = """
SELECT w.id, w.agency_id, w.kind, w.available, w.held, w.frozen, w.reserved, w.debt, w.version,
       w.head_hash
FROM unnest($1::text[], $2::text[]) AS wanted (agency_id, id)
JOIN wallets w ON w.agency_id = wanted.agency_id AND w.id = wanted.id
ORDER BY w.id
FOR NO KEY UPDATE OF w
"""

# Its own statement, after the lock: at READ COMMITTED a statement sees what was committed before
# it began, so one that had waited for a lock would read the lots of before the wait.
OPEN_LOTS: Final = """
SELECT l.wallet_id, l.id, l.kind, l.credits, l.available, l.held, l.frozen, l.reserved,
       l.purchase_id, l.effective_at, l.expires_at
FROM unnest($1::text[], $2::text[]) AS wanted (agency_id, wallet_id)
JOIN ledger_lots l ON l.agency_id = wanted.agency_id AND l.wallet_id = wanted.wallet_id
WHERE l.open
"""

TAKEN_KEYS: Final = """
SELECT k.agency_id, k.tenant, k.operation, k.key, k.request_hash, k.outcome
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     AS wanted (agency_id, tenant, operation, key)
JOIN idempotency_keys k ON k.agency_id = wanted.agency_id AND k.tenant = wanted.tenant
     AND k.operation = wanted.operation AND k.key = wanted.key
"""

EARLIER_ISSUES: Final = """
SELECT t.agency_id, t.cause_id, t.id, t.wallet_id, t.version, t.credits, t.available_after,
       t.held_after, t.frozen_after, t.reserved_after, t.debt_after
FROM unnest($1::text[], $2::text[]) AS wanted (agency_id, purchase_id)
JOIN ledger_transactions t ON t.agency_id = wanted.agency_id AND t.cause_id = wanted.purchase_id
WHERE t.kind = 'ISSUE'
"""

ISSUE_ONCE: Final = "ledger_transactions_issue_once"
"""The index that lets a purchase be issued once."""

IS_STORED: Final = "SELECT 1 FROM ledger_transactions WHERE agency_id = $1 AND id = $2"

Columns = dict[str, str]
"""Column → type, in the order of a row's values."""

_BUCKETS: Final[Columns] = dict.fromkeys(("available", "held", "frozen", "reserved"), "bigint")

WALLETS: Final[Columns] = {
    "agency_id": "text", "id": "text", "version_before": "bigint", **_BUCKETS, "debt": "bigint",
    "version": "bigint", "head_hash": "bytea", "next_expiry_at": "timestamptz",
    "updated_at": "timestamptz",
}  # fmt: skip
LOTS: Final[Columns] = {"agency_id": "text", "id": "text", **_BUCKETS}
NEW_LOTS: Final[Columns] = {
    "id": "text", "agency_id": "text", "wallet_id": "text", "transaction_id": "text",
    "kind": "text", "credits": "bigint", **_BUCKETS, "purchase_id": "text", "currency": "text",
    "retail_unit": "numeric", "wholesale_unit": "numeric", "effective_at": "timestamptz",
    "expires_at": "timestamptz",
}  # fmt: skip
TRANSACTIONS: Final[Columns] = {
    "id": "text", "agency_id": "text", "wallet_id": "text", "version": "bigint", "kind": "text",
    "credits": "bigint", "available_after": "bigint", "held_after": "bigint",
    "frozen_after": "bigint", "reserved_after": "bigint", "debt_after": "bigint",
    "cause_kind": "text", "cause_id": "text", "actor": "text", "reference": "text",
    "reason": "text", "created_at": "timestamptz", "previous_hash": "bytea", "hash": "bytea",
}  # fmt: skip
POSTINGS: Final[Columns] = {
    "agency_id": "text", "transaction_id": "text", "line": "smallint", "from_account": "text",
    "to_account": "text", "credits": "bigint",
}  # fmt: skip
ALLOCATIONS: Final[Columns] = {
    "agency_id": "text", "transaction_id": "text", "line": "smallint", "lot_id": "text",
    "from_account": "text", "to_account": "text", "credits": "bigint",
}  # fmt: skip
OUTBOX: Final[Columns] = {
    "agency_id": "text", "topic": "text", "subject_id": "text", "version": "bigint",
    "kind": "text", "payload": "jsonb", "created_at": "timestamptz",
}  # fmt: skip
KEYS: Final[Columns] = {
    "agency_id": "text", "tenant": "text", "operation": "text", "key": "text",
    "request_hash": "bytea", "subject_id": "text", "outcome": "jsonb",
    "created_at": "timestamptz",
}  # fmt: skip

TABLES: Final = (WALLETS, LOTS, NEW_LOTS, TRANSACTIONS, POSTINGS, ALLOCATIONS, OUTBOX, KEYS)
"""The order of the arrays in WRITE."""


def _write() -> str:
    number = count(1)
    return f"""
WITH changed_wallets AS (
  UPDATE wallets w SET {_set(WALLETS, but=("agency_id", "id", "version_before"))}
  FROM {_unnest(WALLETS, number)}
  WHERE w.agency_id = new.agency_id AND w.id = new.id AND w.version = new.version_before
  RETURNING 1
), changed_lots AS (
  UPDATE ledger_lots l SET {_set(LOTS, but=("agency_id", "id"))}
  FROM {_unnest(LOTS, number)}
  WHERE l.agency_id = new.agency_id AND l.id = new.id
  RETURNING 1
), new_lots AS (
  {_insert("ledger_lots", NEW_LOTS, number)}
), new_transactions AS (
  {_insert("ledger_transactions", TRANSACTIONS, number)}
), new_postings AS (
  {_insert("ledger_postings", POSTINGS, number)}
), new_allocations AS (
  {_insert("ledger_allocations", ALLOCATIONS, number)}
), new_events AS (
  {_insert("outbox_events", OUTBOX, number)}
), new_keys AS (
  {_insert("idempotency_keys", KEYS, number)}
  ON CONFLICT DO NOTHING
  RETURNING 1
)
SELECT (SELECT count(*) FROM changed_wallets) AS wallets,
       (SELECT count(*) FROM changed_lots) AS lots,
       (SELECT count(*) FROM new_keys) AS keys
"""


def _unnest(columns: Columns, number: Iterator[int]) -> str:
    arrays = ", ".join(f"${next(number)}::{_wire(kind)}[]" for kind in columns.values())
    return f"unnest({arrays}) AS new ({', '.join(columns)})"


def _wire(kind: str) -> str:
    """JSON travels as text; every connection decodes text the same, whatever codec it has."""
    return "text" if kind == "jsonb" else kind


def _set(columns: Columns, *, but: Sequence[str]) -> str:
    return ", ".join(f"{name} = new.{name}" for name in columns if name not in but)


def _insert(table: str, columns: Columns, number: Iterator[int]) -> str:
    values = ", ".join(
        f"new.{name}::jsonb" if kind == "jsonb" else f"new.{name}" for name, kind in columns.items()
    )
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {values} FROM {_unnest(columns, number)}"
    )


WRITE: Final = _write()
