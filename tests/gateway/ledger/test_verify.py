"""Each kind of row is corrupted behind the ledger's back, and verify names it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest

from gateway.database import rows
from gateway.ledger.book import Book
from gateway.ledger.proof import Finding
from gateway.ledger.verify import verify
from tests.gateway.ledger.ground import NOON, Ground

pytestmark = pytest.mark.anyio


@dataclass
class Story:
    """A wallet with grant (1), issue with bonus (2), spend over two lots (3) and spend (4)."""

    url: str
    wallet_id: str
    purchase_id: str
    txns: list[str]

    async def corrupt(self, statement: str, *values: object) -> None:
        """Change rows as somebody with the database's own password could."""
        intruder = await asyncpg.connect(self.url)
        await intruder.execute("SET session_replication_role = replica")
        done = await intruder.execute(statement, *values)
        await intruder.close()
        assert not done.endswith(" 0"), "the corruption hit a row"

    async def found(self, table: str, id: str, *, word: str) -> None:
        """verify names exactly this row, and says `word`."""
        findings = await verify()
        assert [(finding.table, finding.id) for finding in findings] == [(table, id)]
        assert word in findings[0].what


@pytest.fixture
async def story(database: str, book: Book, ground: Ground) -> Story:
    expiry = NOON + timedelta(days=30)
    await book.post(ground.grant(0, 10, expires_at=expiry))
    purchase_id = await ground.purchase(0, 100, bonus=20)
    await book.post(ground.issue(0, purchase_id, 100, bonus=20))
    await rows(
        "UPDATE purchases SET status = 'COMPLETED', completed_at = $2 WHERE id = $1",
        *(purchase_id, NOON),
    )
    await book.post(ground.spend(0, 15, reference="search"), idempotency=ground.key("k"))
    await book.post(ground.spend(0, 1))
    # A neighbour, and a pool that gave: they must stay clean.
    await book.post(ground.fund(50))
    await book.post(ground.pool_grant(1, 30))
    txns = [str(txn["id"]) for txn in await ground.transactions(0)]
    assert await verify() == []
    return Story(database, ground.wallets[0], purchase_id, txns)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("credits = credits - 1", "credits"),
        ("available_after = available_after - 1", "available is 114, not 115"),
        ("created_at = created_at + interval '1 second'", "hash"),
        ("actor = 'somebody else'", "hash"),
        ("reference = NULL", "hash"),
        ("kind = 'ADJUST'", "hash"),
        ("cause_kind = 'GIFT'", "hash"),
        ("previous_hash = sha256('')", "does not follow"),
        ("hash = sha256('')", "hash"),
    ],
)
async def test_a_changed_transaction(story: Story, change: str, word: str) -> None:
    txn = story.txns[2]
    await story.corrupt(f"UPDATE ledger_transactions SET {change} WHERE id = $1", txn)
    await story.found("ledger_transactions", txn, word=word)


async def test_a_deleted_transaction_with_all_its_rows(story: Story) -> None:
    for table in ("ledger_postings", "ledger_allocations"):
        await story.corrupt(f"DELETE FROM {table} WHERE transaction_id = $1", story.txns[2])
    await story.corrupt("DELETE FROM idempotency_keys WHERE subject_id = $1", story.txns[2])
    await story.corrupt("DELETE FROM ledger_transactions WHERE id = $1", story.txns[2])
    await story.found("ledger_transactions", story.txns[3], word="version 3 is missing")


async def test_a_deleted_newest_transaction(story: Story) -> None:
    for table in ("ledger_postings", "ledger_allocations"):
        await story.corrupt(f"DELETE FROM {table} WHERE transaction_id = $1", story.txns[3])
    await story.corrupt("DELETE FROM ledger_transactions WHERE id = $1", story.txns[3])
    await story.found("ledger_transactions", story.wallet_id, word="version 4 is missing")


async def test_swapped_transactions(story: Story) -> None:
    swap = "UPDATE ledger_transactions SET version = $2 WHERE id = $1"
    await story.corrupt(swap, story.txns[2], 99)
    await story.corrupt(swap, story.txns[3], 3)
    await story.corrupt(swap, story.txns[2], 4)
    await story.found("ledger_transactions", story.txns[3], word="does not follow")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_postings SET credits = credits + 1",
        "UPDATE ledger_postings SET to_account = 'expired'",
        "DELETE FROM ledger_postings",
    ],
)
async def test_a_changed_or_deleted_posting(story: Story, change: str) -> None:
    await story.corrupt(f"{change} WHERE transaction_id = $1", story.txns[2])
    await story.found("ledger_postings", story.txns[2], word="allocations and the hash")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_allocations SET credits = credits + 1",
        "UPDATE ledger_allocations SET to_account = 'expired'",
        "DELETE FROM ledger_allocations",
    ],
)
async def test_a_changed_or_deleted_allocation(story: Story, change: str) -> None:
    await story.corrupt(f"{change} WHERE transaction_id = $1 AND line = 2", story.txns[2])
    await story.found("ledger_allocations", story.txns[2], word="do not add up")


async def test_allocations_moved_to_another_lot(story: Story) -> None:
    await story.corrupt(
        "UPDATE ledger_allocations SET lot_id = (SELECT id FROM ledger_lots "
        "WHERE purchase_id = $2 AND kind = 'PURCHASED') WHERE transaction_id = $1",
        *(story.txns[3], story.purchase_id),
    )
    await story.found("ledger_transactions", story.txns[3], word="hash")


async def test_a_lot_that_holds_less(story: Story) -> None:
    bonus = await _lot(story, "BONUS")
    await story.corrupt("UPDATE ledger_lots SET available = available - 1 WHERE id = $1", bonus)
    await story.found("ledger_lots", bonus, word="available is 13, not 14")


@pytest.mark.parametrize(
    "change",
    ["kind = 'ALLOWANCE'", "credits = 11", "expires_at = expires_at + interval '1 day'"],
)
async def test_a_lot_that_became_something_else(story: Story, change: str) -> None:
    promo = await _lot(story, "PROMO")
    await story.corrupt(f"UPDATE ledger_lots SET {change} WHERE id = $1", promo)
    await story.found("ledger_transactions", story.txns[0], word=promo)


async def test_a_cost_basis_that_became_cheaper(story: Story) -> None:
    purchased = await _lot(story, "PURCHASED")
    await story.corrupt("UPDATE ledger_lots SET wholesale_unit = 0.11 WHERE id = $1", purchased)
    await story.found("ledger_transactions", story.txns[1], word=purchased)


async def test_a_deleted_lot(story: Story) -> None:
    await story.corrupt("DELETE FROM ledger_lots WHERE id = $1", await _lot(story, "PROMO"))
    await story.found("ledger_transactions", story.txns[0], word="hash")


async def test_a_lot_that_nobody_made(story: Story) -> None:
    await story.corrupt(
        "INSERT INTO ledger_lots (id, agency_id, wallet_id, transaction_id, kind, credits, "
        "available, effective_at) SELECT 'lot_forged', agency_id, wallet_id, 'txn_none', 'PROMO', "
        "5, 5, effective_at FROM ledger_lots WHERE id = $1",
        await _lot(story, "PROMO"),
    )
    await story.found("ledger_lots", "lot_forged", word="no transaction made it")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("available = available + 1", "available is 115, not 114"),
        ("available = 0, debt = 5", "debt is 5, not 0"),
        ("version = 3", "version is 3, its transactions say 4"),
        ("head_hash = sha256('')", "head_hash"),
        ("next_expiry_at = now()", "next_expiry_at"),
    ],
)
async def test_a_changed_wallet(story: Story, change: str, word: str) -> None:
    await story.corrupt(f"UPDATE wallets SET {change} WHERE id = $1", story.wallet_id)
    await story.found("wallets", story.wallet_id, word=word)


async def test_a_completed_purchase_without_its_issue(story: Story, ground: Ground) -> None:
    unpaid = await ground.purchase(0, 50)
    await story.corrupt(
        "UPDATE purchases SET status = 'COMPLETED', completed_at = $2 WHERE id = $1",
        *(unpaid, NOON),
    )
    await story.found("purchases", unpaid, word="not issued")


async def test_an_issue_whose_purchase_is_not_completed(story: Story) -> None:
    await story.corrupt(
        "UPDATE purchases SET status = 'CANCELED', completed_at = NULL WHERE id = $1",
        story.purchase_id,
    )
    await story.found("ledger_transactions", story.txns[1], word="not completed")


async def test_a_key_that_points_nowhere(story: Story) -> None:
    await story.corrupt("UPDATE idempotency_keys SET subject_id = $1", "txn_none")
    await story.found("idempotency_keys", "spendCredits k", word="not there")


async def test_a_posting_without_a_transaction(story: Story) -> None:
    await story.corrupt(
        "INSERT INTO ledger_postings (agency_id, transaction_id, line, from_account, to_account, "
        "credits) SELECT agency_id, 'txn_none', 1, 'pool', 'available', 5 FROM ledger_postings "
        "WHERE transaction_id = $1 AND line = 1",
        story.txns[0],
    )
    await story.found("ledger_postings", "txn_none", word="not there")


async def test_a_pool_changed_by_a_spend(story: Story, ground: Ground) -> None:
    first = (await ground.transactions(ground.pool))[0]["id"]
    await story.corrupt("UPDATE ledger_transactions SET kind = 'SPEND' WHERE id = $1", first)
    await story.found("ledger_transactions", first, word="no transaction of a POOL wallet")


async def test_each_wallet_names_its_first_wrong_row(story: Story, ground: Ground) -> None:
    await story.corrupt("UPDATE ledger_transactions SET actor = 'x' WHERE version = 1")
    firsts = {
        str((await ground.transactions(wallet))[0]["id"])
        for wallet in (ground.pool, *ground.wallets)
    }
    assert {finding.id for finding in await verify()} == firsts


async def test_progress_and_plain_findings(story: Story) -> None:
    seen: list[tuple[int, int]] = []
    await verify(on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]
    assert Finding("wallets", story.wallet_id, "wrong", story.wallet_id).as_dict() == {
        "table": "wallets",
        "id": story.wallet_id,
        "what": "wrong",
        "wallet_id": story.wallet_id,
    }


async def _lot(story: Story, kind: str) -> str:
    found = await rows(
        "SELECT id FROM ledger_lots WHERE wallet_id = $1 AND kind = $2", story.wallet_id, kind
    )
    return str(found[0]["id"])
