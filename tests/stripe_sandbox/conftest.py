"""A sandbox for each test; afterwards everything it said is held against Stripe's description."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from stripe_sandbox.server import Sandbox
from stripe_sandbox.state import Settings
from tests.contracts.stripe_openapi import check_log, contract_is_here
from tests.stripe_sandbox.shop import ACCOUNT, REAL_KEY, Shop, close_client, make_client

FAST = Settings(later_s=None, retry_first_s=0.02, retry_longest_s=0.1)


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """A fresh sandbox with one agency that can sell."""
    async with Sandbox(seed=1, settings=FAST) as sandbox:
        sandbox.actions.create_account(id=ACCOUNT)
        yield sandbox
        if contract_is_here():
            events = [event for _, event in sandbox.state.store.everywhere("event")]
            shown = [{k: v for k, v in event.items() if k[0] != "_"} for event in events]
            check_log(sandbox.log.entries(), events=shown, refused_ok=True)


@pytest.fixture
async def shop(box: Sandbox) -> AsyncIterator[Shop]:
    """The agency, through Stripe's client library; against Stripe itself with STRIPE_TEST_KEY, and
    then the sandbox idles."""
    client = make_client(None, REAL_KEY) if REAL_KEY else make_client(box.url)
    yield Shop(client)
    await close_client(client)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser or a script without Stripe's library."""
    async with aiohttp.ClientSession() as session:
        yield session
