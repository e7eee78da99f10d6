"""What the database refuses even when the ledger is not asked."""

from __future__ import annotations

import pytest
from tortoise.exceptions import IntegrityError

from gateway.database import rows
from gateway.ledger.book import Book
from tests.gateway.ledger.ground import Ground

pytestmark = pytest.mark.anyio

_COPY = "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} LIMIT 1"


@pytest.fixture(autouse=True)
async def _some_rows(book: Book, ground: Ground) -> None:
    purchase_id = await ground.purchase(0, 10)
    await book.post(ground.issue(0, purchase_id, 10))
    await book.post(ground.spend(0, 4), idempotency=ground.key("k"))


@pytest.mark.parametrize("table", ["ledger_transactions", "ledger_postings", "ledger_allocations"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET credits = credits", "DELETE FROM {}", "TRUNCATE {} CASCADE"],
)
async def test_what_is_recorded_is_never_changed(table: str, statement: str) -> None:
    before = await rows(f"SELECT * FROM {table}")
    with pytest.raises(IntegrityError, match="never changed or deleted"):
        await rows(statement.format(table))
    assert await rows(f"SELECT * FROM {table}") == before


@pytest.mark.parametrize(
    "change",
    [
        "wallets SET available = -1",
        "wallets SET held = -1",
        "wallets SET frozen = -1",
        "wallets SET reserved = -1",
        "wallets SET debt = -1",
        "wallets SET debt = 1",
        "wallets SET version = -1",
        "wallets SET head_hash = ''",
        "wallets SET kind = 'POOL'",
        "wallets SET agency_id = 'agy_other'",
        "ledger_lots SET available = -1",
        "ledger_lots SET available = 11",
        "ledger_lots SET held = 5",
        "ledger_lots SET credits = 0",
        "ledger_lots SET kind = 'PROMO'",
        "ledger_lots SET expires_at = effective_at",
        "ledger_lots SET wallet_id = 'wal_none'",
        "ledger_lots SET purchase_id = 'pur_none'",
        "idempotency_keys SET key = ''",
        "idempotency_keys SET request_hash = ''",
        "outbox_events SET topic = 'gossip'",
    ],
)
async def test_a_state_that_must_not_be_is_refused(change: str, ground: Ground) -> None:
    before = await ground.wallet(0)
    lots = await rows("SELECT * FROM ledger_lots")
    client_row = "WHERE kind = 'CLIENT' AND version > 0" * change.startswith("wallets")
    with pytest.raises(IntegrityError):
        await rows(f"UPDATE {change} {client_row}")
    assert await ground.wallet(0) == before
    assert await rows("SELECT * FROM ledger_lots") == lots


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("ledger_postings", {"line": "9", "credits": "0"}),
        ("ledger_postings", {"line": "9", "to_account": "from_account"}),
        ("ledger_postings", {"line": "9", "to_account": "'elsewhere'"}),
        ("ledger_postings", {"line": "9", "transaction_id": "'txn_none'"}),
        ("ledger_postings", {}),
        ("ledger_allocations", {"line": "9", "credits": "0"}),
        ("ledger_allocations", {"line": "9", "lot_id": "'lot_none'"}),
        ("ledger_allocations", {}),
        ("ledger_transactions", {"id": "'txn_new'"}),
        ("ledger_transactions", {"id": "'txn_new'", "version": "0"}),
        ("ledger_transactions", {"id": "'txn_new'", "version": "9", "kind": "'MAGIC'"}),
        ("ledger_transactions", {"id": "'txn_new'", "version": "9", "held_after": "-1"}),
        ("ledger_transactions", {"id": "'txn_new'", "version": "9", "hash": "''"}),
        ("ledger_transactions", {"id": "'txn_new'", "version": "9", "wallet_id": "'wal_none'"}),
        # The same purchase a second time.
        ("ledger_transactions", {"id": "'txn_new'", "version": "9"}),
    ],
)
async def test_a_row_that_must_not_be_is_refused(table: str, values: dict[str, str]) -> None:
    count = f"SELECT count(*) AS count FROM {table}"
    names = await rows(
        "SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1 "
        "AND column_default IS NULL AND is_generated = 'NEVER'",
        table,
    )
    columns = [str(found["name"]) for found in names]
    before = await rows(count)
    insert = _COPY.format(
        table=table,
        columns=", ".join(columns),
        values=", ".join(values.get(name, name) for name in columns),
    )
    with pytest.raises(IntegrityError):
        await rows(insert)
    assert await rows(count) == before
