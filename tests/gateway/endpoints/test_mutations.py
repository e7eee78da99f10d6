"""A mutation is never cut in the middle; a query is."""

import asyncio
import json

import aiohttp
import pytest

from gateway.endpoints.graphql import Limits
from tests.gateway.endpoints.toy import served, until

pytestmark = pytest.mark.anyio

GOOD = {"Authorization": "Bearer good", "Accept": "application/graphql-response+json"}
CHANGE = {"query": 'mutation { changeSlowly(text: "a") }'}


async def test_a_query_past_its_deadline_is_stopped() -> None:
    async with (
        served(Limits(deadline_s=0.1)) as server,
        aiohttp.ClientSession() as client,
        client.post(server.url, json={"query": "{ slow }"}, headers=GOOD) as response,
    ):
        assert response.status == 400
        [error] = (await response.json(content_type=None))["errors"]
        assert error["extensions"]["code"] == "QUERY_TOO_COSTLY"
        assert "deadline_s: 0.1 seconds" in error["message"]
        assert server.toy.cancelled == ["slow"]


async def test_a_mutation_past_its_deadline_goes_on_and_the_client_is_told_so() -> None:
    async with (
        served(Limits(deadline_s=0.1)) as server,
        aiohttp.ClientSession() as client,
    ):
        async with client.post(server.url, json=CHANGE, headers=GOOD) as response:
            assert response.status == 503
            [error] = (await response.json(content_type=None))["errors"]
            assert error["extensions"]["code"] == "CONFLICT_RETRY"
            assert "Repeat it with the same idempotency key" in error["message"]
        assert server.toy.changes == []
        server.toy.gate.set()
        await until(lambda: server.toy.changes == ["a"])
        assert server.toy.cancelled == []


async def test_a_client_that_goes_away_does_not_stop_its_mutation() -> None:
    async with served() as server:
        _, writer = await asyncio.open_connection(*server.origin.split(":"))
        body = json.dumps(CHANGE).encode()
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        await until(lambda: server.toy.waiting == 1)
        writer.close()
        await writer.wait_closed()
        server.toy.gate.set()
        await until(lambda: server.toy.changes == ["a"])
        assert server.toy.cancelled == []


@pytest.mark.parametrize("how", ["complete", "close"])
async def test_leaving_a_socket_does_not_stop_its_mutation(how: str) -> None:
    async with served() as server, aiohttp.ClientSession() as client:
        socket = await client.ws_connect(server.ws, protocols=["graphql-transport-ws"])
        await socket.send_json(
            {"type": "connection_init", "payload": {"Authorization": "Bearer good"}}
        )
        assert (await socket.receive_json())["type"] == "connection_ack"
        await socket.send_json({"id": "1", "type": "subscribe", "payload": CHANGE})
        await until(lambda: server.toy.waiting == 1)
        if how == "complete":
            await socket.send_json({"id": "1", "type": "complete"})
            await socket.send_json({"type": "ping"})
            assert await socket.receive_json() == {"type": "pong"}
        else:
            await socket.close()
        server.toy.gate.set()
        await until(lambda: server.toy.changes == ["a"])
        assert server.toy.cancelled == []
        await socket.close()


async def test_the_server_waits_for_a_mutation_before_it_stops() -> None:
    async with served(Limits(deadline_s=0.1)) as server, aiohttp.ClientSession() as client:
        async with client.post(server.url, json=CHANGE, headers=GOOD) as response:
            assert response.status == 503
        server.process.should_exit = True
        stopped, _ = await asyncio.wait({server.running}, timeout=0.5)
        assert not stopped
        assert server.toy.changes == []
        server.toy.gate.set()
        await until(server.running.done)
    assert server.toy.changes == ["a"]
    assert server.toy.cancelled == []


async def test_mutations_of_one_document_run_one_after_the_other() -> None:
    async with served() as server, aiohttp.ClientSession() as client:
        query = 'mutation { a: changeSlowly(text: "a") b: change(text: "b") }'
        request = asyncio.create_task(client.post(server.url, json={"query": query}, headers=GOOD))
        await until(lambda: server.toy.waiting == 1)
        assert server.toy.changes == []
        server.toy.gate.set()
        response = await request
        assert await response.json(content_type=None) == {"data": {"a": "a", "b": "b"}}
        assert server.toy.changes == ["a", "b"]
