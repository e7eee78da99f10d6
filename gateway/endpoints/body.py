"""Reads what arrives over HTTP, within bounds of size and time."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Receive

from gateway.endpoints.limits import Limits
from gateway.endpoints.requests import read_json
from gateway.errors import BadUserInput, QueryTooCostly, RequestError

_PARAMETERS = ("query", "operationName", "variables", "extensions")


class HttpRefusal(Exception):
    """An HTTP request that is refused before GraphQL begins, with its status and headers."""

    def __init__(
        self, status: int, error: RequestError, *, headers: dict[str, str] | None = None
    ) -> None:
        self.status, self.error, self.headers = status, error, headers or {}
        super().__init__(error.message)


class ClientGone(Exception):
    """The client went away: nobody is left to answer."""


async def read_body(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    """The whole body. Raises HttpRefusal: 413 as soon as it passes `body_bytes`, 408 when it has
    not arrived within `body_timeout_s`; and ClientGone."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limits.body_bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _collect(receive, limits)
    except TimeoutError:
        raise HttpRefusal(
            408,
            BadUserInput(f"The body did not arrive within {limits.body_timeout_s:g} seconds."),
            headers=_HANG_UP,
        ) from None


def read_url(query_string: bytes, limits: Limits) -> dict[str, object]:
    """The members of a GraphQL request from a URL's query string.

    Raises HttpRefusal 414 past `url_bytes`, and BadUserInput for text that is not UTF-8, members
    that are given twice and JSON that is not valid."""
    if len(query_string) > limits.url_bytes:
        raise HttpRefusal(
            414, QueryTooCostly(f"The URL passes the limit url_bytes: {limits.url_bytes} bytes.")
        )
    members: dict[str, object] = {}
    try:
        for name, value in parse_qsl(query_string.decode("ascii"), errors="strict"):
            if name in members:
                raise BadUserInput(f"{name} is given twice.")
            if name in _PARAMETERS:
                members[name] = value
    except UnicodeDecodeError:
        raise BadUserInput("The URL is not valid UTF-8.") from None
    for name in ("variables", "extensions"):
        if name in members:
            members[name] = read_json(str(members[name]), what=name)
    return members


# A client that is refused while it still sends must not go on sending.
_HANG_UP = {"Connection": "close"}


async def _collect(receive: Receive, limits: Limits) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limits: Limits) -> HttpRefusal:
    return HttpRefusal(
        413,
        QueryTooCostly(f"The body passes the limit body_bytes: {limits.body_bytes} bytes."),
        headers=_HANG_UP,
    )
