"""Probes tell whether the process lives and whether it can serve."""

import asyncio

import aiohttp
import pytest

from gateway.endpoints import health
from tests.gateway.endpoints.toy import Server, served

pytestmark = pytest.mark.anyio


async def passes() -> None:
    pass


async def fails() -> None:
    raise RuntimeError("postgres://user:secret@host")


async def hangs() -> None:
    await asyncio.Event().wait()


async def probe(server: Server, path: str) -> tuple[int, object]:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://{server.origin}{path}") as response,
    ):
        return response.status, await response.json()


async def test_a_process_whose_checks_pass_is_ready() -> None:
    async with served(checks={"database": passes}) as server:
        assert await probe(server, "/healthz") == (200, {"status": "ok"})
        assert await probe(server, "/readyz") == (200, {"status": "ok", "failed": []})


async def test_failed_checks_are_named_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    checks = {"database": fails, "bus": passes, "stripe": hangs}
    async with served(checks=checks) as server:
        assert await probe(server, "/healthz") == (200, {"status": "ok"})
        assert await probe(server, "/readyz") == (
            503,
            {"status": "unavailable", "failed": ["database", "stripe"]},
        )


async def test_a_draining_process_lives_but_is_not_ready() -> None:
    async with served(checks={"database": passes}) as server:
        server.toy.draining.set()
        assert await probe(server, "/healthz") == (200, {"status": "ok"})
        assert await probe(server, "/readyz") == (503, {"status": "draining", "failed": []})
