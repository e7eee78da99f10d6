"""Ledger changes per second beside pgbench, on one private PostgreSQL with fsync on.

    python -m benchmarks.ledger [--seconds 5] [--rounds 2] [--json]

Ours: callers in this process post spends of one credit, each with an idempotency key, through
`Book`. pgbench: the same rows (key, wallet, lot, transaction, posting, allocation, outbox event)
in one prepared statement per change, with fixed bytes where we compute hashes and JSON. Each side
has wallets of its own. Server, pgbench and this process share the machine, and the rounds of both
sides alternate: only the ratios of one run mean anything."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from benchmarks import ledger_pgbench
from benchmarks.ledger_seed import AGENCIES, agency_id, seed, wallet_id
from gateway.clock import system_clock
from gateway.database import close_database, migrate, open_database
from gateway.ledger.book import Book
from gateway.ledger.commands import Spend
from gateway.ledger.receipts import Idempotency
from gateway.local_postgres import start_local_postgres

WALLETS = 10_000
CALLERS = (64, 256, 512)
CLIENTS = (8, 16, 32, 64)
WARM_UP_S = 1.0
SINGLE_SPENDS = 2_000


@dataclass
class Rates:
    """Changes per second by number of callers (ours) or clients (pgbench); the best round."""

    ours: dict[int, int] = field(default_factory=dict)
    pgbench: dict[int, int] = field(default_factory=dict)

    @property
    def ratios(self) -> dict[str, float]:
        """Our best against pgbench's best, and against pgbench with its most clients."""
        best = max(self.ours.values())
        return {
            "best": round(best / max(self.pgbench.values()), 2),
            f"pgbench_{CLIENTS[-1]}_clients": round(best / self.pgbench[CLIENTS[-1]], 2),
        }


def spend(number: int, key: str) -> tuple[Spend, Idempotency]:
    """One credit from wallet `number`."""
    agency, wallet = agency_id(number), wallet_id(number)
    command = Spend(agency_id=agency, wallet_id=wallet, actor="benchmark", credits=1)
    return command, Idempotency(agency, agency, "spendCredits", key, b"h" * 32)


def any_wallet() -> int:
    """One of ours by chance."""
    return random.randrange(WALLETS)


def the_hot_wallet() -> int:
    """Always the same one."""
    return 0


async def changes_per_s(pick: Callable[[], int], *, callers: int, seconds: float) -> int:
    """Post spends from `callers` at once for `seconds` after a warm-up; answer the rate."""
    book, run, done = Book(clock=system_clock), random.getrandbits(64), 0

    async def caller(number: int) -> None:
        nonlocal done
        turn = 0
        while not over:
            turn += 1
            command, key = spend(pick(), f"{run}-{number}-{turn}")
            await book.post(command, idempotency=key)
            done += 1

    over = False
    tasks = [asyncio.create_task(caller(number)) for number in range(callers)]
    await asyncio.sleep(WARM_UP_S)
    before, started = done, time.perf_counter()
    await asyncio.sleep(seconds)
    rate = (done - before) / (time.perf_counter() - started)
    over = True
    await asyncio.gather(*tasks)
    return round(rate)


async def single_caller_ms() -> dict[str, float]:
    """p50 and p99 of one caller's spends, nobody else around, in milliseconds."""
    book, run, times = Book(clock=system_clock), random.getrandbits(64), []
    for turn in range(SINGLE_SPENDS):
        command, key = spend(any_wallet(), f"{run}-{turn}")
        started = time.perf_counter()
        await book.post(command, idempotency=key)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return {"p50": round(times[len(times) // 2], 2), "p99": round(times[len(times) * 99 // 100], 2)}


async def measure(url: str, folder: Path, *, seconds: float, rounds: int, hot: bool) -> Rates:
    """Both sides by turns. Ours uses wallets below WALLETS, pgbench the ones from there on."""
    rates = Rates()
    for _ in range(rounds):
        for callers in CALLERS:
            pick = the_hot_wallet if hot else any_wallet
            rate = await changes_per_s(pick, callers=callers, seconds=seconds)
            rates.ours[callers] = max(rate, rates.ours.get(callers, 0))
        for clients in CLIENTS:
            rate = await asyncio.to_thread(
                ledger_pgbench.changes_per_s,
                url,
                folder,
                first=WALLETS,
                last=WALLETS if hot else 2 * WALLETS - 1,
                agencies=AGENCIES,
                clients=clients,
                seconds=seconds,
            )
            rates.pgbench[clients] = max(rate, rates.pgbench.get(clients, 0))
    return rates


async def run(url: str, folder: Path, *, seconds: float, rounds: int) -> dict[str, object]:
    """The whole benchmark on an empty database; the figures as plain JSON."""
    await migrate(url)
    await open_database(url)
    await seed(url, wallets=2 * WALLETS)
    single = await single_caller_ms()
    many = await measure(url, folder, seconds=seconds, rounds=rounds, hot=False)
    hot = await measure(url, folder, seconds=seconds, rounds=rounds, hot=True)
    await close_database()
    return {
        "single_caller_ms": single,
        "many_wallets": asdict(many) | {"ratio": many.ratios},
        "hot_wallet": asdict(hot) | {"ratio": hot.ratios},
    }


def show(figures: dict[str, object]) -> str:
    """The figures for a person."""
    lines = [f"single caller, ms: {figures['single_caller_ms']}"]
    for name in ("many_wallets", "hot_wallet"):
        part = figures[name]
        assert isinstance(part, dict)
        lines.append(f"{name}, changes per second by callers or clients:")
        lines += [f"  {side:8} {part[side]}" for side in ("ours", "pgbench", "ratio")]
    return "\n".join(lines)


def main() -> None:
    """Start a server, measure, print, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = start_local_postgres(folder / "postgres", durable=True)
        try:
            figures = uvloop.run(
                run(server.url, folder, seconds=options.seconds, rounds=options.rounds)
            )
        finally:
            server.stop()
    sys.stdout.write((json.dumps(figures) if options.json else show(figures)) + "\n")


if __name__ == "__main__":
    main()
