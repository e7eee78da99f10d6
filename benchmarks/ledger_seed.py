"""Rows for the ledger benchmark: agencies, clients, wallets with one lot each, numbered ids."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg

from gateway.clock import system_clock
from gateway.ledger.book import Book
from gateway.ledger.chain import first_hash
from gateway.ledger.commands import Grant, GrantSource

AGENCIES = 100
CREDITS = 1_000_000_000
_NOW = datetime(2027, 1, 1, tzinfo=UTC)


def agency_id(number: int) -> str:
    """The agency of wallet `number`."""
    return f"agy_{number % AGENCIES:026d}"


def wallet_id(number: int) -> str:
    return f"wal_{number:026d}"


async def seed(url: str, *, wallets: int) -> None:
    """Wallets 0 to `wallets` - 1 with plenty of credits, put there by the ledger itself."""
    await _lay_ground(url, wallets)
    book = Book(clock=system_clock)
    for start in range(0, wallets, 512):
        numbers = range(start, min(start + 512, wallets))
        await asyncio.gather(*(book.post(_grant(number)) for number in numbers))
    await book.close()
    await _settle_down(url)


async def _lay_ground(url: str, wallets: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO plans (id, name, created_at) VALUES ('p', 'p', now())")
    await connection.execute(
        "INSERT INTO agencies (id, plan_id, name, currency, time_zone, created_at) "
        "SELECT id, 'p', id, 'USD', 'UTC', now() FROM unnest($1::text[]) AS id",
        [agency_id(number) for number in range(AGENCIES)],
    )
    await connection.copy_records_to_table(
        "sub_accounts",
        columns=["id", "agency_id", "name", "created_at"],
        records=[(_client(n), agency_id(n), "client", _NOW) for n in range(wallets)],
    )
    await connection.copy_records_to_table(
        "wallets",
        columns=[
            *("id", "agency_id", "sub_account_id", "kind"),
            *("head_hash", "created_at", "updated_at"),
        ],
        records=[
            (wallet_id(n), agency_id(n), _client(n), "CLIENT", first_hash(wallet_id(n)), _NOW, _NOW)
            for n in range(wallets)
        ],
    )
    await connection.execute("ANALYZE")
    await connection.close()


async def _settle_down(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


def _client(number: int) -> str:
    return f"sub_{number:026d}"


def _grant(number: int) -> Grant:
    return Grant(
        agency_id=agency_id(number),
        wallet_id=wallet_id(number),
        actor="benchmark",
        credits=CREDITS,
        source=GrantSource.PROMO,
        reason="benchmark",
    )
