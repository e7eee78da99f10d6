"""A subscriber by hand: graphql-transport-ws over aiohttp, one message at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.harness import Harness

WALLET = """
subscription ($id: ID!, $after: Int64) {
  walletUpdated(walletId: $id, afterVersion: $after) {
    fromVersion version reset
    wallet { available pending purchasable blocks { reason } }
  }
}
"""


class Subscriber:
    """One subscription on one socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def frame(self, *, within_s: float = 10) -> Any:
        """The next frame that is not a keep-alive, or the close code as {"closed": code}."""
        while True:
            message = await self.socket.receive(timeout=within_s)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return {"closed": self.socket.close_code, "reason": message.extra}
            frame = message.json()
            if frame["type"] != "ping":
                return frame
            await self.socket.send_json({"type": "pong"})

    async def update(self, *, within_s: float = 10) -> Any:
        """The next message's single root field."""
        frame = await self.frame(within_s=within_s)
        assert frame.get("type") == "next", frame
        assert "errors" not in frame["payload"], frame
        [value] = frame["payload"]["data"].values()
        return value

    async def errors(self) -> list[Any]:
        """The errors with which the operation ended."""
        frame = await self.frame()
        assert frame.get("type") in {"error", "next"}, frame
        payload = frame["payload"]
        found: list[Any] = payload if frame["type"] == "error" else payload["errors"]
        return found


@asynccontextmanager
async def subscribed(
    h: Harness, token: str, query: str, variables: Mapping[str, Any]
) -> AsyncIterator[Subscriber]:
    """Log in over a WebSocket and start one subscription."""
    url = h.url.replace("http", "ws", 1)
    async with h.http.ws_connect(url, protocols=["graphql-transport-ws"]) as socket:
        subscriber = Subscriber(socket)
        login = {"Authorization": f"Bearer {token}"}
        await socket.send_json({"type": "connection_init", "payload": login})
        acknowledged = await subscriber.frame()
        assert acknowledged.get("type") == "connection_ack", acknowledged
        payload = {"query": query, "variables": dict(variables)}
        await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
        yield subscriber
