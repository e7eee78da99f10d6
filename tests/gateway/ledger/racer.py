"""A process of its own that posts commands; started by the tests of several processes.

python -m tests.gateway.ledger.racer URL MODE, with the ground as JSON on standard input; prints
"ready", waits for a line, works, and prints its answers as JSON lines."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.clock import system_clock
from gateway.database import close_database, open_database
from gateway.errors import Refusal
from gateway.ledger.book import Book
from tests.gateway.ledger.ground import Ground

Mode = Callable[[Book, Ground, int], Awaitable[None]]


def say(**answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def race(book: Book, ground: Ground, seed: int) -> None:
    """25 spends of one credit at once."""
    answers = await asyncio.gather(
        *(book.post(ground.spend(0, 1)) for _ in range(25)), return_exceptions=True
    )
    say(won=sum(not isinstance(answer, Exception) for answer in answers))


async def keys(book: Book, ground: Ground, seed: int) -> None:
    """20 keys, each three times at once; the other process uses the same ones."""
    receipts = await asyncio.gather(
        *(
            book.post(ground.spend(number % 2, 1), idempotency=ground.key(f"k{number}"))
            for number in range(20)
            for _ in range(3)
        )
    )
    for receipt in receipts:
        say(**json.loads(receipt.to_json()))


async def mix(book: Book, ground: Ground, seed: int) -> None:
    """Spends, presents and pool grants on nearly empty wallets, 8 callers, 50 commands each."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret

    async def caller() -> None:
        for _ in range(50):
            wallet, credits = chance.randrange(2), chance.randrange(1, 8)
            command = chance.choice(
                [
                    ground.spend(wallet, credits),
                    ground.spend(wallet, credits),
                    ground.grant(wallet, credits),
                    ground.pool_grant(wallet, credits),
                    ground.fund(credits),
                ]
            )
            try:
                await book.post(command)
            except Refusal:
                refused.append(1)

    refused: list[int] = []
    await asyncio.gather(*(caller() for _ in range(8)))
    say(refused=len(refused))


async def endless(book: Book, ground: Ground, seed: int) -> None:
    """Spend until killed, and print each acknowledged transaction."""

    async def caller(wallet: int) -> None:
        while True:
            receipt = await book.post(ground.spend(wallet, 1))
            say(txn=receipt.transaction_ids[0])

    await asyncio.gather(*(caller(number % 2) for number in range(16)))


MODES: dict[str, Mode] = {"race": race, "keys": keys, "mix": mix, "endless": endless}


async def main(url: str, mode: str, seed: int) -> None:
    ground = Ground(**json.loads(sys.stdin.readline()))
    await open_database(url)
    book = Book(clock=system_clock)
    say(ready=True)
    await asyncio.to_thread(sys.stdin.readline)
    await MODES[mode](book, ground, seed)
    await book.close()
    await close_database()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
