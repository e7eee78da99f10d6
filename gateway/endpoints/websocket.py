"""GraphQL over WebSocket: the handshake and login of graphql-transport-ws."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from graphql import ExecutionResult
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from gateway.auth.viewer import Viewer
from gateway.endpoints.answers import rejected
from gateway.endpoints.channel import Channel, CloseSocket
from gateway.endpoints.connections import Connections
from gateway.endpoints.conversation import Conversation, Prove
from gateway.endpoints.draining import Draining
from gateway.endpoints.execution import Engine
from gateway.endpoints.limits import Limits
from gateway.endpoints.login import Authenticator
from gateway.endpoints.messages import SUBPROTOCOL, Kind
from gateway.endpoints.request_id import request_id_of
from gateway.errors import RateLimited, RequestErrorCode, Unauthenticated

log = structlog.get_logger(__name__)


class WebSocketEndpoint:
    """The ASGI application behind `/graphql` for WebSockets."""

    def __init__(
        self,
        *,
        engine: Engine,
        authenticate: Authenticator,
        limits: Limits,
        clock: Callable[[], datetime],
        draining: Draining,
        connections: Connections,
    ) -> None:
        self._engine = engine
        self._authenticate = authenticate
        self._limits = limits
        self._clock = clock
        self._draining = draining
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket. Returns only when the mutations it started have ended."""
        request_id = request_id_of(scope)
        channel = Channel(receive, send, limits=self._limits)
        unfinished: set[asyncio.Task[ExecutionResult]] = set()
        try:
            await receive()  # websocket.connect
            await self._accept(scope, send)
            viewer, prove = await self._login(scope, channel)
            conversation = Conversation(
                channel=channel,
                viewer=viewer,
                prove=prove,
                request_id=request_id,
                unfinished=unfinished,
                engine=self._engine,
                limits=self._limits,
                clock=self._clock,
                draining=self._draining,
            )
            with self._connections.held_by(viewer):
                await conversation.hold()
        except CloseSocket as closing:
            await channel.close(closing)
        except RateLimited as refusal:
            await channel.close(CloseSocket(1013, refusal.message))
        except Exception as error:
            log.error("unhandled_error", exc_info=error)
            await channel.close(CloseSocket(1011, "Internal error"))
        finally:
            if unfinished:
                await asyncio.wait(unfinished)

    async def _accept(self, scope: Scope, send: Send) -> None:
        # Accepted even when it is closed at once: a browser sees a code only of an open socket.
        offered = SUBPROTOCOL in scope["subprotocols"]
        try:
            await send(
                {"type": "websocket.accept", "subprotocol": SUBPROTOCOL if offered else None}
            )
        except OSError:
            raise CloseSocket(None) from None
        if not offered:
            raise CloseSocket(4406, f"The subprotocol is {SUBPROTOCOL}")
        if self._draining.is_set():
            raise CloseSocket(1012, "Server is restarting")

    async def _login(self, scope: Scope, channel: Channel) -> tuple[Viewer, Prove]:
        try:
            async with asyncio.timeout(self._limits.init_timeout_s):
                payload = await _init_payload(channel)
                prove = partial(self._viewer, _authorization(payload, Headers(scope=scope)))
                return await prove(), prove
        except TimeoutError:
            raise CloseSocket(4408, "Connection initialisation timeout") from None

    async def _viewer(self, authorization: str | None) -> Viewer:
        try:
            return await self._authenticate(authorization)
        except Exception as error:  # noqa: BLE001 - the client is told by a code, not by a cut
            raise _refused_login(error) from None


def _authorization(payload: dict[str, Any], headers: Headers) -> str | None:
    found = (
        payload.get("Authorization") or payload.get("authorization") or headers.get("authorization")
    )
    if found is not None and not isinstance(found, str):
        raise CloseSocket(4400, "Authorization must be a string")
    return found


async def _init_payload(channel: Channel) -> dict[str, Any]:
    while True:
        message = await channel.read()
        if message.kind is Kind.INIT:
            return message.payload
        if message.kind is Kind.SUBSCRIBE:
            raise CloseSocket(4401, "Unauthorized")
        if message.kind is Kind.PING:
            await channel.write({"type": "pong"})


def _refused_login(error: Exception) -> CloseSocket:
    if isinstance(error, Unauthenticated):
        return (
            CloseSocket(4403, "Token expired")
            if error.expired
            else CloseSocket(4401, "Unauthorized")
        )
    refusal = rejected(error)
    code = _LOGIN_CODES.get(refusal.code, 1011)
    return CloseSocket(code, refusal.entries[0]["message"])


_LOGIN_CODES = {
    RequestErrorCode.FORBIDDEN: 4403,
    RequestErrorCode.RATE_LIMITED: 1013,
    RequestErrorCode.CONFLICT_RETRY: 1013,
}
