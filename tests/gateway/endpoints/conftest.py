"""One running toy for the tests that only need the usual limits."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.gateway.endpoints.toy import Server, served


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Server]:
    async with served() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The running toy, with nothing done yet."""
    running.toy.reset()
    return running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
