"""A gateway in a process of its own, that can be told where to die."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Role
from tests.gateway.purchases.shop import WEBHOOK_SECRET, Client, Shop

ROOT: Final = Path(__file__).parents[2]
_START_S: Final = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class GatewayProcess:
    """`python -m gateway serve`, listening."""

    process: asyncio.subprocess.Process
    base: str
    shop: Shop

    async def buy(self, key: str, *, payment_method_id: str | None = None) -> dict[str, Any]:
        """purchaseCredits of 100 over HTTP; → the payload. Raises when the process dies."""
        query = """
            mutation Run($input: PurchaseCreditsInput!) { purchaseCredits(input: $input) {
                purchase { id status clientSecret } userErrors { code message } } }
        """
        wish = {
            "walletId": self.shop.client.wallet_id,
            "credits": 100,
            "paymentMethodId": payment_method_id,
            "idempotencyKey": key,
        }
        async with self.shop.http.post(
            f"{self.base}/graphql",
            json={"query": query, "variables": {"input": wish}},
            headers={"Authorization": f"Bearer {_token(self.shop, self.shop.client)}"},
        ) as answer:
            body = await answer.json(content_type=None)
            assert "errors" not in body, body
            payload: dict[str, Any] = body["data"]["purchaseCredits"]
            return payload

    async def killed(self) -> None:
        """Wait for the death by its own hand."""
        async with asyncio.timeout(30):
            assert await self.process.wait() == -9


@asynccontextmanager
async def gateway_process(
    shop: Shop, *, port: int, crash_at: str = "", **settings: str
) -> AsyncIterator[GatewayProcess]:
    """Start one and wait until it is ready; stop it at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--port", str(port)),
        cwd=ROOT,
        env={**os.environ, **_environment(shop), **settings, "REBILL_CRASH_AT": crash_at},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    running = GatewayProcess(process, f"http://127.0.0.1:{port}", shop)
    try:
        await _ready(running)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _environment(shop: Shop) -> dict[str, str]:
    settings = shop.rt.settings
    assert settings.token_secret is not None
    return {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REBILL_ENVIRONMENT": "test",
        "REBILL_TOKEN_ALGORITHM": settings.token_algorithm,
        "REBILL_TOKEN_SECRET": settings.token_secret.get_secret_value(),
        "REBILL_STRIPE_API_KEY": settings.stripe_api_key.get_secret_value(),
        "REBILL_STRIPE_PUBLISHABLE_KEY": settings.stripe_publishable_key,
        "REBILL_STRIPE_API_BASE": settings.stripe_api_base,
        "REBILL_STRIPE_CONNECT_BASE": settings.stripe_connect_base,
        "REBILL_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    }


async def _ready(running: GatewayProcess) -> None:
    async with asyncio.timeout(_START_S):
        while True:
            assert running.process.returncode is None, "the gateway did not start"
            try:
                async with running.shop.http.get(f"{running.base}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)


def _token(shop: Shop, client: Client) -> str:
    return Tokens(shop.rt.settings, shop.clock).sign(
        subject="buyer",
        role=Role.BILLING,
        agency_id=shop.agency_id,
        sub_account_id=client.sub_account_id,
        lifetime=timedelta(hours=1),
    )
