"""One id for each request: taken from the client or made, bound to the logs, echoed."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

log = structlog.get_logger(__name__)

HEADER = "X-Request-Id"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(scope: Scope) -> str:
    """The id of this request; made here if no middleware gave it one."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        state["request_id"] = _given(scope) or uuid7().hex
    return str(state["request_id"])


class RequestIdMiddleware:
    """Gives every HTTP request and WebSocket an id and writes one log line when it ends.

    The id is the client's `X-Request-Id` if that is at most 128 characters of [A-Za-z0-9._-].
    The line holds no query text, no query string, no header and no token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(request_id_of(scope), receive, send)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                await self._app(scope, exchange.receive, exchange.send)
            finally:
                log.info(
                    "request",
                    protocol=scope["type"],
                    method=scope.get("method"),
                    # Encoded again: a decoded path may hold line breaks and control characters.
                    path=quote(scope["path"]),
                    status=exchange.status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 1),
                )


class _Exchange:
    """Watches the messages of one request go by."""

    def __init__(self, request_id: str, receive: Receive, send: Send) -> None:
        self.request_id = request_id
        # The HTTP status or the WebSocket's close code, whichever side gave it.
        self.status: int | None = None
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self.status is None:
            self.status = message.get("code")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] in _ANSWERS:
            message.setdefault("headers", [])
            MutableHeaders(scope=message)[HEADER] = self.request_id
        if message["type"] == "websocket.close":
            self.status = message.get("code", 1000)
        elif "status" in message:
            self.status = message["status"]
        await self._send(message)


_ANSWERS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


def _given(scope: Scope) -> str | None:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _WELL_FORMED.fullmatch(given) else None
