"""graphql-transport-ws: operations, as a raw client sees them."""

import asyncio
import json

import pytest

from gateway.endpoints.graphql import Limits
from tests.gateway.endpoints.raw import (
    answer,
    assert_closed,
    init,
    logged_in,
    opened,
    subscribe,
)
from tests.gateway.endpoints.toy import Server, served, until

pytestmark = pytest.mark.anyio


async def test_a_subscription_tells_each_event_and_its_end(server: Server) -> None:
    async with logged_in(server) as socket:
        await subscribe(socket, "1", "subscription { count(to: 2) }")
        assert [await answer(socket) for _ in range(3)] == [
            {"id": "1", "type": "next", "payload": {"data": {"count": 1}}},
            {"id": "1", "type": "next", "payload": {"data": {"count": 2}}},
            {"id": "1", "type": "complete"},
        ]
    assert server.toy.closed == ["count"]


async def test_queries_and_mutations_run_over_the_socket_too(server: Server) -> None:
    async with logged_in(server) as socket:
        for id, query, data in (
            ("q", "{ hello }", {"hello": "Hello, world!"}),
            ("m", 'mutation { change(text: "a") }', {"change": "a"}),
        ):
            await subscribe(socket, id, query)
            assert await answer(socket) == {"id": id, "type": "next", "payload": {"data": data}}
            assert await answer(socket) == {"id": id, "type": "complete"}
    assert server.toy.changes == ["a"]


async def test_the_ack_tells_the_limits(server: Server) -> None:
    async with opened(server) as socket:
        await init(socket, "good")
        ack = await answer(socket)
    assert ack["type"] == "connection_ack"
    assert ack["payload"]["limits"] == {
        "frameBytes": 64_000,
        "messagesPerSecond": 50,
        "subscriptionsPerSocket": 20,
        "socketsPerSubject": 50,
        "pingIntervalSeconds": 25,
        "depth": 10,
        "deadlineSeconds": 10,
    }


@pytest.mark.parametrize("payload", ["Authorization", "authorization", None])
async def test_the_token_may_come_in_the_payload_or_in_the_header(
    server: Server, payload: str | None
) -> None:
    headers = {} if payload else {"Authorization": "Bearer good"}
    async with opened(server, headers=headers) as socket:
        sent = {"payload": {payload: "Bearer good"}} if payload else {}
        await socket.send_json({"type": "connection_init", **sent})
        assert (await answer(socket))["type"] == "connection_ack"


async def test_subscriptions_of_a_socket_are_limited_and_come_free_again() -> None:
    async with served(Limits(subscriptions_per_socket=2)) as server, logged_in(server) as socket:
        for id in ("1", "2"):
            await subscribe(socket, id, "subscription { held }")
            assert (await answer(socket))["id"] == id
        await subscribe(socket, "3", "{ hello }")
        refused = await answer(socket)
        assert (refused["id"], refused["type"]) == ("3", "error")
        [error] = refused["payload"]
        assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
        assert "subscriptions_per_socket: 2 are allowed" in error["message"]
        await socket.send_json({"id": "1", "type": "complete"})
        await subscribe(socket, "3", "{ hello }")
        assert (await answer(socket))["payload"] == {"data": {"hello": "Hello, world!"}}


async def test_sockets_of_a_token_are_limited_and_come_free_again() -> None:
    async with served(Limits(sockets_per_subject=1)) as server:
        async with logged_in(server):
            async with opened(server) as second:
                await init(second, "good")
                await assert_closed(second, 1013)
            async with logged_in(server, "other"):
                pass
        async with logged_in(server):
            pass


async def test_after_the_clients_complete_nothing_comes_and_the_id_is_free(
    server: Server,
) -> None:
    async with logged_in(server) as socket:
        await subscribe(socket, "1", "subscription { held }")
        await answer(socket)
        await socket.send_json({"id": "1", "type": "complete"})
        await subscribe(socket, "1", "{ hello }")
        assert (await answer(socket))["payload"] == {"data": {"hello": "Hello, world!"}}
        assert await answer(socket) == {"id": "1", "type": "complete"}
        assert server.toy.closed == ["held"]
        server.toy.gate.set()
        await socket.send_json({"type": "ping", "payload": {"n": 1}})
        assert await answer(socket) == {"type": "pong"}


async def test_completing_an_unknown_id_is_no_mistake(server: Server) -> None:
    async with logged_in(server) as socket:
        await socket.send_json({"id": "gone", "type": "complete"})
        await socket.send_json({"type": "ping"})
        assert await answer(socket) == {"type": "pong"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "BAD_USER_INPUT"),
        ("{ nope }", "BAD_USER_INPUT"),
        ("query ($v: Even!) { even(value: $v) }", "BAD_USER_INPUT"),
        ("subscription ($v: Int!) { count(to: $v) }", "BAD_USER_INPUT"),
        ("subscription { turnedAway }", "FORBIDDEN"),
        ("query A { hello } query B { hello }", "BAD_USER_INPUT"),
        (f"{{ even(value: {2**70}) }}", "INTERNAL"),
    ],
)
async def test_a_refused_operation_ends_alone_and_the_socket_lives(
    server: Server, query: str, code: str
) -> None:
    async with logged_in(server) as socket:
        await subscribe(socket, "1", query)
        refused = await answer(socket)
        assert (refused["id"], refused["type"]) == ("1", "error")
        [error] = refused["payload"]
        assert error["extensions"]["code"] == code
        assert error["extensions"]["requestId"].endswith(".1")
        await subscribe(socket, "1", "{ requestId }")
        data = (await answer(socket))["payload"]["data"]
        assert data["requestId"].endswith(".2")


async def test_a_source_that_fails_is_masked_and_ends_with_error(server: Server) -> None:
    async with logged_in(server) as socket:
        await subscribe(socket, "1", "subscription { failing }")
        assert (await answer(socket))["payload"] == {"data": {"failing": 1}}
        refused = await answer(socket)
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "secret" not in json.dumps(refused)


async def test_each_event_is_read_with_a_fresh_context(server: Server) -> None:
    async with logged_in(server) as socket:
        query = "subscription { events(to: 2) { timesThisContextWasUsed } }"
        await subscribe(socket, "1", query)
        seen = [(await answer(socket))["payload"]["data"]["events"] for _ in range(2)]
        assert seen == [{"timesThisContextWasUsed": 1}] * 2


async def test_a_closed_socket_ends_its_subscriptions(server: Server) -> None:
    async with logged_in(server) as socket:
        await subscribe(socket, "1", "subscription { held }")
        await answer(socket)
    await until(lambda: server.toy.closed == ["held"])


async def test_a_reader_that_takes_nothing_holds_back_its_source_and_is_dropped() -> None:
    async with served(Limits(send_timeout_s=0.3)) as server, logged_in(server) as socket:
        await subscribe(socket, "1", "subscription { flood(chars: 50000) }")
        # The client stops reading: aiohttp buffers little, then the kernel, then the server waits.
        transport = socket._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.pause_reading()
        await until(lambda: server.toy.closed == ["flood"])
        held_bytes = server.toy.ticks * 50_000
        assert held_bytes < 20_000_000
        transport.abort()


async def test_one_loop_serves_many_sockets(server: Server) -> None:
    async def one(number: int) -> int:
        async with logged_in(server) as socket:
            await subscribe(socket, str(number), "subscription { count(to: 3) }")
            return sum([(await answer(socket))["payload"]["data"]["count"] for _ in range(3)])

    assert await asyncio.gather(*(one(number) for number in range(30))) == [6] * 30
