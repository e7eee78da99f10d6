"""graphql-sse in its distinct connections mode, as a raw client sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from gateway.endpoints.graphql import Limits
from tests.gateway.endpoints.toy import Server, served, until

pytestmark = pytest.mark.anyio

GOOD = "good"
COMPLETE = "event: complete\ndata: "


class Stream:
    """The frames of one event stream, in order."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def frame(self) -> str:
        async with asyncio.timeout(10):
            text = (await self.response.content.readuntil(b"\n\n")).decode()
        assert "\r" not in text
        return text.removesuffix("\n\n")

    async def next(self) -> Any:
        event, data = (await self.frame()).split("\n")
        assert event == "event: next"
        return json.loads(data.removeprefix("data: "))

    async def assert_ended(self) -> None:
        assert await self.response.content.read() == b""


@asynccontextmanager
async def stream(
    server: Server,
    query: str,
    *,
    token: str = GOOD,
    accept: str = "text/event-stream",
    method: str = "POST",
) -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    sent: dict[str, Any] = {"json": {"query": query}} if method == "POST" else {}
    url = server.url if method == "POST" else f"{server.url}?query={quote(query)}"
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, url, headers=headers, **sent) as response,
    ):
        yield Stream(response)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_subscription_streams_each_event_and_its_end(server: Server, method: str) -> None:
    async with stream(server, "subscription { count(to: 2) }", method=method) as events:
        assert events.response.status == 200
        assert events.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert events.response.headers["Cache-Control"] == "no-store"
        assert await events.frame() == 'event: next\ndata: {"data":{"count":1}}'
        assert await events.frame() == 'event: next\ndata: {"data":{"count":2}}'
        assert await events.frame() == COMPLETE
        await events.assert_ended()
    assert server.toy.closed == ["count"]


async def test_queries_and_mutations_may_be_streamed(server: Server) -> None:
    for query, data in (
        ("{ hello }", {"hello": "Hello, world!"}),
        ('mutation { change(text: "a") }', {"change": "a"}),
    ):
        async with stream(server, query) as events:
            assert await events.next() == {"data": data}
            assert await events.frame() == COMPLETE
    assert server.toy.changes == ["a"]


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("text/event-stream", True),
        ("text/event-stream;q=0.9, application/json", True),
        ("application/graphql-response+json, application/json, text/event-stream", False),
        ("*/*", False),
    ],
)
async def test_a_stream_is_answered_only_to_those_who_name_it_first(
    server: Server, accept: str, *, streams: bool
) -> None:
    async with stream(server, "{ hello }", accept=accept) as events:
        assert (events.response.content_type == "text/event-stream") is streams
        assert b"Hello, world!" in await events.response.read()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "BAD_USER_INPUT"),
        ("{ nope }", "BAD_USER_INPUT"),
        ("subscription ($v: Int!) { count(to: $v) }", "BAD_USER_INPUT"),
        ("subscription { turnedAway }", "FORBIDDEN"),
        (f"{{ even(value: {2**70}) }}", "INTERNAL"),
    ],
)
async def test_what_is_wrong_is_told_inside_the_stream(
    server: Server, query: str, code: str
) -> None:
    async with stream(server, query) as events:
        assert events.response.status == 200
        answer = await events.next()
        assert list(answer) == ["errors"]
        [error] = answer["errors"]
        assert error["extensions"] == {
            "code": code,
            "requestId": events.response.headers["X-Request-Id"],
        }
        assert await events.frame() == COMPLETE


async def test_a_source_that_fails_is_masked(server: Server) -> None:
    async with stream(server, "subscription { failing }") as events:
        assert await events.next() == {"data": {"failing": 1}}
        [error] = (await events.next())["errors"]
        assert error["extensions"]["code"] == "INTERNAL"
        assert "secret" not in error["message"]
        assert await events.frame() == COMPLETE


async def test_a_stream_needs_a_good_token(server: Server) -> None:
    async with stream(server, "subscription { held }", token="expired") as events:
        assert events.response.status == 401
        [error] = (await events.response.json())["errors"]
        assert error["extensions"]["expired"] is True
    assert server.toy.waiting == 0


async def test_a_token_that_ends_meanwhile_ends_the_stream(server: Server) -> None:
    async with stream(server, "subscription { held }", token="seconds:0.3") as events:
        assert await events.next() == {"data": {"held": "first"}}
        [error] = (await events.next())["errors"]
        assert error["message"] == "Token expired"
        assert error["extensions"] == {
            "code": "UNAUTHENTICATED",
            "expired": True,
            "requestId": events.response.headers["X-Request-Id"],
        }
        assert await events.frame() == COMPLETE
        await events.assert_ended()
    assert server.toy.closed == ["held"]


async def test_a_quiet_stream_shows_signs_of_life() -> None:
    async with (
        served(Limits(keep_alive_s=0.05)) as server,
        stream(server, "subscription { held }") as events,
    ):
        assert await events.next() == {"data": {"held": "first"}}
        assert await events.frame() == ":"
        assert await events.frame() == ":"
        server.toy.gate.set()
        while (frame := await events.frame()) == ":":
            pass
        assert frame == 'event: next\ndata: {"data":{"held":"second"}}'


async def test_a_client_that_goes_away_ends_its_subscription(server: Server) -> None:
    async with stream(server, "subscription { held }") as events:
        await events.next()
    await until(lambda: server.toy.closed == ["held"])
    assert server.toy.cancelled == ["held"]


async def test_a_draining_server_cuts_its_streams_so_that_clients_come_back() -> None:
    async with served() as server, stream(server, "subscription { held }") as events:
        await events.next()
        server.toy.draining.set()
        # Without `complete`: a client takes that for the end of the subscription.
        await events.assert_ended()
        assert server.toy.closed == ["held"]


async def test_streams_of_a_token_are_limited_and_come_free_again() -> None:
    async with served(Limits(sockets_per_subject=1)) as server:
        async with stream(server, "subscription { held }") as events:
            await events.next()
            async with stream(server, "subscription { held }") as second:
                assert second.response.status == 429
                assert second.response.headers["Retry-After"] == "10"
                [error] = (await second.response.json())["errors"]
                assert error["extensions"]["code"] == "RATE_LIMITED"
                assert error["extensions"]["retryAfterSeconds"] == 10
        await until(lambda: server.toy.closed == ["held"])
        async with stream(server, "subscription { count(to: 1) }") as events:
            assert await events.next() == {"data": {"count": 1}}


async def test_a_reader_that_takes_nothing_holds_back_its_source_and_is_dropped() -> None:
    async with (
        served(Limits(send_timeout_s=0.3)) as server,
        stream(server, "subscription { flood(chars: 50000) }") as events,
    ):
        connection = events.response.connection
        assert connection is not None
        transport = connection.transport
        assert transport is not None
        transport.pause_reading()
        await until(lambda: server.toy.closed == ["flood"])
        assert server.toy.ticks * 50_000 < 20_000_000
        transport.abort()


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("POST", 400)])
async def test_the_single_connection_mode_is_refused_plainly(
    server: Server, client: aiohttp.ClientSession, method: str, status: int
) -> None:
    headers = {
        "Authorization": "Bearer good",
        "Accept": "text/event-stream",
        "X-GraphQL-Event-Stream-Token": "t",
    }
    async with client.request(
        method, server.url, json={"query": "{ hello }"}, headers=headers
    ) as response:
        assert response.status == status
        [error] = (await response.json())["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
