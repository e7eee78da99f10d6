"""GraphQL over server-sent events: the distinct connections mode of graphql-sse.

Each answer is an `event: next`, the end an `event: complete`. What is wrong with the document is
told in a `next` too, because an EventSource cannot read the body of a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.endpoints.answers import Json, Rejected, encode, refusal_body, rejected
from gateway.endpoints.connections import Connections, remaining_s
from gateway.endpoints.draining import Draining, drains_within
from gateway.endpoints.execution import Caller, Engine, Operation
from gateway.endpoints.limits import Limits
from gateway.errors import Unauthenticated


class EventStreams:
    """Makes the answers of the event stream kind, each an ASGI application."""

    def __init__(
        self,
        *,
        engine: Engine,
        limits: Limits,
        clock: Callable[[], datetime],
        draining: Draining,
        connections: Connections,
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._clock = clock
        self._draining = draining
        self._connections = connections

    def response(self, told: Operation | Rejected, caller: Caller) -> ASGIApp:
        """The stream of an operation's answers, or the one that only tells why there is none.

        It ends with `complete` when the operation does; with an UNAUTHENTICATED error and
        `complete` when the token expires; without `complete`, so that clients come back, when the
        process drains. Raises RateLimited when the caller holds too many connections."""
        self._connections.check(caller.viewer)

        async def respond(_scope: Scope, receive: Receive, send: Send) -> None:
            stream = _Stream(send, caller, self._limits, self._clock, self._draining)
            with self._connections.held_by(caller.viewer):
                await stream.run(self._bodies(told, caller), receive)

        return respond

    async def _bodies(
        self, told: Operation | Rejected, caller: Caller
    ) -> AsyncGenerator[Json, None]:
        if isinstance(told, Rejected):
            raise told
        async with aclosing(self._engine.stream(told, caller)) as bodies:
            async for body in bodies:
                yield body


class _Over(Exception):
    """The stream ends; `last` is what the client still hears, None when it hears nothing."""

    def __init__(self, last: bytes | None) -> None:
        self.last = last
        super().__init__()


class _Stream:
    """One event stream, from its headers to its end."""

    def __init__(
        self,
        send: Send,
        caller: Caller,
        limits: Limits,
        clock: Callable[[], datetime],
        draining: Draining,
    ) -> None:
        self._send = send
        self._caller = caller
        self._limits = limits
        self._clock = clock
        self._draining = draining

    async def run(self, bodies: AsyncGenerator[Json, None], receive: Receive) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_until_disconnect(receive))
                group.create_task(self._watch())
                await self._tell(bodies)
        except ExceptionGroup as group_of_ends:
            last = _first_end(group_of_ends).last
        if last is not None:
            await self._send({"type": "http.response.body", "body": last, "more_body": False})

    async def _tell(self, bodies: AsyncGenerator[Json, None]) -> None:
        try:
            async with aclosing(bodies):
                async for body in bodies:
                    await self._write(self._next(body))
        except Rejected as refusal:
            raise _Over(self._refused(refusal)) from None
        raise _Over(_COMPLETE)

    async def _watch(self) -> None:
        # Whichever comes first: the next sign of life, the token's end, or draining.
        while True:
            left_s = remaining_s(self._caller.viewer, self._clock())
            if left_s == 0:
                expired = Unauthenticated("Token expired", expired=True)
                raise _Over(self._refused(rejected(expired)))
            pause_s = min(left_s, self._limits.keep_alive_s)
            if await drains_within(self._draining, timeout_s=pause_s):
                raise _Over(b"")
            if pause_s < left_s:
                await self._write(b":\n\n")

    async def _write(self, chunk: bytes) -> None:
        message = {"type": "http.response.body", "body": chunk, "more_body": True}
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._send(message)
        except (TimeoutError, OSError):
            # A reader that takes nothing for so long is as good as gone.
            raise _Over(None) from None

    def _refused(self, refusal: Rejected) -> bytes:
        return self._next(refusal_body(refusal, request_id=self._caller.request_id)) + _COMPLETE

    @staticmethod
    def _next(body: Json) -> bytes:
        # JSON has no raw line breaks, so an answer is one line of data.
        return b"event: next\ndata: %b\n\n" % encode(body)


_COMPLETE = b"event: complete\ndata: \n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Asks nginx to pass each event on at once.
    (b"x-accel-buffering", b"no"),
]


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise _Over(None)


def _first_end(group: ExceptionGroup[Exception]) -> _Over:
    for error in group.exceptions:
        if isinstance(error, _Over):
            return error
    raise group
