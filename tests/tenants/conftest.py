"""One gateway over one world for all tests of the matrix: none of them may change anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.harness import Harness, harness
from tests.tenants.world import World, build_world


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module, in which its gateway lives."""
    return "asyncio"


@pytest.fixture(scope="module")
def world_url(postgres_url: str, template: str) -> Iterator[str]:
    """A database of the module's own."""
    name = f"{template}_world"

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(
            urlsplit(postgres_url)._replace(path="/postgres").geturl()
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'))
    yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    asyncio.run(run(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(scope="module")
async def world(world_url: str) -> World:
    """Two agencies in which every text and number says whose it is."""
    connection = await asyncpg.connect(world_url)
    try:
        return await build_world(connection)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
async def run(world_url: str, world: World) -> AsyncIterator[Harness]:
    """A gateway over the world, without background work that would touch it."""
    async with harness(world_url, workers_in_process=False) as running:
        yield running
