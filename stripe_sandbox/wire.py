"""Writing an answer to the connection, whole or broken as a fault wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from starlette.types import Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stripe_sandbox.errors import Json
from stripe_sandbox.faults import Fault

_TRANSPORT: Final = "stripe_sandbox.transport"
# Browsers call the publishable-key routes from the pages of whoever sells.
_OPEN_TO_BROWSERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Stripe-Account, Stripe-Version, "
    "Idempotency-Key",
    "Access-Control-Expose-Headers": "Request-Id, Idempotent-Replayed",
    "Access-Control-Max-Age": "300",
}
_GARBAGE: Final = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with the transport in the scope, so that a fault can cut it."""

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}


@dataclass
class Answer:
    """A status and a JSON body. original: the request whose stored result this is."""

    status: int
    body: Json
    original: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def cut(scope: Scope) -> None:
    """Break the connection now, without another byte."""
    scope["extensions"][_TRANSPORT]["transport"].abort()


async def preflight(send: Send) -> None:
    """Answer a browser that asks whether it may call."""
    await _start(send, 204, _OPEN_TO_BROWSERS, 0)
    await send({"type": "http.response.body", "body": b""})


async def respond(scope: Scope, send: Send, answer: Answer, faults: Mapping[str, Fault]) -> None:
    """Send the answer, or what the faults make of it."""
    if "cut_after_success" in faults:
        cut(scope)
        return
    garbage = "garbage_body" in faults
    payload = _GARBAGE if garbage else orjson.dumps(answer.body)
    kind = "text/html" if garbage else "application/json"
    status = 200 if garbage else answer.status
    headers = {**answer.headers, **_OPEN_TO_BROWSERS, "Content-Type": kind}
    await _start(send, status, headers, len(payload))
    if "cut_body" in faults or "stall_body" in faults:
        half = len(payload) // 2
        await send({"type": "http.response.body", "body": payload[:half], "more_body": True})
        if "cut_body" in faults:
            cut(scope)
            return
        await asyncio.sleep(faults["stall_body"].seconds)
        payload = payload[half:]
    await send({"type": "http.response.body", "body": payload})


async def _start(send: Send, status: int, headers: Mapping[str, str], length: int) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
