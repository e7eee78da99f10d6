"""A whole gateway for one test: real PostgreSQL, the local Stripe over HTTP, a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from gateway.app import Gateway, make_server, running_gateway
from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Role
from gateway.settings import Environment, Settings, load_settings
from stripe_sandbox.server import Sandbox

TOKEN_SECRET = "a-secret-of-the-tests-that-is-long-enough"
WEBHOOK_SECRET = "whsec_of_the_tests"


class TravelClock:
    """Real time plus whatever a test adds; it never goes backwards by itself."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, **length: float) -> None:
        self.offset += timedelta(**length)


@dataclass(frozen=True)
class Answer:
    """One GraphQL answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def data(self) -> Any:
        """The data of an answer without errors."""
        assert "errors" not in self.body, self.body["errors"]
        return self.body["data"]

    @property
    def codes(self) -> list[str]:
        """`extensions.code` of the top-level errors."""
        return [error["extensions"]["code"] for error in self.body.get("errors", [])]


def settings_for(database_url: str, stripe_url: str, **more: object) -> Settings:
    """Settings of a gateway under test."""
    values: dict[str, object] = {
        "_env_file": None,
        "environment": Environment.TEST,
        "database_url": database_url,
        "port": 0,
        "token_algorithm": "HS256",
        "token_secret": TOKEN_SECRET,
        "stripe_api_key": "sk_test_sandbox",
        "stripe_publishable_key": "pk_test_sandbox",
        "stripe_client_id": "ca_sandbox",
        "stripe_api_base": stripe_url,
        "stripe_connect_base": stripe_url,
        "stripe_webhook_secrets": (WEBHOOK_SECRET,),
        "log_level": "WARNING",
    }
    return load_settings(**{**values, **more})


@dataclass
class Harness:
    """A running gateway and what a test needs to talk to it."""

    gateway: Gateway
    url: str
    stripe: Sandbox
    clock: TravelClock
    http: aiohttp.ClientSession
    tokens: Tokens = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.gateway.runtime.settings, self.clock)

    def token(
        self,
        role: Role,
        *,
        agency: str | None = None,
        sub_account: str | None = None,
        lifetime_s: float = 3600,
        subject: str | None = None,
    ) -> str:
        return self.tokens.sign(
            subject=subject or f"{role.lower()}-user",
            role=role,
            agency_id=agency,
            sub_account_id=sub_account,
            lifetime=timedelta(seconds=lifetime_s),
        )

    async def execute(
        self, token: str | None, query: str, variables: Mapping[str, Any] | None = None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        payload = {"query": query, "variables": dict(variables or {})}
        async with self.http.post(self.url, json=payload, headers=headers) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.json(content_type=None))

    async def mutate(self, token: str, name: str, selection: str, /, **input: Any) -> Any:
        """Run mutation `name` with one input; → its payload, `userErrors` included."""
        input_type = f"{name[0].upper()}{name[1:]}Input"
        query = (
            f"mutation Run($input: {input_type}!) {{ {name}(input: $input) {{ {selection} "
            "userErrors { __typename code message field } } }"
        )
        return (await self.execute(token, query, {"input": input})).data[name]


@asynccontextmanager
async def harness(
    database_url: str, *, stripe: Sandbox | None = None, **settings: object
) -> AsyncIterator[Harness]:
    """A gateway on `database_url` with a local Stripe whose webhooks reach it."""
    if stripe is None:
        async with Sandbox(seed=1) as box, harness(database_url, stripe=box, **settings) as run:
            yield run
        return
    clock = TravelClock()
    chosen = settings_for(database_url, stripe.url, **settings)
    async with running_gateway(chosen, clock=clock) as gateway:
        server = make_server(gateway)
        serving = asyncio.ensure_future(server.serve())
        await server.until_started()
        base = f"http://127.0.0.1:{server.port}"
        await _receive_webhooks(stripe, base)
        async with aiohttp.ClientSession() as http:
            yield Harness(
                gateway=gateway, url=f"{base}/graphql", stripe=stripe, clock=clock, http=http
            )
        server.should_exit = True
        await serving


async def _receive_webhooks(stripe: Sandbox, base: str) -> None:
    """Both webhook endpoints, the platform's and the connected accounts', point at `base`."""
    async with aiohttp.ClientSession() as session:
        for connect in (False, True):
            wish = {
                "url": f"{base}/stripe/webhooks",
                "secret": WEBHOOK_SECRET,
                "connect": connect,
            }
            async with session.post(f"{stripe.url}/_sandbox/webhooks", json=wish) as done:
                assert done.status == 200, await done.text()


async def eventually(check: Any, *, within_s: float = 10, every_s: float = 0.05) -> Any:
    """The first truthy answer of `check` (a coroutine function). Fails when time is up."""
    async with asyncio.timeout(within_s):
        while True:
            found = await check()
            if found:
                return found
            await asyncio.sleep(every_s)
