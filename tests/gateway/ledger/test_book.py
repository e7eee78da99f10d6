"""Posting through the real book on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, Self

import pytest

from gateway.database import Connection, row, rows
from gateway.errors import IdempotencyConflict, InsufficientCredits, InvalidInput, NotFound
from gateway.ledger.book import Book, Closed
from gateway.ledger.receipts import Receipt
from tests.gateway.ledger.conftest import Hands
from tests.gateway.ledger.ground import NOON, Ground, lay_ground

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Completion:
    """Marks a purchase as completed, in the unit of work that issues its credits."""

    purchase_id: str
    refuse: bool = False
    kind: ClassVar[str] = "completion"
    calls: ClassVar[list[int]] = []

    @classmethod
    async def apply(cls, connection: Connection, riders: Sequence[tuple[Self, Receipt]]) -> None:
        cls.calls.append(len(riders))
        await rows(
            "UPDATE purchases SET status = 'COMPLETED', completed_at = $2 WHERE id = ANY($1)",
            *([rider.purchase_id for rider, _ in riders], NOON),
            on=connection,
        )
        if any(rider.refuse for rider, _ in riders):
            raise LookupError("this one cannot be completed")


@pytest.fixture(autouse=True)
def _fresh_calls() -> None:
    Completion.calls.clear()


async def test_fifty_spends_race_for_ten_credits_and_ten_win(book: Book, ground: Ground) -> None:
    await book.post(ground.grant(0, 10))
    answers = await asyncio.gather(
        *(book.post(ground.spend(0, 1)) for _ in range(50)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, InsufficientCredits)]
    assert len(refused) == 40
    assert {(refusal.required, refusal.available) for refusal in refused} == {(1, 0)}
    assert await ground.available(0) == 0
    assert [txn["version"] for txn in await ground.transactions(0)] == list(range(1, 12))


async def test_commands_that_arrive_together_share_a_commit(book: Book, ground: Ground) -> None:
    await book.post(ground.grant(0, 100))
    await asyncio.gather(*(book.post(ground.spend(0, 1)) for _ in range(60)))
    commits = await rows("SELECT DISTINCT xmin::text FROM ledger_transactions WHERE kind = 'SPEND'")
    assert len(commits) == 1


async def test_a_receipt_says_what_is_stored(book: Book, ground: Ground) -> None:
    await book.post(ground.grant(0, 10))
    receipt = await book.post(ground.spend(0, 3, reference="search"))
    txn = (await ground.transactions(0))[-1]
    assert receipt == Receipt(
        transaction_ids=(txn["id"],),
        wallet_id=ground.wallets[0],
        version=2,
        available=7,
        held=0,
        frozen=0,
        reserved=0,
        debt=0,
        credits=-3,
    )
    assert Receipt.from_json(receipt.to_json()) == replace(receipt, replayed=True)
    assert (txn["reference"], txn["actor"], txn["available_after"]) == ("search", "test", 7)


async def test_a_refused_command_leaves_nothing_and_hurts_no_neighbour(
    book: Book, ground: Ground
) -> None:
    await book.post(ground.grant(0, 10))
    first, refused, last = await asyncio.gather(
        book.post(ground.spend(0, 4)),
        book.post(ground.spend(0, 7)),
        book.post(ground.spend(0, 6)),
        return_exceptions=True,
    )
    assert isinstance(refused, InsufficientCredits)
    assert (refused.required, refused.available) == (7, 6)
    assert isinstance(first, Receipt)
    assert isinstance(last, Receipt)
    assert (first.version, last.version, last.available) == (2, 3, 0)
    assert await _count("ledger_postings") == 3
    assert await _count("outbox_events") == 3


async def test_a_wallet_of_another_agency_is_unknown(book: Book, ground: Ground) -> None:
    other = await lay_ground()
    await book.post(ground.grant(0, 10))
    with pytest.raises(NotFound):
        await book.post(replace(ground.spend(0, 1), agency_id=other.agency_id))
    with pytest.raises(NotFound):
        await book.post(replace(ground.pool_grant(0, 1), pool_wallet_id=other.pool))
    assert await ground.available(0) == 10


async def test_a_pool_grant_takes_from_the_pool_what_the_client_gets(
    book: Book, ground: Ground
) -> None:
    await book.post(ground.fund(30))
    receipt = await book.post(ground.pool_grant(0, 20))
    assert (receipt.wallet_id, receipt.available) == (ground.wallets[0], 20)
    assert len(receipt.transaction_ids) == 2
    with pytest.raises(InsufficientCredits):
        await book.post(ground.pool_grant(0, 11))
    assert (await ground.available(ground.pool), await ground.available(0)) == (10, 20)


async def test_grants_in_both_directions_of_the_id_order_never_deadlock(
    book: Book, clock: Hands, ground: Ground
) -> None:
    second = Book(clock=clock)
    await book.post(ground.fund(100))
    await asyncio.gather(
        *(other.post(ground.pool_grant(turn % 2, 1)) for turn in range(40)
          for other in (book, second))
    )  # fmt: skip
    assert await ground.available(ground.pool) == 20
    assert await ground.available(0) + await ground.available(1) == 80


async def test_the_same_key_gives_the_stored_answer(book: Book, ground: Ground) -> None:
    await book.post(ground.grant(0, 10))
    first = await book.post(ground.spend(0, 3), idempotency=ground.key("k"))
    await book.post(ground.spend(0, 1))
    again = await book.post(ground.spend(0, 3), idempotency=ground.key("k"))
    assert again == replace(first, replayed=True)
    assert await ground.available(0) == 6


async def test_the_same_key_with_another_input_is_a_conflict(book: Book, ground: Ground) -> None:
    await book.post(ground.grant(0, 10))
    await book.post(ground.spend(0, 3), idempotency=ground.key("k"))
    with pytest.raises(IdempotencyConflict):
        await book.post(ground.spend(0, 4), idempotency=ground.key("k", body=b"b"))
    await book.post(ground.spend(0, 4), idempotency=ground.key("k", body=b"b", operation="hold"))
    assert await ground.available(0) == 3


async def test_a_refusal_leaves_the_key_usable(book: Book, ground: Ground) -> None:
    with pytest.raises(InsufficientCredits):
        await book.post(ground.spend(0, 3), idempotency=ground.key("k"))
    await book.post(ground.grant(0, 10))
    receipt = await book.post(ground.spend(0, 3), idempotency=ground.key("k"))
    assert (receipt.available, receipt.replayed) == (7, False)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b"])
async def test_a_key_that_cannot_be_stored_is_refused(book: Book, ground: Ground, key: str) -> None:
    with pytest.raises(InvalidInput):
        await book.post(ground.grant(0, 1), idempotency=ground.key(key))
    assert await ground.available(0) == 0


async def test_one_key_at_once_from_two_books_is_one_effect(
    book: Book, clock: Hands, ground: Ground
) -> None:
    second = Book(clock=clock)
    await book.post(ground.grant(0, 100))
    receipts = await asyncio.gather(
        *(other.post(ground.spend(0, 3), idempotency=ground.key("k"))
          for _ in range(10) for other in (book, second))
    )  # fmt: skip
    assert len({receipt.transaction_ids for receipt in receipts}) == 1
    assert sorted(receipt.replayed for receipt in receipts) == [False] + [True] * 19
    assert await ground.available(0) == 97


async def test_one_key_on_two_wallets_at_once_is_one_effect(
    book: Book, clock: Hands, ground: Ground
) -> None:
    """No wallet's lock is shared here: the key itself must hold."""
    second = Book(clock=clock)
    await book.post(ground.grant(0, 10))
    await book.post(ground.grant(1, 10))
    for turn in range(10):
        key = ground.key(f"k{turn}")
        first, other = await asyncio.gather(
            book.post(ground.spend(0, 1), idempotency=key),
            second.post(ground.spend(1, 1), idempotency=key),
        )
        assert first.transaction_ids == other.transaction_ids
    assert await ground.available(0) + await ground.available(1) == 10


async def test_a_purchase_is_issued_once_and_completed_in_the_same_unit(
    book: Book, clock: Hands, ground: Ground
) -> None:
    second = Book(clock=clock)
    purchase_id = await ground.purchase(0, 100, bonus=20)
    command = ground.issue(0, purchase_id, 100, bonus=20)
    receipts = await asyncio.gather(
        *(other.post(command, rider=Completion(purchase_id))
          for _ in range(10) for other in (book, second))
    )  # fmt: skip
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert {replace(receipt, replayed=False) for receipt in receipts} == {
        replace(receipts[0], replayed=False)
    }
    assert Completion.calls == [1]
    assert await ground.available(0) == 120
    assert len(await ground.transactions(0)) == 1
    assert await _status(purchase_id) == "COMPLETED"


async def test_riders_of_a_unit_are_applied_together(book: Book, ground: Ground) -> None:
    purchases = [await ground.purchase(0, 10) for _ in range(5)]
    await asyncio.gather(
        *(book.post(ground.issue(0, name, 10), rider=Completion(name)) for name in purchases)
    )
    assert Completion.calls == [5]
    assert await ground.available(0) == 50


async def test_only_the_command_whose_rider_fails_fails(book: Book, ground: Ground) -> None:
    good, bad = await ground.purchase(0, 10), await ground.purchase(0, 20)
    kept, failed, spent = await asyncio.gather(
        book.post(ground.issue(0, good, 10), rider=Completion(good)),
        book.post(ground.issue(0, bad, 20), rider=Completion(bad, refuse=True)),
        book.post(ground.spend(0, 4)),
        return_exceptions=True,
    )
    assert isinstance(kept, Receipt)
    assert isinstance(failed, LookupError)
    assert isinstance(spent, Receipt)
    assert await ground.available(0) == 6
    assert (await _status(good), await _status(bad)) == ("COMPLETED", "PROCESSING")


async def test_late_expiry_is_booked_first_and_a_refusal_books_nothing(
    book: Book, clock: Hands, ground: Ground
) -> None:
    expiry = NOON + timedelta(days=1)
    await book.post(ground.grant(0, 10, expires_at=expiry))
    await book.post(ground.grant(0, 5))
    assert (await ground.wallet(0))["next_expiry_at"] == expiry
    clock.forward(days=3)
    with pytest.raises(InsufficientCredits) as refused:
        await book.post(ground.spend(0, 6))
    assert refused.value.available == 5
    assert len(await ground.transactions(0)) == 2
    receipt = await book.post(ground.spend(0, 5))
    expired, spent = (await ground.transactions(0))[2:]
    assert (expired["kind"], expired["credits"], expired["created_at"]) == ("EXPIRE", -10, expiry)
    assert (spent["id"],) == receipt.transaction_ids
    assert (spent["version"], spent["created_at"]) == (4, clock.now)
    assert (await ground.wallet(0))["next_expiry_at"] is None


async def test_every_transaction_is_told_once_with_contiguous_versions(
    ground: Ground, clock: Hands
) -> None:
    nudges: list[int] = []
    book = Book(clock=clock, on_commit=lambda: nudges.append(1))
    await book.post(ground.grant(0, 10))
    await book.post(ground.spend(0, 3))
    with pytest.raises(InsufficientCredits):
        await book.post(ground.spend(0, 30))
    told = await rows(
        "SELECT topic, version, kind, payload->>'available' AS available, "
        "payload->>'transaction_id' AS txn FROM outbox_events WHERE subject_id = $1 ORDER BY id",
        ground.wallets[0],
    )
    txns = await ground.transactions(0)
    assert told == [
        {"topic": "wallet", "version": 1, "kind": "GRANT", "available": "10", "txn": txns[0]["id"]},
        {"topic": "wallet", "version": 2, "kind": "SPEND", "available": "7", "txn": txns[1]["id"]},
    ]
    assert len(nudges) == 2


async def test_a_failing_listener_does_not_undo_or_double_a_commit(
    ground: Ground, clock: Hands
) -> None:
    def fail() -> None:
        raise RuntimeError("nobody listens")

    receipt = await Book(clock=clock, on_commit=fail).post(ground.grant(0, 10))
    assert receipt.available == 10
    assert await ground.available(0) == 10


async def test_a_cancelled_caller_takes_no_other_command_down(book: Book, ground: Ground) -> None:
    await book.post(ground.grant(0, 10))
    callers = [asyncio.create_task(book.post(ground.spend(0, 1))) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    callers[0].cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [answer.available for answer in answers[1:] if isinstance(answer, Receipt)] == [
        8, 7, 6, 5,
    ]  # fmt: skip
    assert await ground.available(0) == 5


async def test_closing_finishes_what_was_accepted(ground: Ground, clock: Hands) -> None:
    book = Book(clock=clock)
    posted = [asyncio.create_task(book.post(ground.grant(0, 1))) for _ in range(10)]
    await asyncio.sleep(0)
    await book.close()
    assert all(task.done() for task in posted)
    assert await ground.available(0) == 10
    with pytest.raises(Closed):
        await book.post(ground.grant(0, 1))


async def _count(table: str) -> int:
    found = await row(f"SELECT count(*) AS count FROM {table}")
    assert found
    return int(found["count"])


async def _status(purchase_id: str) -> str:
    found = await row("SELECT status FROM purchases WHERE id = $1", purchase_id)
    assert found
    return str(found["status"])
