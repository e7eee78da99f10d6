"""Two gateways on one PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.database import rows, transaction
from gateway.ledger.book import Book
from gateway.ledger.verify import verify
from tests.gateway.ledger.conftest import Hands
from tests.gateway.ledger.ground import Ground

pytestmark = pytest.mark.anyio

# What must hold in every committed snapshot, for every wallet: the row, its lots, its
# transactions and its postings say the same.
BROKEN = """
SELECT w.id FROM wallets w
LEFT JOIN (SELECT wallet_id, sum(available) AS available FROM ledger_lots GROUP BY 1) l
  ON l.wallet_id = w.id
LEFT JOIN (SELECT wallet_id, sum(credits) AS credits, count(*) AS count, max(version) AS version
           FROM ledger_transactions GROUP BY 1) t ON t.wallet_id = w.id
LEFT JOIN (SELECT t.wallet_id,
                  sum(CASE WHEN p.to_account = 'available' THEN p.credits
                           WHEN p.from_account = 'available' THEN -p.credits END) AS credits
           FROM ledger_postings p JOIN ledger_transactions t ON t.id = p.transaction_id
           GROUP BY 1) p ON p.wallet_id = w.id
WHERE w.available <> coalesce(l.available, 0) OR w.available <> coalesce(t.credits, 0)
   OR w.available <> coalesce(p.credits, 0) OR w.version <> coalesce(t.count, 0)
   OR w.version <> coalesce(t.version, 0) OR w.available < 0
"""


class Racer:
    """A running `racer` process."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, url: str, mode: str, ground: Ground, *, seed: int = 0) -> Racer:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.gateway.ledger.racer", url, mode, str(seed)),
            stdin=PIPE,
            stdout=PIPE,
        )
        racer = cls(process)
        await racer.tell(json.dumps(asdict(ground)))
        assert await racer.hear() == {"ready": True}
        return racer

    async def tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self) -> Any:
        assert self.process.stdout
        return json.loads(await asyncio.wait_for(self.process.stdout.readline(), 30))

    async def rest(self) -> list[Any]:
        """Everything it still says, until its end."""
        assert self.process.stdout
        said = await asyncio.wait_for(self.process.stdout.read(), 60)
        await self.process.wait()
        # A killed process may have left half a line.
        return [json.loads(line) for line in said.split(b"\n")[:-1]]


async def both(url: str, mode: str, ground: Ground) -> list[Racer]:
    racers = [await Racer.start(url, mode, ground, seed=seed) for seed in (1, 2)]
    for racer in racers:
        await racer.tell("go")
    return racers


@pytest.fixture
def clock() -> Hands:
    hands = Hands()
    hands.now = datetime.now(UTC)
    return hands


async def test_fifty_spends_from_two_processes_for_ten_credits(
    database: str, book: Book, ground: Ground
) -> None:
    await book.post(ground.grant(0, 10))
    racers = await both(database, "race", ground)
    won = [(await racer.rest())[0]["won"] for racer in racers]
    assert sum(won) == 10
    assert await ground.available(0) == 0
    assert len(await ground.transactions(0)) == 11
    assert await verify() == []


async def test_the_same_keys_from_two_processes_have_one_effect_each(
    database: str, book: Book, ground: Ground
) -> None:
    await book.post(ground.grant(0, 100))
    await book.post(ground.grant(1, 100))
    racers = await both(database, "keys", ground)
    answers = [answer for racer in racers for answer in await racer.rest()]
    assert len(answers) == 120
    firsts = [answer for answer in answers if not answer["replayed"]]
    assert len(firsts) == 20
    told = Counter(json.dumps({**answer, "replayed": True}) for answer in answers)
    assert sorted(told.values()) == [6] * 20
    assert (await ground.available(0), await ground.available(1)) == (90, 90)
    assert await verify() == []


async def test_every_committed_snapshot_holds_under_mixed_load(
    database: str, book: Book, ground: Ground
) -> None:
    await book.post(ground.fund(50))
    racers = await both(database, "mix", ground)
    ends = asyncio.gather(*(racer.rest() for racer in racers))
    looks = 0
    while not ends.done():
        async with transaction() as connection:
            await connection.execute_query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert await rows(BROKEN, on=connection) == []
        looks += 1
        await asyncio.sleep(0.01)
    assert looks > 5
    refused = sum(said[0]["refused"] for said in await ends)
    written = await rows("SELECT kind FROM ledger_transactions WHERE kind <> 'POOL_OUT'")
    assert len(written) == 801 - refused
    assert await verify() == []


async def test_a_killed_process_loses_nothing_it_acknowledged(
    database: str, book: Book, ground: Ground
) -> None:
    await book.post(ground.grant(0, 100_000))
    await book.post(ground.grant(1, 100_000))
    killed, other = await both(database, "endless", ground)
    heard = [(await killed.hear())["txn"] for _ in range(200)]
    killed.process.send_signal(signal.SIGKILL)
    heard += [said["txn"] for said in await killed.rest()]
    # The survivor goes on; its locks were not taken along.
    survived = [(await other.hear())["txn"] for _ in range(500)]
    other.process.send_signal(signal.SIGKILL)
    survived += [said["txn"] for said in await other.rest()]
    assert await _missing(heard + survived) == []
    assert await verify() == []


async def _missing(txns: list[str]) -> list[str]:
    stored = await rows("SELECT id FROM ledger_transactions WHERE id = ANY($1)", txns)
    assert len(set(txns)) == len(txns)
    return sorted(set(txns) - {str(found["id"]) for found in stored})
