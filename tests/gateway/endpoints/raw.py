"""What raw clients do: send by hand, read by hand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from tests.gateway.endpoints.toy import Server

TOKEN = "good"
GOOD = {"Authorization": "Bearer good"}
STRICT = {**GOOD, "Accept": "application/graphql-response+json"}
Socket = aiohttp.ClientWebSocketResponse
PROTOCOL = "graphql-transport-ws"


async def post(
    client: aiohttp.ClientSession,
    server: Server,
    body: object,
    headers: dict[str, str] = STRICT,
) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    async with client.post(server.url, data=data, headers=sent) as response:
        return response.status, json.loads(await response.read())


def refusal(answer: dict[str, Any]) -> tuple[str, str]:
    """Code and message of the only error of an answer without data."""
    assert list(answer) == ["errors"]
    [error] = answer["errors"]
    assert error["extensions"]["requestId"]
    return error["extensions"]["code"], error["message"]


async def get(
    client: aiohttp.ClientSession, server: Server, query: str, headers: dict[str, str] = STRICT
) -> tuple[int, Any, dict[str, str]]:
    url = URL(f"{server.url}?{query}", encoded=True)
    async with client.get(url, headers=headers) as response:
        return response.status, json.loads(await response.read()), dict(response.headers)


@asynccontextmanager
async def opened(server: Server, **options: Any) -> AsyncIterator[Socket]:
    """A socket after the handshake, before login."""
    options.setdefault("protocols", [PROTOCOL])
    async with aiohttp.ClientSession() as client, client.ws_connect(server.ws, **options) as socket:
        yield socket


@asynccontextmanager
async def logged_in(server: Server, token: str = TOKEN) -> AsyncIterator[Socket]:
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
