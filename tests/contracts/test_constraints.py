"""The database refuses by itself: it holds what is meant, and each forbidden write fails."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.contracts.meant import (
    ALLOWED,
    APPEND_ONLY,
    COLLISIONS,
    FORBIDDEN,
    FOREIGN_KEYS,
    INDEXES,
    NOT_KEYED_BY_AGENCY,
    NULLABLE,
    PRIMARY_KEYS,
    UNIQUE,
)
from tests.contracts.rows import TABLES, Row, correct_row, fill, insert
from tests.contracts.sources import ROOT

T = TypeVar("T")

_BOOKKEEPING: Final = "tortoise_migrations"
_CAST: Final = re.compile(r"::(?:character varying|text)(?:\[\])?")


@pytest.fixture(scope="module")
def filled(postgres_url: str, template: str) -> Iterator[str]:
    """Two agencies of the same shape, in every table. Tests leave it as it is."""
    name = f"{template}_filled"

    async def make(statement: str) -> None:
        connection = await asyncpg.connect(
            urlsplit(postgres_url)._replace(path="/postgres").geturl()
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    asyncio.run(make(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'))
    _ask(url, fill, keep=True)
    yield url
    asyncio.run(make(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _ask(url: str, work: Callable[[asyncpg.Connection], Awaitable[T]], *, keep: bool = False) -> T:
    """Run `work` in a transaction that is rolled back at the end, unless `keep`."""

    async def run() -> T:
        connection = await asyncpg.connect(url)
        try:
            transaction = connection.transaction()
            await transaction.start()
            result = await work(connection)
            await (transaction.commit() if keep else transaction.rollback())
            return result
        finally:
            await connection.close()

    return asyncio.run(run())


def _rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in _ask(url, lambda connection: connection.fetch(sql))]


def _try(url: str, table: str, row: Row) -> None:
    _ask(url, lambda connection: insert(connection, table, row))


def _constraints(url: str, kind: str, told: str) -> set[tuple[Any, ...]]:
    return set(
        _rows(
            url,
            f"SELECT {told} FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
            f"AND contype = '{kind}' AND conrelid <> '{_BOOKKEEPING}'::regclass",
        )
    )


# What is there is what is meant


def test_every_table_is_known(filled: str) -> None:
    found = {name for (name,) in _rows(filled, "SELECT tablename FROM pg_tables "
                                               "WHERE schemaname = 'public'")}  # fmt: skip
    assert found == {*TABLES, _BOOKKEEPING}


def test_checks_are_those_that_are_tried(filled: str) -> None:
    tried = {(name, table) for name, table, _ in FORBIDDEN}
    assert _constraints(filled, "c", "conname, conrelid::regclass::text") == tried


def test_foreign_keys_are_those_that_are_meant_and_restrict(filled: str) -> None:
    told = "conname, conrelid::regclass::text, pg_get_constraintdef(oid, true)"
    meant = {
        (
            name,
            table,
            f"FOREIGN KEY ({columns}) REFERENCES {target}({PRIMARY_KEYS[target]}) "
            "ON DELETE RESTRICT",
        )
        for name, (table, columns, target) in FOREIGN_KEYS.items()
    }
    assert _constraints(filled, "f", told) == meant


def test_primary_keys_are_those_that_are_meant(filled: str) -> None:
    told = "conrelid::regclass::text, pg_get_constraintdef(oid, true)"
    meant = {(table, f"PRIMARY KEY ({columns})") for table, columns in PRIMARY_KEYS.items()}
    assert _constraints(filled, "p", told) == meant


def test_every_constraint_is_in_force(filled: str) -> None:
    assert _rows(
        filled, "SELECT conname FROM pg_constraint WHERE NOT convalidated"
    ) == []  # fmt: skip


def test_unique_indexes_are_those_that_are_meant(filled: str) -> None:
    assert _indexes(filled, unique=True) == UNIQUE


def test_other_indexes_are_those_that_are_meant(filled: str) -> None:
    assert _indexes(filled, unique=False) == INDEXES


def _indexes(url: str, *, unique: bool) -> dict[str, tuple[str, str, str]]:
    """Name → (table, columns, condition), without primary keys."""
    found = _rows(
        url,
        "SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text, "
        "  (SELECT string_agg(pg_get_indexdef(i.indexrelid, n, true), ', ' ORDER BY n) "
        "   FROM generate_series(1, i.indnatts) AS n), "
        "  coalesce(pg_get_expr(i.indpred, i.indrelid, true), '') "
        "FROM pg_index AS i JOIN pg_tables AS t ON t.tablename = i.indrelid::regclass::text "
        f"WHERE t.schemaname = 'public' AND i.indisunique = {unique} AND NOT i.indisprimary "
        f"AND t.tablename <> '{_BOOKKEEPING}'",
    )
    return {
        name: (table, _CAST.sub("", columns), _CAST.sub("", condition))
        for name, table, columns, condition in found
    }


def test_triggers_are_those_that_are_meant(filled: str) -> None:
    found = _rows(
        filled,
        "SELECT tgrelid::regclass::text, tgenabled::text, pg_get_triggerdef(oid) "
        "FROM pg_trigger WHERE NOT tgisinternal",
    )
    assert set(found) == {
        (
            table,
            "O",
            f"CREATE TRIGGER {table}_append_only BEFORE DELETE OR UPDATE OR TRUNCATE "
            f"ON public.{table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        )
        for table in APPEND_ONLY
    }


def test_only_what_may_be_unknown_is_nullable(filled: str) -> None:
    found: dict[str, set[str]] = {}
    for table, column in _rows(
        filled,
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND is_nullable = 'YES'",
    ):
        found.setdefault(table, set()).add(column)
    assert found == NULLABLE


def test_no_column_is_a_float(filled: str) -> None:
    assert _rows(
        filled,
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type IN ('real', 'double precision', 'money')",
    ) == []  # fmt: skip


def test_every_table_but_the_plans_names_its_agency(filled: str) -> None:
    found = _rows(
        filled,
        "SELECT table_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name = 'agency_id'",
    )
    assert set(TABLES) - {name for (name,) in found} == {"plans", "agencies"}


def test_keys_of_tenants_begin_with_the_agency() -> None:
    others = {table for table, key in PRIMARY_KEYS.items() if not key.startswith("agency_id, ")}
    assert others == set(NOT_KEYED_BY_AGENCY)


# Each forbidden write


@pytest.mark.parametrize(
    ("constraint", "table", "changes"),
    FORBIDDEN,
    ids=[f"{name}-{'-'.join(changes)}" for name, _, changes in FORBIDDEN],
)
def test_a_check_refuses(filled: str, constraint: str, table: str, changes: Row) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        _try(filled, table, correct_row(table, "a", "2") | changes)
    assert refused.value.constraint_name == constraint


@pytest.mark.parametrize("name", UNIQUE)
def test_a_second_one_is_refused(filled: str, name: str) -> None:
    table = UNIQUE[name][0]
    row = correct_row(table, "a", "2") | COLLISIONS[name]

    async def collide(connection: asyncpg.Connection) -> None:
        if name == "stripe_connections_account":
            await connection.execute("DELETE FROM stripe_connections WHERE agency_id LIKE 'b%'")
        if name == "wallets_pool":
            await insert(connection, table, row | {"id": "a1_wallets"})
        await insert(connection, table, row)

    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        _ask(filled, collide)
    assert refused.value.constraint_name == name


@pytest.mark.parametrize("table", PRIMARY_KEYS)
def test_the_same_key_twice_is_refused(filled: str, table: str) -> None:
    key = PRIMARY_KEYS[table].split(", ")

    async def repeat(connection: asyncpg.Connection) -> None:
        # Only the key is compared: every other unique index is out of the way.
        for name in (name for name, (of, _, _) in UNIQUE.items() if of == table):
            await connection.execute(f"DROP INDEX {name}")
        first = await connection.fetchrow(f"SELECT {', '.join(key)} FROM {table} LIMIT 1")
        assert first is not None
        await insert(connection, table, correct_row(table, "a", "2") | dict(first))

    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        _ask(filled, repeat)
    assert refused.value.constraint_name == f"{table}_pkey"


@pytest.mark.parametrize("name", FOREIGN_KEYS)
def test_a_row_of_another_agency_cannot_be_named(filled: str, name: str) -> None:
    table, columns, target = FOREIGN_KEYS[name]
    column = columns.split(", ")[-1]
    wrong = f"b_{target}" if ", " in columns else "nobody"
    changed = _apart(table) | {column: wrong}
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        _try(filled, table, correct_row(table, "a", "2") | changed)
    assert refused.value.constraint_name == name


def _apart(table: str) -> Row:
    """What keeps a second row of the same owner away from the unique indexes."""
    different: dict[str, Row] = {
        "api_keys": {"secret_hash": b"i" * 32},
        "payment_methods": {"is_default": False},
        "retail_prices": {"version": 2},
        "ledger_transactions": {"version": 2},
        "ledger_postings": {"line": 1},
        "ledger_allocations": {"line": 1},
    }
    return different.get(table, {})


@pytest.mark.parametrize(
    ("table", "changes"), ALLOWED, ids=[f"{table}-{'-'.join(row)}" for table, row in ALLOWED]
)
def test_what_is_right_is_taken(filled: str, table: str, changes: Row) -> None:
    _try(filled, table, correct_row(table, "a", "2") | changes)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {0} SET agency_id = agency_id", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"],
    ids=["update", "delete", "truncate"],
)
def test_what_was_written_stays(filled: str, table: str, statement: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match="are never changed or deleted"):
        _ask(filled, lambda connection: connection.execute(statement.format(table)))


def test_what_others_name_cannot_be_deleted(filled: str) -> None:
    for table in sorted({target for _, _, target in FOREIGN_KEYS.values()} - set(APPEND_ONLY)):
        with pytest.raises(asyncpg.RestrictViolationError):
            _ask(filled, lambda connection, of=table: connection.execute(f"DELETE FROM {of}"))  # type: ignore[misc]


# Migrations


def test_two_migrations_at_once_both_succeed(postgres_url: str, template: str) -> None:
    name = f"{template}_twice"
    url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    script = (
        "import asyncio, sys; from gateway.database import migrate; "
        "asyncio.run(migrate(sys.argv[1]))"
    )

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(
            urlsplit(postgres_url)._replace(path="/postgres").geturl()
        )
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    started = [
        subprocess.Popen([sys.executable, "-c", script, url], cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    assert len(_constraints(url, "c", "conname")) == len({name for name, _, _ in FORBIDDEN})
    asyncio.run(run(f'DROP DATABASE "{name}" WITH (FORCE)'))
