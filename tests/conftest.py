"""What every test may ask for: a real PostgreSQL with the schema in it, opened or only named."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.database import close_database, migrate, open_database
from gateway.local_postgres import start_local_postgres

_numbers = count(1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server to make databases on: DATABASE_URL's, or a private one without fsync."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    server = start_local_postgres(tmp_path_factory.mktemp("postgres"), durable=False)
    yield server.url
    server.stop()


def _named(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _run(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(_named(url, "postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


@pytest.fixture(scope="session")
def template(postgres_url: str) -> Iterator[str]:
    """Name of a migrated, empty database that others are copied from."""
    name = f"rebill_template_{os.getpid()}"
    _run(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    asyncio.run(migrate(_named(postgres_url, name)))
    yield name
    _run(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(postgres_url: str, template: str) -> Iterator[str]:
    """A fresh, migrated database of this test's own."""
    name = f"rebill_test_{os.getpid()}_{next(_numbers)}"
    _run(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    yield _named(postgres_url, name)
    _run(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[str]:
    """The same, opened for this process."""
    await open_database(database_url)
    yield database_url
    await close_database()
