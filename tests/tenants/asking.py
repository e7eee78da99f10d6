"""Asking as somebody, and looking at all of the answer: body, headers, errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
from graphql import GraphQLObjectType, GraphQLSchema, build_schema

from tests.contracts.sources import ROOT
from tests.harness import Harness
from tests.tenants.arrangement import SEES, STRANGERS, Ids, credentials
from tests.tenants.selection import Selections
from tests.tenants.world import OWNERS, World

SCHEMA: Final[GraphQLSchema] = build_schema((ROOT / "schema.graphql").read_text())
SELECTIONS: Final = Selections(SCHEMA)
_ALIAS: Final = re.compile(r"^e\d+_")
_REQUEST_ID: Final = re.compile(r'"requestId": ?"[^"]*"')


@dataclass
class Reply:
    """status and text of an answer, ids that were sent replaced by their nouns."""

    status: int
    text: str
    body: dict[str, Any]
    headers: str

    @property
    def comparable(self) -> tuple[int, str]:
        """What must not tell a foreign id from an unknown one."""
        return self.status, _REQUEST_ID.sub("", self.text)

    @property
    def codes(self) -> list[str]:
        """Of top-level errors and of `userErrors`, wherever they stand."""
        codes = [error["extensions"]["code"] for error in self.body.get("errors", [])]
        return codes + [
            error["code"] for error in _user_errors(self.body.get("data")) if "code" in error
        ]


def _user_errors(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield from value.get("userErrors") or ()
        for entry in value.values():
            yield from _user_errors(entry)
    if isinstance(value, list):
        for entry in value:
            yield from _user_errors(entry)


@dataclass
class Asker:
    """Somebody with a token. `seen`: fields that had a value in some answer."""

    run: Harness
    world: World
    who: str
    seen: set[str] = field(default_factory=set)
    _token: str | None = None

    def __post_init__(self) -> None:
        self._token = credentials(self.run, self.world, self.who)

    async def ask(self, query: str, variables: Mapping[str, Any], sent: Ids) -> Reply:
        """The answer, after a look for what this asker must not see. sent: noun → id."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        payload = {"query": query, "variables": dict(variables)}
        async with self.run.http.post(self.run.url, json=payload, headers=headers) as answer:
            text, kept = await answer.text(), str(dict(answer.headers))
        body = json.loads(text)
        self._note(body.get("data"))
        for noun, id in sent.items():
            text = text.replace(id, f"${noun}")
        self.look_at(text + kept)
        reply = Reply(answer.status, text, body, kept)
        assert "INTERNAL" not in reply.codes, text
        assert "QUERY_TOO_COSTLY" not in reply.codes, text
        return reply

    async def stream(self, query: str, variables: Mapping[str, Any], sent: Ids) -> tuple[int, str]:
        """Everything a subscription says until it ends; for one that must be refused."""
        headers = {"Accept": "text/event-stream"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        payload = {"query": query, "variables": dict(variables)}
        async with self.run.http.post(self.run.url, json=payload, headers=headers) as answer:
            text = await answer.text()
        for noun, id in sent.items():
            text = text.replace(id, f"${noun}")
        self.look_at(text)
        return answer.status, _REQUEST_ID.sub("", text)

    def look_at(self, text: str) -> None:
        hidden = set(OWNERS) - SEES.get(self.who, frozenset())
        assert self.world.found_in(text, hidden) == [], f"{self.who} sees: {text[:2000]}"

    def _note(self, value: Any) -> None:
        if isinstance(value, list):
            for entry in value:
                self._note(entry)
        if isinstance(value, dict):
            kind = value.get("__typename")
            for name, entry in value.items():
                if kind and entry not in (None, []):
                    self.seen.add(f"{kind}.{_ALIAS.sub('', name)}")
                self._note(entry)


def query_of(operation: str, name: str, variables: Mapping[str, Any], selection: str) -> str:
    """`query`, `mutation` or `subscription` with every given argument as a variable."""
    root = {
        "query": SCHEMA.query_type,
        "mutation": SCHEMA.mutation_type,
        "subscription": SCHEMA.subscription_type,
    }[operation]
    assert isinstance(root, GraphQLObjectType)
    taken = root.fields[name].args
    declared = ", ".join(f"${argument}: {taken[argument].type}" for argument in variables)
    passed = ", ".join(f"{argument}: ${argument}" for argument in variables)
    heads = (f"({declared})" if declared else "", f"({passed})" if passed else "")
    return f"{operation} Matrix{heads[0]} {{ {name}{heads[1]} {{ {selection} }} }}"


def filled(value: Any, ids: Ids) -> Any:
    """`value` with each "$noun" replaced by its id."""
    if isinstance(value, str) and value.startswith("$"):
        return ids[value[1:]]
    if isinstance(value, list):
        return [filled(entry, ids) for entry in value]
    if isinstance(value, dict):
        return {name: filled(entry, ids) for name, entry in value.items()}
    return value


def nouns_in(value: Any) -> set[str]:
    """The nouns for which `value` has places."""
    if isinstance(value, str):
        return {value[1:]} if value.startswith("$") else set()
    if isinstance(value, list):
        return {noun for entry in value for noun in nouns_in(entry)}
    if isinstance(value, dict):
        return {noun for entry in value.values() for noun in nouns_in(entry)}
    return set()


async def whole_database(url: str) -> dict[str, str]:
    """A digest of every table, without the note of when a key was last used."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return {
            table: await connection.fetchval(
                f"SELECT md5(coalesce(string_agg((to_jsonb(t) - 'last_used_at')::text, ',' "
                f"ORDER BY t::text), '')) FROM {table} AS t"
            )
            for (table,) in tables
        }
    finally:
        await connection.close()


__all__ = ["SCHEMA", "SELECTIONS", "STRANGERS", "Asker", "Reply"]
