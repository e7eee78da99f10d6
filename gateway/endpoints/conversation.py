"""What happens on a graphql-transport-ws socket between login and close."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime

import structlog
from graphql import ExecutionResult

from gateway.auth.viewer import Viewer
from gateway.endpoints.answers import Json, Rejected, refusal_body, rejected
from gateway.endpoints.channel import Channel, CloseSocket
from gateway.endpoints.connections import remaining_s
from gateway.endpoints.draining import Draining, drains_within
from gateway.endpoints.execution import Caller, Engine
from gateway.endpoints.limits import Limits
from gateway.endpoints.messages import ClientMessage, Kind
from gateway.endpoints.requests import GraphQLRequest
from gateway.errors import QueryTooCostly

Prove = Callable[[], Awaitable[Viewer]]
"""Judges the socket's token again. Raises CloseSocket when it proves nothing any more."""


class Conversation:
    """The operations of one socket and what ends them.

    Mutations go into `unfinished` and outlive the socket; everything else ends with it."""

    def __init__(
        self,
        *,
        channel: Channel,
        viewer: Viewer,
        prove: Prove,
        request_id: str,
        unfinished: set[asyncio.Task[ExecutionResult]],
        engine: Engine,
        limits: Limits,
        clock: Callable[[], datetime],
        draining: Draining,
    ) -> None:
        self._channel = channel
        self._viewer = viewer
        self._prove = prove
        self._request_id = request_id
        self._unfinished = unfinished
        self._engine = engine
        self._limits = limits
        self._clock = clock
        self._draining = draining
        self._running: dict[str, asyncio.Task[None]] = {}
        self._started = 0

    async def hold(self) -> None:
        """Acknowledge the login and serve the socket until something ends it.

        Always raises CloseSocket."""
        await self._channel.write(
            {"type": "connection_ack", "payload": _promises(self._limits, self._request_id)}
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch())
                while True:
                    await self._hear(await self._channel.read(), group)
        except ExceptionGroup as ends:
            raise _first_close(ends) from None

    async def _hear(self, message: ClientMessage, group: asyncio.TaskGroup) -> None:
        if message.kind is Kind.INIT:
            raise CloseSocket(4429, "Too many initialisation requests")
        if message.kind is Kind.PING:
            await self._channel.write({"type": "pong"})
        elif message.kind is Kind.COMPLETE:
            if task := self._running.pop(message.id, None):
                task.cancel()
        elif message.request is not None:
            await self._subscribe(message.id, message.request, group)

    async def _subscribe(self, id: str, request: GraphQLRequest, group: asyncio.TaskGroup) -> None:
        if id in self._running:
            raise CloseSocket(4409, f"Subscriber for {id} already exists")
        self._started += 1
        request_id = f"{self._request_id}.{self._started}"
        if len(self._running) < self._limits.subscriptions_per_socket:
            self._running[id] = group.create_task(self._run(id, request, request_id))
            return
        too_many = QueryTooCostly(
            "The socket passes the limit subscriptions_per_socket: "
            f"{self._limits.subscriptions_per_socket} are allowed at once."
        )
        await self._channel.write(_error(id, rejected(too_many), request_id))

    async def _run(self, id: str, request: GraphQLRequest, request_id: str) -> None:
        structlog.contextvars.bind_contextvars(request_id=request_id)
        last: Json = {"id": id, "type": "complete"}
        try:
            # Proven anew for each operation: a socket must not outlive a key that was revoked.
            caller = Caller(await self._prove(), request_id, self._unfinished)
            operation = self._engine.prepare(request)
            async with aclosing(self._engine.stream(operation, caller)) as bodies:
                async for body in bodies:
                    await self._channel.write({"id": id, "type": "next", "payload": body})
        except Rejected as refusal:
            last = _error(id, refusal, request_id)
        # Forgotten before the client hears of the end, for it may use the id again at once.
        del self._running[id]
        await self._channel.write(last)

    async def _watch(self) -> None:
        # Whichever comes first: silence, the token's end, or draining.
        while True:
            token_s = remaining_s(self._viewer, self._clock())
            if token_s == 0:
                raise CloseSocket(4403, "Token expired")
            pause_s = min(token_s, await self._check_pulse())
            if await drains_within(self._draining, timeout_s=pause_s):
                raise CloseSocket(1012, "Server is restarting")

    async def _check_pulse(self) -> float:
        """Ping a silent client, drop a dead one; seconds until the next look."""
        silence_s = asyncio.get_running_loop().time() - self._channel.heard_at_s
        to_ping_s = self._limits.ping_interval_s - silence_s
        if to_ping_s > 0:
            return to_ping_s
        to_drop_s = to_ping_s + self._limits.pong_timeout_s
        if to_drop_s <= 0:
            raise CloseSocket(4499, "No pong")
        await self._channel.write({"type": "ping"})
        return to_drop_s


def _promises(limits: Limits, request_id: str) -> Json:
    return {
        "requestId": request_id,
        "limits": {
            "frameBytes": limits.frame_bytes,
            "messagesPerSecond": limits.messages_per_second,
            "subscriptionsPerSocket": limits.subscriptions_per_socket,
            "socketsPerSubject": limits.sockets_per_subject,
            "pingIntervalSeconds": limits.ping_interval_s,
            "depth": limits.depth,
            "deadlineSeconds": limits.deadline_s,
        },
    }


def _error(id: str, refusal: Rejected, request_id: str) -> Json:
    body = refusal_body(refusal, request_id=request_id)
    return {"id": id, "type": "error", "payload": body["errors"]}


def _first_close(ends: ExceptionGroup[Exception]) -> Exception:
    return next((end for end in ends.exceptions if isinstance(end, CloseSocket)), ends)
