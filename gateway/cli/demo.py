"""`rebill demo`: everything a newcomer needs to see a sale, on one machine, with lasting data."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich.console import Console

from gateway.app import make_server, running_gateway, serve_until_signal
from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Role
from gateway.cli.api_client import ApiClient
from gateway.cli.children import demo_postgres, demo_stripe
from gateway.cli.seed import Seeded, seed
from gateway.cli.simulate import simulate_spending
from gateway.cli.welcome import welcome
from gateway.clock import system_clock
from gateway.database import migrate
from gateway.local_postgres import remove_local_postgres
from gateway.logs import configure_logs
from gateway.settings import DEMO_SECRET, Environment, Settings, load_settings

_WEBHOOK_SECRET: Final = "whsec_of_the_demo"  # noqa: S105 - refused outside the demo's own Stripe
_FACTS: Final = "demo.json"
_TOKEN_LIFETIME: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asked for. port: 0 takes a free one."""

    port: int
    data_dir: Path
    reset: bool
    simulate: bool
    as_json: bool


async def run_demo(options: DemoOptions, out: Console) -> None:
    """Run until SIGTERM or Ctrl-C; then nothing is left running. A second start goes on with the
    same data. Raises LocalPostgresError, OSError."""
    # A first start that was cut off before everything was seeded begins again.
    if options.reset or not (options.data_dir / _FACTS).exists():
        await asyncio.to_thread(_forget, options.data_dir)
    options.data_dir.mkdir(parents=True, exist_ok=True)
    port = options.port or _free_port()
    async with (
        demo_postgres(options.data_dir) as postgres,
        demo_stripe(options.data_dir, port=0 if options.port == 0 else port + 1) as stripe_url,
    ):
        settings = _settings(postgres.url, stripe_url, port)
        configure_logs(settings)
        await migrate(postgres.url)
        async with running_gateway(settings) as gateway:
            server = make_server(gateway)
            serving = asyncio.ensure_future(serve_until_signal(server))
            started = asyncio.ensure_future(server.until_started())
            await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                async with _ready(options, settings, stripe_url, out):
                    await asyncio.wait({serving})
            await serving


@asynccontextmanager
async def _ready(
    options: DemoOptions, settings: Settings, stripe_url: str, out: Console
) -> AsyncIterator[None]:
    """Seed what is missing, say that the demo is ready, and move balances if that was asked."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await _receive_webhooks(session, stripe_url, settings)
        client = ApiClient(session, f"{settings.public_url}/graphql")
        tokens = Tokens(settings, system_clock)
        seeded = await _seed_once(options.data_dir, client, tokens, settings)
        ready = _facts(client.url, stripe_url, seeded, tokens)
        _keep(options.data_dir / _FACTS, ready | {"seeded": seeded.as_dict()})
        if options.as_json:
            out.file.write(json.dumps(ready) + "\n")
            out.file.flush()
        else:
            welcome(out, ready)
        if options.simulate:
            moving = asyncio.ensure_future(simulate_spending(client, seeded))
            stack.push_async_callback(_ended, moving)
        yield


def _forget(data_dir: Path) -> None:
    """Remove what a demo wrote, and nothing else that may lie in the folder."""
    remove_local_postgres(data_dir / "postgres")
    shutil.rmtree(data_dir / "stripe", ignore_errors=True)
    (data_dir / _FACTS).unlink(missing_ok=True)


def _settings(database_url: str, stripe_url: str, port: int) -> Settings:
    return load_settings(
        # A demo is the same everywhere: what a production `.env` beside it says does not count.
        _env_file=None,
        token_jwks_url=None,
        redis_url=None,
        environment=Environment.DEMO,
        database_url=database_url,
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        token_algorithm="HS256",  # noqa: S106 - the name of an algorithm
        token_secret=DEMO_SECRET,
        stripe_api_key="sk_test_sandbox",
        stripe_publishable_key="pk_test_sandbox",
        stripe_client_id="ca_sandbox",
        stripe_api_base=stripe_url,
        stripe_connect_base=stripe_url,
        stripe_webhook_secrets=_WEBHOOK_SECRET,
        log_level="WARNING",
    )


async def _receive_webhooks(
    session: aiohttp.ClientSession, stripe_url: str, settings: Settings
) -> None:
    """The local Stripe sends its events here, and no longer to the port of an earlier run."""
    url = f"{settings.public_url}/stripe/webhooks"
    key = {"Authorization": f"Bearer {settings.stripe_api_key.get_secret_value()}"}
    async with session.get(f"{stripe_url}/_sandbox/webhooks") as answer:
        known = (await answer.json())["endpoints"]
    for endpoint in known:
        if endpoint["url"] != url:
            await session.delete(f"{stripe_url}/v1/webhook_endpoints/{endpoint['id']}", headers=key)
    for connect in (False, True):
        wish = {"url": url, "secret": _WEBHOOK_SECRET, "connect": connect}
        await session.post(f"{stripe_url}/_sandbox/webhooks", json=wish)


async def _seed_once(
    data_dir: Path, client: ApiClient, tokens: Tokens, settings: Settings
) -> Seeded:
    with suppress(OSError, KeyError, ValueError):
        return Seeded(**json.loads((data_dir / _FACTS).read_text())["seeded"])
    admin = client.signed_in(_token(tokens, Role.ADMIN))

    def as_role(role: Role, agency: str, sub_account: str | None) -> ApiClient:
        return client.signed_in(_token(tokens, role, agency=agency, sub_account=sub_account))

    return await seed(admin, as_role, settings)


def _facts(url: str, stripe_url: str, seeded: Seeded, tokens: Tokens) -> dict[str, Any]:
    agency, client = seeded.agency, seeded.sub_accounts[0]
    return {
        "graphql": url,
        "ws": url.replace("http", "ws", 1),
        "stripe": stripe_url,
        "tokens": {
            "platform": _token(tokens, Role.ADMIN),
            "agencyOwner": _token(tokens, Role.OWNER, agency=agency),
            "agencyStaff": _token(tokens, Role.STAFF, agency=agency),
            "billing": _token(tokens, Role.BILLING, agency=agency, sub_account=client),
            "member": _token(tokens, Role.MEMBER, agency=agency, sub_account=client),
            "service": seeded.service_key,
        },
        "ids": {
            "agency": agency,
            "subAccount": client,
            "wallet": seeded.wallets[0],
            "paymentMethod": seeded.payment_methods[0],
            "packages": seeded.packages,
        },
    }


def _token(
    tokens: Tokens, role: Role, *, agency: str | None = None, sub_account: str | None = None
) -> str:
    return tokens.sign(
        subject=f"demo-{role.lower()}",
        role=role,
        agency_id=agency,
        sub_account_id=sub_account,
        lifetime=_TOKEN_LIFETIME,
    )


def _keep(path: Path, facts: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(facts, indent=2))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _ended(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
