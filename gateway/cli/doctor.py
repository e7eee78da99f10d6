"""`rebill doctor`: is everything around this process as it must be?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import unquote, urlsplit

from gateway.clock import system_clock
from gateway.database import close_database, open_database, pending_migrations, row, rows
from gateway.settings import Settings
from gateway.stripe_connect.client import StripeConnect

_REDIS_TIMEOUT_S: Final = 3
_CLOCK_TOLERANCE: Final = timedelta(seconds=2)
_EXPECTED_TRIGGERS: Final = {
    "ledger_transactions_append_only",
    "ledger_postings_append_only",
    "ledger_allocations_append_only",
    "retail_prices_append_only",
    "wholesale_prices_append_only",
}


@dataclass(frozen=True, slots=True)
class Examination:
    """One look: what was found, and what to do when it is not as it must be."""

    name: str
    passed: bool
    detail: str
    fix: str = ""


Look = Callable[[Settings], Awaitable[Examination]]


async def examine(settings: Settings) -> list[Examination]:
    """All looks, in order; a database that does not answer ends those that need it."""
    try:
        await open_database(settings.database_url.get_secret_value(), pool_size=2)
        await rows("SELECT 1")
    except Exception as error:  # noqa: BLE001 - whatever the driver says is the finding
        unreachable = Examination(
            "database",
            passed=False,
            detail=f"does not answer ({type(error).__name__})",
            fix="Check DATABASE_URL and that the server is up and lets this machine in.",
        )
        return [unreachable, await _stripe(settings), await _redis(settings)]
    try:
        return [await look(settings) for look in _LOOKS]
    finally:
        await close_database()


async def _database(_settings: Settings) -> Examination:
    found = await row("SELECT current_setting('server_version') AS version")
    assert found is not None
    passed = int(found["version"].split(".")[0]) >= 15
    return Examination(
        "database", passed, f"PostgreSQL {found['version']}", "Use PostgreSQL 15 or newer."
    )


async def _migrations(_settings: Settings) -> Examination:
    waiting = await pending_migrations()
    detail = f"missing {', '.join(waiting)}" if waiting else "up to date"
    return Examination("migrations", not waiting, detail, "Run: rebill migrate")


async def _constraints(_settings: Settings) -> Examination:
    found = await rows(
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    )
    missing = _EXPECTED_TRIGGERS - {entry["tgname"] for entry in found}
    unchecked = await rows(
        "SELECT conname FROM pg_constraint WHERE NOT convalidated "
        "AND connamespace = 'public'::regnamespace"
    )
    wrong = sorted(missing) + [entry["conname"] for entry in unchecked]
    detail = f"missing or switched off: {', '.join(wrong)}" if wrong else "all in force"
    return Examination(
        "constraints",
        not wrong,
        detail,
        "Somebody changed the schema by hand. Restore it from gateway/migrations, "
        "then run: rebill verify",
    )


async def _clock(_settings: Settings) -> Examination:
    found = await row("SELECT clock_timestamp() AS instant")
    assert found is not None
    difference = abs(system_clock() - found["instant"])
    return Examination(
        "clock",
        difference <= _CLOCK_TOLERANCE,
        f"{difference.total_seconds():.3f} s from the database's",
        "Let a time service (NTP) set the clocks of both machines.",
    )


async def _stripe(settings: Settings) -> Examination:
    mode = "live" if settings.livemode else "test"
    where = settings.stripe_api_base
    stripe = StripeConnect(settings)
    try:
        await stripe.ping()
    except Exception as error:  # noqa: BLE001 - whatever Stripe says is the finding
        return Examination(
            "stripe",
            passed=False,
            detail=f"{mode} key, {where}: {type(error).__name__}",
            fix="Check REBILL_STRIPE_API_KEY and that this machine reaches Stripe.",
        )
    finally:
        await stripe.close()
    return Examination("stripe", passed=True, detail=f"{mode} key accepted by {where}")


async def _redis(settings: Settings) -> Examination:
    if settings.redis_url is None:
        return Examination(
            "redis", passed=True, detail="not set: run one gateway process, live stays inside it"
        )
    try:
        async with asyncio.timeout(_REDIS_TIMEOUT_S):
            await _ping_redis(settings.redis_url.get_secret_value())
    except (OSError, TimeoutError, ValueError) as error:
        return Examination(
            "redis",
            passed=False,
            detail=f"does not answer PING ({type(error).__name__})",
            fix="Check REDIS_URL, or unset it: this version keeps live events in one process.",
        )
    return Examination("redis", passed=True, detail="answers; money never depends on it")


async def _ping_redis(url: str) -> None:
    """AUTH and PING in the Redis protocol (RESP). Raises OSError or ValueError."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or 6379, ssl=True if parts.scheme == "rediss" else None
    )
    try:
        commands = [["PING"]]
        if parts.password:
            user = [unquote(parts.username)] if parts.username else []
            commands.insert(0, ["AUTH", *user, unquote(parts.password)])
        for command in commands:
            words = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in command)
            writer.write(f"*{len(command)}\r\n{words}".encode())
            answer = await reader.readline()
            if not answer.startswith((b"+OK", b"+PONG")):
                raise ValueError("the server refused")
    finally:
        writer.close()


_LOOKS: Final[tuple[Look, ...]] = (_database, _migrations, _constraints, _clock, _stripe, _redis)
