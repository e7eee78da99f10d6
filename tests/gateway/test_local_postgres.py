"""The private PostgreSQL starts from nothing, keeps its data, and leaves nothing running."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.local_postgres import (
    LocalPostgresError,
    create_database,
    start_local_postgres,
)


def _ask(url: str, sql: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_second_start_continues_with_the_data_of_the_first(tmp_path: Path) -> None:
    data = tmp_path / "data"
    mode, owner = tmp_path.stat().st_mode, tmp_path.stat().st_uid
    first = start_local_postgres(data, durable=True)
    try:
        assert _ask(first.url, "SHOW fsync") == "on"
        assert _ask(first.url, "SHOW server_encoding") == "UTF8"
        assert _ask(first.url, "SHOW listen_addresses") == "127.0.0.1"
        assert first.url == f"postgres://postgres@127.0.0.1:{first.port}/rebill"
        _ask(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    finally:
        first.stop()
    assert first.process.poll() is not None

    second = start_local_postgres(data, durable=False)
    try:
        assert _ask(second.url, "SHOW fsync") == "off"
        assert _ask(second.url, "SELECT answer FROM kept") == 42
        create_database(second, "another")
        assert _ask(second.database_url("another"), "SELECT 1") == 1
    finally:
        second.stop()
        second.stop()
    assert not (data / "postmaster.pid").exists()
    # The wheel's own launcher would have opened the folders above and made a system user.
    assert (tmp_path.stat().st_mode, tmp_path.stat().st_uid) == (mode, owner)
    assert stat.S_IMODE(data.stat().st_mode) & 0o007 == 0


def test_open_sessions_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    server = start_local_postgres(tmp_path / "data", durable=False)

    async def stop_while_connected() -> None:
        connection = await asyncpg.connect(server.url)
        await asyncio.to_thread(server.stop)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
        connection.terminate()

    asyncio.run(stop_while_connected())
    assert server.process.returncode == 0


def test_a_folder_that_cannot_be_used_is_one_readable_error(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "something-else").write_text("not a cluster")
    with pytest.raises(LocalPostgresError) as refused:
        start_local_postgres(data, durable=False)
    assert "PostgreSQL could not create its files" in str(refused.value)
    assert "not empty" in str(refused.value)
    assert (data / "something-else").read_text() == "not a cluster"


def test_a_broken_cluster_says_what_the_server_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    start_local_postgres(data, durable=False).stop()
    (data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(LocalPostgresError, match="no_such_setting"):
        start_local_postgres(data, durable=False)


def test_without_the_wheel_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(LocalPostgresError, match="DATABASE_URL"):
        start_local_postgres(tmp_path / "data", durable=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_without_unshare_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalPostgresError, match="start as a normal user"):
        start_local_postgres(tmp_path / "data", durable=False)
