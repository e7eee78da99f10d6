"""graphql-transport-ws, as a raw client sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.endpoints.graphql import Limits
from tests.gateway.endpoints.toy import Server, served, until

pytestmark = pytest.mark.anyio

Socket = aiohttp.ClientWebSocketResponse
GOOD = "good"
PROTOCOL = "graphql-transport-ws"


@asynccontextmanager
async def opened(server: Server, **options: Any) -> AsyncIterator[Socket]:
    """A socket after the handshake, before login."""
    options.setdefault("protocols", [PROTOCOL])
    async with aiohttp.ClientSession() as client, client.ws_connect(server.ws, **options) as socket:
        yield socket


@asynccontextmanager
async def logged_in(server: Server, token: str = GOOD) -> AsyncIterator[Socket]:
    async with opened(server) as socket:
        await init(socket, token)
        assert (await socket.receive_json())["type"] == "connection_ack"
        yield socket


async def init(socket: Socket, token: str) -> None:
    payload = {"Authorization": f"Bearer {token}"}
    await socket.send_json({"type": "connection_init", "payload": payload})


async def subscribe(socket: Socket, id: str, query: str) -> None:
    await socket.send_json({"id": id, "type": "subscribe", "payload": {"query": query}})


async def answer(socket: Socket, seconds: float = 10) -> Any:
    return await socket.receive_json(timeout=seconds)


async def assert_closed(socket: Socket, code: int, reason: str | None = None) -> None:
    """The next thing that comes is this close."""
    message = await socket.receive(timeout=10)
    assert message.type is aiohttp.WSMsgType.CLOSE, message
    assert (message.data, message.extra) == (code, message.extra if reason is None else reason)


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


@pytest.mark.parametrize(
    ("token", "code", "reason"),
    [
        ("wrong", 4401, "Unauthorized"),
        ("expired", 4403, "Token expired"),
        ("limited", 1013, "Slow down."),
        ("unreachable", 1013, None),
        ("hurt", 1011, "Something went wrong on our side. Quote the request id."),
    ],
)
async def test_a_bad_login_closes_with_a_code_that_tells_what_helps(
    server: Server, token: str, code: int, reason: str | None
) -> None:
    async with opened(server) as socket:
        await init(socket, token)
        await assert_closed(socket, code, reason)


async def test_a_token_that_ends_meanwhile_closes_the_socket(server: Server) -> None:
    async with logged_in(server, "seconds:0.3") as socket:
        await subscribe(socket, "1", "subscription { held }")
        assert (await answer(socket))["payload"] == {"data": {"held": "first"}}
        await assert_closed(socket, 4403, "Token expired")
    await until(lambda: server.toy.closed == ["held"])
    assert server.toy.cancelled == ["held"]


async def test_nothing_is_served_before_the_ack(server: Server) -> None:
    async with opened(server, headers={"Authorization": "Bearer good"}) as socket:
        await subscribe(socket, "1", 'mutation { change(text: "a") }')
        await assert_closed(socket, 4401, "Unauthorized")
    assert server.toy.changes == []


async def test_a_second_init_closes_the_socket(server: Server) -> None:
    async with logged_in(server) as socket:
        await init(socket, "good")
        await assert_closed(socket, 4429, "Too many initialisation requests")


async def test_an_id_in_use_closes_the_socket(server: Server) -> None:
    async with logged_in(server) as socket:
        await subscribe(socket, "1", "subscription { held }")
        await answer(socket)
        await subscribe(socket, "1", "{ hello }")
        await assert_closed(socket, 4409, "Subscriber for 1 already exists")


@pytest.mark.parametrize("protocols", [[], ["graphql-ws"]])
async def test_another_subprotocol_is_refused(server: Server, protocols: list[str]) -> None:
    async with opened(server, protocols=protocols) as socket:
        await assert_closed(socket, 4406, "The subprotocol is graphql-transport-ws")


async def test_a_client_that_never_logs_in_is_dropped() -> None:
    async with served(Limits(init_timeout_s=0.1)) as server, opened(server) as socket:
        await assert_closed(socket, 4408, "Connection initialisation timeout")


MALFORMED = [
    "null",
    "[]",
    "7",
    '"x"',
    "true",
    "",
    "{",
    "[" * 5_000,
    '{"a":' * 2_000,
    "1" * 5_000,
    "{}",
    '{"type":null}',
    '{"type":["ping"]}',
    '{"type":"start"}',
    '{"type":"next","id":"1","payload":{}}',
    '{"type":"connection_ack"}',
    '{"type":"ping","payload":[]}',
    '{"type":"complete"}',
    '{"type":"complete","id":7}',
    '{"type":"subscribe","payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":"","payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":"' + "i" * 129 + '","payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":"1"}',
    '{"type":"subscribe","id":"1","payload":[]}',
    '{"type":"subscribe","id":"1","payload":{}}',
    '{"type":"subscribe","id":"1","payload":{"query":7}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":[]}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","operationName":7}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","extensions":7}}',
]


@pytest.mark.parametrize("frame", MALFORMED)
@pytest.mark.parametrize("when", ["before login", "after login"])
async def test_a_malformed_message_closes_the_socket(server: Server, frame: str, when: str) -> None:
    async with opened(server) if when == "before login" else logged_in(server) as socket:
        await socket.send_str(frame)
        await assert_closed(socket, 4400)


async def test_a_binary_message_closes_the_socket(server: Server) -> None:
    async with opened(server) as socket:
        await socket.send_bytes(b'{"type":"ping"}')
        await assert_closed(socket, 4400, "Messages are text, not binary")


async def test_the_frame_limit_holds_at_the_limit_and_one_past_it() -> None:
    def frame(size: int) -> str:
        start, end = '{"type":"ping","payload":{"x":"', '"}}'
        return start + "é" * ((size - len(start) - len(end)) // 2) + "e" + end

    async with served(Limits(frame_bytes=1_001)) as server, opened(server) as socket:
        assert len(frame(1_001).encode()) == 1_001
        await socket.send_str(frame(1_001))
        assert await answer(socket) == {"type": "pong"}
        await socket.send_str(frame(1_003))
        await assert_closed(socket, 1009)


async def test_too_many_messages_close_the_socket() -> None:
    limits = Limits(message_burst=5, messages_per_second=1)
    async with served(limits) as server, opened(server) as socket:
        for _ in range(5):
            await socket.send_json({"type": "ping"})
            assert await answer(socket) == {"type": "pong"}
        await socket.send_json({"type": "ping"})
        await assert_closed(socket, 1008)


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


async def test_a_silent_client_is_pinged_and_kept_if_it_answers_else_dropped() -> None:
    limits = Limits(ping_interval_s=0.1, pong_timeout_s=0.1)
    async with served(limits) as server, logged_in(server) as socket:
        for _ in range(3):
            assert await answer(socket) == {"type": "ping"}
            await socket.send_json({"type": "pong"})
        assert await answer(socket) == {"type": "ping"}
        await assert_closed(socket, 4499, "No pong")


async def test_a_draining_server_sends_its_sockets_away() -> None:
    async with served() as server, logged_in(server) as socket:
        await subscribe(socket, "1", "subscription { held }")
        await answer(socket)
        server.toy.draining.set()
        await assert_closed(socket, 1012, "Server is restarting")
        async with opened(server) as late:
            await assert_closed(late, 1012, "Server is restarting")
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
