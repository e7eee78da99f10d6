"""The command line, as processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.ids import new_id
from resolvers.root import schema
from schema.printing import printed
from stripe_sandbox.server import Sandbox
from tests.harness import TOKEN_SECRET, WEBHOOK_SECRET, eventually

pytestmark = pytest.mark.anyio


def environment(database_url: str, stripe_url: str, **more: str) -> dict[str, str]:
    """The variables of a gateway under test, without those of the machine's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REBILL_")}
    return {
        **kept,
        "DATABASE_URL": database_url,
        "REBILL_ENVIRONMENT": "test",
        "REBILL_PORT": "0",
        "REBILL_TOKEN_ALGORITHM": "HS256",
        "REBILL_TOKEN_SECRET": TOKEN_SECRET,
        "REBILL_STRIPE_API_KEY": "sk_test_sandbox",
        "REBILL_STRIPE_PUBLISHABLE_KEY": "pk_test_sandbox",
        "REBILL_STRIPE_API_BASE": stripe_url,
        "REBILL_STRIPE_CONNECT_BASE": stripe_url,
        "REBILL_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "NO_COLOR": "1",
        "COLUMNS": "200",
        **more,
    }


async def rebill(*arguments: str, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments),
        env=dict(env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def local_stripe() -> AsyncIterator[str]:
    async with Sandbox(seed=1) as box:
        yield box.url


async def test_migrate_brings_an_empty_database_up_to_date_and_twice_is_nothing(
    postgres_url: str,
) -> None:
    name = f"rebill_empty_{os.getpid()}"
    url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    admin = await asyncpg.connect(urlsplit(postgres_url)._replace(path="/postgres").geturl())
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        env = environment(url, "http://127.0.0.1:1")
        for _ in range(2):
            code, _, err = await rebill("migrate", env=env)
            assert (code, "Up to date" in err) == (0, True)
        fresh = await asyncpg.connect(url)
        assert await fresh.fetchval("SELECT count(*) FROM wallets") == 0
        await fresh.close()
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


async def test_serve_refuses_a_database_that_was_not_migrated(postgres_url: str) -> None:
    admin_url = urlsplit(postgres_url)._replace(path="/postgres").geturl()
    code, _, err = await rebill("serve", env=environment(admin_url, "http://127.0.0.1:1"))
    assert code == 2
    assert "Run: rebill migrate" in err
    assert "Traceback" not in err


async def test_settings_that_are_wrong_come_as_one_report_without_secrets() -> None:
    env = environment("postgres://u:hidden-password@127.0.0.1:1/x", "http://127.0.0.1:1")
    env |= {"REBILL_STRIPE_WEBHOOK_SECRETS": "", "REBILL_TOKEN_SECRET": "short-hidden"}
    code, _, err = await rebill("serve", env=env)
    assert code == 2
    assert "STRIPE_WEBHOOK_SECRETS" in err
    assert "TOKEN_SECRET" in err
    assert "hidden" not in err


async def test_token_signs_one_that_the_gateway_takes_and_schema_prints_the_contract(
    database_url: str,
) -> None:
    env = environment(database_url, "http://127.0.0.1:1")
    agency = new_id("agency")
    code, out, _ = await rebill("token", "OWNER", "--agency", agency, env=env)
    assert code == 0
    assert out.count(".") == 2
    code, out, _ = await rebill("schema", env=env)
    assert (code, out) == (0, printed(schema))


async def test_doctor_is_content_and_names_the_fix_of_what_is_not(database_url: str) -> None:
    async with local_stripe() as stripe_url:
        env = environment(database_url, stripe_url)
        code, out, _ = await rebill("doctor", env=env)
        assert (code, out.count("✗")) == (0, 0), out
        for name in ("database", "migrations", "constraints", "clock", "stripe", "redis"):
            assert f"{name}:" in out

        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "ALTER TABLE ledger_postings DISABLE TRIGGER ledger_postings_append_only"
        )
        await connection.close()
        broken = env | {"REBILL_STRIPE_API_BASE": "http://127.0.0.1:1"}
        broken |= {"REDIS_URL": "redis://127.0.0.1:1"}
        code, out, _ = await rebill("doctor", env=broken)
        assert (code, out.count("✗"), out.count("Fix:")) == (1, 3, 3), out
        assert "ledger_postings_append_only" in out


async def test_doctor_without_a_database_says_so_and_goes_on() -> None:
    async with local_stripe() as stripe_url:
        env = environment("postgres://postgres@127.0.0.1:1/nothing", stripe_url)
        code, out, err = await rebill("doctor", env=env)
        assert code == 1
        assert "DATABASE_URL" in out
        assert "stripe: test key accepted" in out
        assert "Traceback" not in err


async def test_verify_of_clean_books_is_content(database_url: str) -> None:
    env = environment(database_url, "http://127.0.0.1:1")
    code, out, _ = await rebill("verify", "--json", env=env)
    assert (code, json.loads(out)) == (0, [])


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_a_process_that_is_asked_to_stop_stops_in_order(
    database_url: str, command: str
) -> None:
    async with local_stripe() as stripe_url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", command),
            env=environment(database_url, stripe_url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await eventually(lambda: connections_to(database_url), within_s=30)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            _, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        assert b"Traceback" not in err
        assert await connections_to(database_url) == 0


async def connections_to(database_url: str) -> int:
    """How many connections gateways hold to this database."""
    watcher = await asyncpg.connect(database_url)
    try:
        found = await watcher.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rebill' "
            "AND datname = current_database()"
        )
    finally:
        await watcher.close()
    return int(found)
