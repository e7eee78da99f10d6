"""Each limit of a document holds at the limit and one past it, on every transport."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from graphql import get_introspection_query, parse

from gateway.endpoints.limits import Limits, check_limits
from tests.gateway.endpoints.toy import Server, served

pytestmark = pytest.mark.anyio

LOGIN = {"Authorization": "Bearer good"}


async def ask_http(client: aiohttp.ClientSession, server: Server, query: str) -> Any:
    async with client.post(server.url, json={"query": query}, headers=LOGIN) as response:
        return await response.json()


async def ask_sse(client: aiohttp.ClientSession, server: Server, query: str) -> Any:
    headers = {**LOGIN, "Accept": "text/event-stream"}
    async with client.post(server.url, json={"query": query}, headers=headers) as response:
        first, *_ = (await response.text()).split("\n\n")
    event, data = first.split("\n")
    assert event == "event: next"
    return json.loads(data.removeprefix("data: "))


async def ask_websocket(client: aiohttp.ClientSession, server: Server, query: str) -> Any:
    async with client.ws_connect(
        server.ws, protocols=["graphql-transport-ws"], headers=LOGIN
    ) as socket:
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["type"] == "connection_ack"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        message = await socket.receive_json()
        payload = message["payload"]
        return {"errors": payload} if message["type"] == "error" else payload


TRANSPORTS = {"http": ask_http, "sse": ask_sse, "websocket": ask_websocket}


def nested(levels: int, inner: str = "hello") -> str:
    return "query {" * levels + inner + "}" * levels


def plain(inner: str) -> str:
    return "{" + inner + "}"


def inline(inner: str) -> str:
    return "{ ... { ... on Query {" + inner + "} } }"


def named(inner: str) -> str:
    return "{ ...A } fragment A on Query { ...B } fragment B on Query {" + inner + "}"


SHAPES = {"plain": plain, "inline": inline, "named": named}
SMALL = Limits(
    depth=4,
    introspection_depth=5,
    fields=12,
    root_fields=6,
    aliases=5,
    directives=5,
    variables=3,
    tokens=90,
    document_chars=1_000,
    comments=4,
)
# What each limit counts, as a selection in which it is counted `n` times.
MEASURES: dict[str, Callable[[int], str]] = {
    "depth": nested,
    "introspection_depth": lambda n: (
        "__schema { queryType { fields { type { name " + "ofType {" * (n - 4) + "name" + "}" * n
    ),
    "fields": lambda n: "query {" + "hello " * (n - 1) + "}",
    "root_fields": lambda n: "hello " * n,
    "aliases": lambda n: "query {" + " ".join(f"a{i}: hello" for i in range(n)) + "}",
    # Half of them on fields, half on fragments.
    "directives": lambda n: (
        "hello @skip(if: false) " * (n // 2) + "... @include(if: true) { hello } " * (n - n // 2)
    ),
}


@pytest.fixture(scope="module")
async def small() -> Any:
    async with served(SMALL) as server:
        yield server


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("limit", MEASURES)
async def test_a_limit_holds_at_the_limit_and_one_past_it(
    small: Server, client: aiohttp.ClientSession, limit: str, shape: str, transport: str
) -> None:
    allowed = getattr(SMALL, limit)
    ask = TRANSPORTS[transport]
    at_limit = await ask(client, small, SHAPES[shape](MEASURES[limit](allowed)))
    assert "errors" not in at_limit, at_limit
    past_it = await ask(client, small, SHAPES[shape](MEASURES[limit](allowed + 1)))
    [error] = past_it["errors"]
    assert error["message"] == (
        f"The document passes the limit {limit}: {allowed + 1}, and {allowed} are allowed."
    )
    assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
    assert error["extensions"]["requestId"]
    assert "data" not in past_it


def with_variables(count: int) -> str:
    declared = " ".join(f"$v{i}: String" for i in range(count))
    used = " ".join(f"a{i}: hello(name: $v{i})" for i in range(count))
    return f"query ({declared}) {{ {used} }}"


WHOLE_DOCUMENTS: dict[str, Callable[[int], str]] = {
    "variables": with_variables,
    "tokens": lambda n: "{ total(values: [" + "1 " * (n - 9) + "]) }",
    "document_chars": lambda n: "{ hello }" + " " * (n - 9),
    "comments": lambda n: "#\n" * n + "{ hello }",
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("limit", WHOLE_DOCUMENTS)
async def test_a_limit_of_the_whole_document_holds(
    small: Server, client: aiohttp.ClientSession, limit: str, transport: str
) -> None:
    allowed = getattr(SMALL, limit)
    ask = TRANSPORTS[transport]
    at_limit = await ask(client, small, WHOLE_DOCUMENTS[limit](allowed))
    assert "errors" not in at_limit, at_limit
    past_it = await ask(client, small, WHOLE_DOCUMENTS[limit](allowed + 1))
    [error] = past_it["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
    assert f"passes the limit {limit}:" in error["message"]
    assert f"{allowed} are allowed" in error["message"]


def exponential(levels: int) -> str:
    """Each fragment spreads the next one twice: 2 ** levels fields when read out in full."""
    fragments = "".join(
        f"fragment f{i} on Query {{ ...f{i + 1} ... {{ ...f{i + 1} }} }} " for i in range(levels)
    )
    return f"{{ ...f0 }} {fragments} fragment f{levels} on Query {{ hello }}"


async def test_a_document_that_is_exponential_in_its_fragments_is_answered_at_once(
    server: Server, client: aiohttp.ClientSession
) -> None:
    answer = await ask_http(client, server, exponential(30))
    [error] = answer["errors"]
    assert error["message"] == (
        "The document passes the limit fields: more than a million, and 500 are allowed."
    )


def calls_to_measure(levels: int) -> int:
    """How many functions are called to measure such a document: the same on every machine."""
    document = parse(exponential(levels))
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        check_limits(document, Limits(fields=2**levels, root_fields=2**levels))
    finally:
        sys.setprofile(None)
    return calls


def test_an_exponential_document_is_measured_in_the_size_of_its_text() -> None:
    # Read out in full, 20 levels more would be a million times the work.
    few, many, more = (calls_to_measure(levels) for levels in (10, 20, 30))
    assert many - few == more - many
    assert more < 4 * few


@pytest.mark.parametrize(
    "query",
    [
        nested(400),
        "{ total(values: " + "[" * 900 + "]" * 900 + ") }",
        "{ ...f0 } "
        + "".join(f"fragment f{i} on Query {{ ...f{i + 1} }} " for i in range(300))
        + "fragment f300 on Query { hello }",
        "{ ...A } fragment A on Query { query { ...B } } fragment B on Query { query { ...A } }",
        "{ ...A } fragment A on Query { ...A }",
        "{ " + "hello " * 490 + "}",
    ],
)
async def test_hostile_documents_are_refused_quickly_and_leave_the_server_well(
    server: Server, client: aiohttp.ClientSession, query: str
) -> None:
    started = time.perf_counter()
    answer = await ask_http(client, server, query)
    taken_s = time.perf_counter() - started
    codes = {error["extensions"]["code"] for error in answer["errors"]}
    assert codes <= {"QUERY_TOO_COSTLY", "BAD_USER_INPUT"}
    assert "data" not in answer
    assert taken_s < 1
    assert await ask_http(client, server, "{ hello }") == {"data": {"hello": "Hello, world!"}}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_unused_fragments_are_measured_too(
    small: Server, client: aiohttp.ClientSession, transport: str
) -> None:
    query = "{ hello } fragment A on Query { " + "hello " * 13 + "}"
    [error] = (await TRANSPORTS[transport](client, small, query))["errors"]
    assert error["message"] == ("The document passes the limit fields: 13, and 12 are allowed.")


async def test_the_usual_introspection_query_passes(
    server: Server, client: aiohttp.ClientSession
) -> None:
    query = get_introspection_query(specified_by_url=True, input_value_deprecation=True)
    answer = await ask_http(client, server, query)
    assert "errors" not in answer
    assert answer["data"]["__schema"]["queryType"]["name"] == "Query"


async def test_circular_introspection_is_refused(
    server: Server, client: aiohttp.ClientSession
) -> None:
    query = "{ __schema { types " + "{ fields { type " * 4 + "{ name }" + "} }" * 4 + " } }"
    [error] = (await ask_http(client, server, query))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"] == "Maximum introspection depth exceeded"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_values_nest_only_so_deep(
    server: Server, client: aiohttp.ClientSession, transport: str
) -> None:
    inner: dict[str, Any] = {}
    for _ in range(19):
        inner = {"a": inner}
    for extensions, fits in ((inner, True), ({"a": inner}, False)):
        body = {"query": "{ hello }", "extensions": extensions}
        headers = {**LOGIN, "Accept": "text/event-stream" if transport == "sse" else "*/*"}
        if transport == "websocket":
            assert await closes_with(client, server, body) == (None if fits else 4400)
            continue
        async with client.post(server.url, json=body, headers=headers) as response:
            assert response.status == (200 if fits else 400)


async def closes_with(
    client: aiohttp.ClientSession, server: Server, payload: dict[str, Any]
) -> int | None:
    """The close code that a subscribe with this payload leads to; None if it is served."""
    async with client.ws_connect(
        server.ws, protocols=["graphql-transport-ws"], headers=LOGIN
    ) as socket:
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["type"] == "connection_ack"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
        answer = await socket.receive()
        return None if answer.type is aiohttp.WSMsgType.TEXT else socket.close_code
