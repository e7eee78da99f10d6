"""PostgreSQL through Tortoise: start, transactions, hand-written SQL, migrations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pkgutil import iter_modules
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import asyncpg
from tortoise import Tortoise, connections
from tortoise.backends.base.client import (
    BaseDBAsyncClient,
    TransactionalDBClient,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.migrations.api.migrate import migrate as tortoise_migrate
from tortoise.migrations.executor import MigrationExecutor

from gateway import migrations

Row = dict[str, Any]
Connection = BaseDBAsyncClient

_APP: Final = "rebill"
_MIGRATION_LOCK: Final = 0x5265_6269_6C6C  # "Rebill"


class _StatelessConnection(asyncpg.Connection):
    """No request leaves session state behind, so a release needs no reset round trip."""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's name
        """Nothing to reset."""


def tortoise_config(url: str, *, pool_size: int = 20, statement_timeout_s: int = 15) -> Row:
    """Tortoise's configuration for `url` (postgres://user:password@host:port/database)."""
    parts = urlsplit(url)
    return {
        "connections": {
            "default": {
                "engine": "tortoise.backends.asyncpg",
                "credentials": {
                    "host": parts.hostname,
                    "port": parts.port or 5432,
                    "user": unquote(parts.username or "postgres"),
                    "password": unquote(parts.password or ""),
                    "database": parts.path.lstrip("/"),
                    "minsize": 1,
                    "maxsize": pool_size,
                    "connection_class": _StatelessConnection,
                    "server_settings": {
                        "application_name": "rebill",
                        "statement_timeout": str(statement_timeout_s * 1000),
                        "idle_in_transaction_session_timeout": "30000",
                    },
                },
            }
        },
        "apps": {
            _APP: {
                "models": ["gateway.models"],
                "migrations": "gateway.migrations",
                "default_connection": "default",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


async def open_database(url: str, *, pool_size: int = 20) -> None:
    """Connect this process. After: models and the functions below work in every task."""
    await Tortoise.init(
        config=tortoise_config(url, pool_size=pool_size), _enable_global_fallback=True
    )


async def close_database() -> None:
    """Give every connection back."""
    await Tortoise.close_connections()


def connection() -> Connection:
    """The pool; each statement on it commits by itself."""
    pool: Connection = connections.get("default")
    return pool


@asynccontextmanager
async def transaction() -> AsyncIterator[Connection]:
    """One database transaction. Never wait for the network, nor start a task, inside it."""
    opening = connection()._in_transaction()  # noqa: SLF001 - what tortoise's in_transaction does
    if isinstance(opening, TransactionContextPooled):
        opening = _Opening(opening.client, opening._pool_init_lock)  # noqa: SLF001
    async with opening as open_connection:
        yield open_connection


class _Opening(TransactionContextPooled):
    """Tortoise keeps the connection for ever when BEGIN fails on it, as it does after a restart
    of the database: each failure makes the pool smaller, until every request waits."""

    async def __aenter__(self) -> TransactionalDBClient:
        try:
            return await super().__aenter__()
        except BaseException:
            taken, pool = self.client._connection, self.client._parent._pool  # noqa: SLF001
            if hasattr(self, "token"):
                get_connections().reset(self.token)
            if taken is not None and pool is not None:
                await pool.release(taken)
            raise


async def rows(sql: str, *values: object, on: Connection | None = None) -> list[Row]:
    """All rows of a hand-written statement; also of `… RETURNING`."""
    return await (on or connection()).execute_query_dict(sql, list(values))


async def row(sql: str, *values: object, on: Connection | None = None) -> Row | None:
    """The first row, or None."""
    found = await rows(sql, *values, on=on)
    return found[0] if found else None


def migration_names() -> list[str]:
    """Names of all migrations that this code has, in order."""
    return sorted(found.name for found in iter_modules(migrations.__path__))


async def pending_migrations() -> list[str]:
    """Names of the migrations that the open database lacks, in order."""
    apps = tortoise_config("")["apps"]
    plan = await MigrationExecutor(connection(), apps).plan()
    return [step.migration.name for step in plan]


async def migrate(url: str, *, progress: Callable[[str, str, str], object] | None = None) -> None:
    """Bring the schema up to date. Safe to start in several processes at once: an advisory lock
    lets one work and the others find nothing to do."""
    lock = await asyncpg.connect(url)
    try:
        await lock.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        config = tortoise_config(url, pool_size=2, statement_timeout_s=0)
        await tortoise_migrate(config=config, progress=progress)
        await Tortoise.close_connections()
    finally:
        await lock.close()
