"""The demo as a newcomer starts it: one process, real commands, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

REBILL = (sys.executable, "-m", "gateway")


@asynccontextmanager
async def demo(data: Path, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Any]]:
    """A running demo and what it printed when it was ready; stopped by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        *(*REBILL, "demo", "--port", "0", "--data-dir", str(data), "--json", *options),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(90):
            line = await process.stdout.readline()
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.wait()


async def graphql(ready: Any, role: str, query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {ready['tokens'][role]}"}
    body = {"query": query, "variables": variables}
    async with (
        aiohttp.ClientSession() as http,
        http.post(ready["graphql"], json=body, headers=headers) as answer,
    ):
        found = await answer.json(content_type=None)
    assert "errors" not in found, found
    return found["data"]


async def available(ready: Any) -> int:
    query = "query ($id: ID!) { wallet(id: $id) { available } }"
    found = await graphql(ready, "member", query, id=ready["ids"]["wallet"])
    return int(found["wallet"]["available"])


def children_of(data: Path) -> list[str]:
    """Command lines of processes that work on the demo's data."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(data) in line and "pytest" not in line:
                found.append(line)
    return found


async def buy(ready: Any, key: str) -> Any:
    return await graphql(
        ready,
        "billing",
        "mutation ($input: PurchaseCreditsInput!) { purchaseCredits(input: $input) {"
        " purchase { status } userErrors { code } } }",
        input={
            "walletId": ready["ids"]["wallet"],
            "credits": 100,
            "paymentMethodId": ready["ids"]["paymentMethod"],
            "idempotencyKey": key,
        },
    )


async def test_a_newcomer_sees_credits_bought_and_finds_them_again(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    async with demo(data) as (_, ready):
        assert set(ready) == {"graphql", "ws", "stripe", "tokens", "ids"}
        assert set(ready["tokens"]) == {
            *("platform", "agencyOwner", "agencyStaff", "billing", "member", "service")
        }
        assert {"agency", "subAccount", "wallet", "packages"} <= set(ready["ids"])
        assert len(ready["ids"]["packages"]) == 3
        watching = await asyncio.create_subprocess_exec(
            *(*REBILL, "watch", ready["ids"]["wallet"], "--url", ready["graphql"]),
            *("--data-dir", str(data)),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert watching.stdout is not None
        first = (await watching.stdout.readline()).decode()
        assert first.split() == ["version", "0", "available", "0"]
        assert (await buy(ready, "once"))["purchaseCredits"]["purchase"]["status"] == "COMPLETED"
        async with asyncio.timeout(10):
            second = (await watching.stdout.readline()).decode()
        assert second.split() == ["version", "1", "available", "100"]
        watching.terminate()
        await watching.wait()
        wallet = ready["ids"]["wallet"]
    assert children_of(data) == []

    async with demo(data) as (_, ready):
        assert ready["ids"]["wallet"] == wallet
        assert await available(ready) == 100
        assert (await buy(ready, "again"))["purchaseCredits"]["purchase"]["status"] == "COMPLETED"
        assert await available(ready) == 200
    assert children_of(data) == []


async def test_a_killed_demo_starts_again_with_its_data(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    async with demo(data) as (process, ready):
        await buy(ready, "once")
        process.kill()
        await process.wait()
    async with demo(data) as (_, ready):
        assert await available(ready) == 100
        await buy(ready, "once")
        assert await available(ready) == 100
    assert children_of(data) == []


async def test_reset_forgets_and_simulate_moves_balances(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    async with demo(data, "--simulate") as (_, ready):
        await buy(ready, "once")

        async def moved() -> bool:
            return await available(ready) < 100

        await eventually(moved, within_s=60)
    async with demo(data, "--reset") as (_, again):
        assert again["ids"]["wallet"] != ready["ids"]["wallet"]
        assert await available(again) == 0


async def run_curl(command: str) -> Any:
    """What the printed command gets, read as a shell reads it: `curl` itself may be missing."""
    program, *words = shlex.split(command.replace("'$(date +%s%N)'", "pasted").replace("\\\n", " "))
    assert program == "curl"
    url = next(word for word in words if word.startswith("http"))
    pairs = list(pairwise(words))
    headers = dict(value.split(": ", 1) for name, value in pairs if name == "-H")
    [data] = [value for name, value in pairs if name == "-d"]
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=data.encode(), headers=headers) as answer,
    ):
        return await answer.json(content_type=None)


async def test_what_the_demo_prints_for_a_person_works_when_it_is_pasted(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*REBILL, "demo", "--port", "0", "--data-dir", str(tmp_path / "demo")),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(90):
        while "Ctrl-C" not in text:
            text += (await process.stdout.readline()).decode()
    curl = text[text.index("curl -s") :].split("\n\n")[0]
    bought = await run_curl(curl)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        await process.wait()
    purchase = bought["data"]["purchaseCredits"]["purchase"]
    assert (purchase["status"], purchase["credits"]) == ("COMPLETED", 100)
    assert purchase["total"] == {"amount": "25.00", "currency": "USD"}
