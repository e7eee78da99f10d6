"""graphql-transport-ws: login, and what closes a socket with which code."""

import pytest

from gateway.endpoints.graphql import Limits
from tests.gateway.endpoints.raw import answer, assert_closed, init, logged_in, opened, subscribe
from tests.gateway.endpoints.toy import Server, served, until

pytestmark = pytest.mark.anyio


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
