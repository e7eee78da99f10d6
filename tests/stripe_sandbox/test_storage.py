"""A restart on the same data directory continues; the command runs as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stripe_sandbox.server import Sandbox
from stripe_sandbox.state import Settings
from tests.stripe_sandbox.shop import (
    ACCOUNT,
    Shop,
    close_client,
    counts,
    make_client,
    sandbox_only,
)

pytestmark = [pytest.mark.anyio, sandbox_only]
BODY = {"amount": 2500, "currency": "usd"}


async def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    async with Sandbox(seed=1, data_dir=tmp_path) as box:
        box.actions.create_account(id=ACCOUNT)
        # Nobody listens on this port, so the deliveries stay.
        box.actions.set_webhook(url="http://127.0.0.1:9/", secret="whsec_x", connect=True)
        shop = Shop(make_client(box.url))
        charge = await shop.paid(application_fee_amount=1200)
        keyed = shop.options(idempotency_key="kept")
        first = await shop.v1.payment_intents.create_async(BODY, keyed)
        await close_client(shop.client)
        box.actions.advance_clock(seconds=1000)
        before, ahead = counts(box), box.state.store.meta["clock_ahead_s"]
        pending = box.webhooks.pending()
    async with Sandbox(seed=1, data_dir=tmp_path) as box:
        assert (counts(box), box.webhooks.pending()) == (before, pending)
        assert box.state.store.meta["clock_ahead_s"] == ahead == 1000
        shop = Shop(make_client(box.url))
        again = await shop.v1.payment_intents.create_async(
            BODY, shop.options(idempotency_key="kept")
        )
        assert again.id == first.id
        assert (await shop.charge(charge.id)).application_fee == charge.application_fee
        listed = await shop.v1.payment_intents.list_async(None, shop.options())
        assert [row.id for row in listed.data] == [first.id, charge.payment_intent]
        fresh = await shop.v1.payment_intents.create_async(BODY, shop.options())
        assert fresh.id not in {first.id, charge.payment_intent}
        await close_client(shop.client)


async def test_the_same_seed_gives_the_same_ids() -> None:
    ids = []
    for _ in range(2):
        async with Sandbox(seed=5) as box:
            box.actions.create_account(id=ACCOUNT)
            shop = Shop(make_client(box.url))
            ids.append((await shop.intent("pm_card_visa")).id)
            await close_client(shop.client)
    assert ids[0] == ids[1]


async def start(data_dir: Path) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stripe_sandbox", "--json", "--data-dir", str(data_dir)),
        *("--later-s", "0.2"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = await asyncio.wait_for(process.stdout.readline(), 20)
    return process, json.loads(ready)["url"]


async def call(url: str, path: str, body: dict[str, Any]) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/_sandbox{path}", json=body) as answer,
    ):
        assert answer.status == 200
        return await answer.json()


async def test_a_killed_process_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    process, url = await start(tmp_path)
    await call(url, "/accounts", {"id": ACCOUNT})
    shop = Shop(make_client(url))
    paid = await shop.intent("pm_card_visa", application_fee_amount=1200)
    debit = await shop.intent("pm_usBankAccount_success")
    assert debit.status == "processing"
    await close_client(shop.client)
    process.kill()
    await process.wait()
    process, url = await start(tmp_path)
    shop = Shop(make_client(url))
    assert (await shop.read(paid.id)).to_dict() == paid.to_dict()
    seen: list[str] = []
    for _ in range(200):
        seen.append((await shop.read(debit.id)).status)
        if seen[-1] == "succeeded":
            break
        await asyncio.sleep(0.02)
    assert seen[-1] == "succeeded"
    await close_client(shop.client)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_debits_and_refunds_decide_by_themselves() -> None:
    async with Sandbox(settings=Settings(later_s=60.0)) as box:
        box.actions.create_account(id=ACCOUNT)
        shop = Shop(make_client(box.url))
        good = await shop.intent("pm_usBankAccount_success")
        bad = await shop.intent("pm_usBankAccount_insufficientFunds")
        charge = await shop.paid("pm_card_pendingRefund")
        refund = await shop.v1.refunds.create_async({"charge": charge.id}, shop.options())
        assert (refund.status, (await shop.read(good.id)).status) == ("pending", "processing")
        box.actions.advance_clock(seconds=61)
        assert (await shop.read(good.id)).status == "succeeded"
        assert (await shop.read(bad.id)).status == "requires_payment_method"
        done = await shop.v1.refunds.retrieve_async(refund.id, None, shop.options())
        assert done.status == "succeeded"
        await close_client(shop.client)
