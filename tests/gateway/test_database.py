from __future__ import annotations

import asyncio
import threading

import asyncpg
import pytest
from tortoise.exceptions import DBConnectionError

from gateway.database import close_database, open_database, rows, transaction

pytestmark = pytest.mark.anyio


async def test_the_schema_is_there(database: str) -> None:
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {"wallets", "ledger_transactions"} <= {table["tablename"] for table in tables}


def end_all_sessions(url: str) -> None:
    """End every session of the database, as its restart does, before the caller can notice."""

    async def end() -> None:
        admin = await asyncpg.connect(url)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await admin.close()

    # In a thread that is waited for: this loop must not learn of the lost connections meanwhile.
    thread = threading.Thread(target=lambda: asyncio.run(end()))
    thread.start()
    thread.join()


async def test_a_transaction_that_cannot_begin_gives_its_connection_back(
    database_url: str,
) -> None:
    await open_database(database_url, pool_size=2)
    try:
        failed = 0
        for _ in range(6):
            async with transaction():
                pass
            end_all_sessions(database_url)
            try:
                async with transaction():
                    pass
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, DBConnectionError):
                failed += 1
        assert failed > 2, "BEGIN never met a lost session: this would prove nothing"
        async with asyncio.timeout(10), transaction():
            assert await rows("SELECT 1 AS one") == [{"one": 1}]
    finally:
        await close_database()
