"""A toy schema behind the real endpoints, under a real server on a loopback port."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NewType

import asyncpg
import strawberry
import uvicorn
from starlette.applications import Starlette
from strawberry.schema.config import StrawberryConfig

from gateway.auth.viewer import Role, Scope, Viewer, ViewerKind
from gateway.endpoints.graphql import Limits, graphql_routes
from gateway.endpoints.health import Check, health_routes
from gateway.endpoints.request_id import RequestIdMiddleware
from gateway.errors import AccessDenied, RateLimited, Unauthenticated


@dataclass
class Toy:
    """What the resolvers did, and the gate that holds the slow ones back."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    changes: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    ticks: int = 0

    def reset(self) -> None:
        """Forget what was done; the server keeps its own sign of draining."""
        draining = self.draining
        vars(self).update(vars(Toy()))
        self.draining = draining


@dataclass
class Context:
    toy: Toy
    viewer: Viewer
    request_id: str
    seen: int = 0


Info = strawberry.Info[Context, None]


def parse_even(value: object) -> int:
    if not isinstance(value, int) or value % 2:
        raise ValueError("An even number is needed.")
    return value


Even = NewType("Even", int)


async def hold(toy: Toy, name: str) -> None:
    toy.waiting += 1
    try:
        await toy.gate.wait()
    except asyncio.CancelledError:
        toy.cancelled.append(name)
        raise


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    def subject(self, info: Info) -> str:
        return info.context.viewer.subject

    @strawberry.field
    def request_id(self, info: Info) -> str:
        return info.context.request_id

    @strawberry.field
    def query(self) -> "Query":
        return Query()

    @strawberry.field
    async def slow(self, info: Info) -> str:
        await hold(info.context.toy, "slow")
        return "done"

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("the secret is 42")

    @strawberry.field
    def refused(self) -> str | None:
        raise AccessDenied("Not for you.")

    @strawberry.field
    def busy(self) -> str | None:
        raise asyncpg.SerializationError("could not serialize access")

    @strawberry.field
    def wrongly_written(self) -> int | None:
        return 2**40

    @strawberry.field
    def total(self, values: list[int]) -> int:
        return sum(values)

    @strawberry.field
    def even(self, value: Even) -> Even:
        return value


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def change(self, info: Info, text: str) -> str:
        info.context.toy.changes.append(text)
        return text

    @strawberry.mutation
    async def change_slowly(self, info: Info, text: str) -> str:
        await hold(info.context.toy, text)
        info.context.toy.changes.append(text)
        return text


@strawberry.type
class Event:
    @strawberry.field
    def times_this_context_was_used(self, info: Info) -> int:
        info.context.seen += 1
        return info.context.seen


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def events(self, to: int) -> AsyncGenerator[Event, None]:
        for _ in range(to):
            yield Event()

    @strawberry.subscription
    async def count(self, info: Info, to: int) -> AsyncGenerator[int, None]:
        try:
            for number in range(1, to + 1):
                yield number
        finally:
            info.context.toy.closed.append("count")

    @strawberry.subscription
    async def held(self, info: Info) -> AsyncGenerator[str, None]:
        try:
            yield "first"
            await hold(info.context.toy, "held")
            yield "second"
        finally:
            info.context.toy.closed.append("held")

    @strawberry.subscription
    async def flood(self, info: Info, chars: int) -> AsyncGenerator[str, None]:
        try:
            while True:
                info.context.toy.ticks += 1
                yield "x" * chars
                await asyncio.sleep(0)
        finally:
            info.context.toy.closed.append("flood")

    @strawberry.subscription
    async def failing(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError("the secret is 42")

    @strawberry.subscription
    async def turned_away(self, info: Info) -> AsyncGenerator[int, None]:
        if info.context.viewer.role is Role.OWNER:
            raise AccessDenied("Not for you.")
        yield 1


def toy_schema() -> strawberry.Schema:
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(
            scalar_map={
                Even: strawberry.scalar(
                    name="Even", serialize=int, parse_value=parse_even, description="Even"
                )
            }
        ),
    )


def viewer(subject: str, *, expires_at: datetime | None = None) -> Viewer:
    return Viewer(
        subject=subject,
        kind=ViewerKind.AGENCY,
        role=Role.OWNER,
        scopes=frozenset(Scope),
        agency_id="agy_1",
        expires_at=expires_at,
    )


async def authenticate(authorization: str | None) -> Viewer:
    """Bearer good | other | expired | limited | unreachable | hurt | seconds:<life>."""
    token = (authorization or "").removeprefix("Bearer ")
    if token in ("good", "other"):
        return viewer(token)
    if token.startswith("seconds:"):
        life = timedelta(seconds=float(token.partition(":")[2]))
        return viewer("mortal", expires_at=datetime.now(UTC) + life)
    if token == "limited":
        raise RateLimited("Slow down.", retry_after_s=7)
    if token == "unreachable":
        raise ConnectionRefusedError
    if token == "hurt":
        raise RuntimeError("the secret is 42")
    if token == "expired":
        raise Unauthenticated("Token expired", expired=True)
    raise Unauthenticated("A bearer token is needed.")


@dataclass(frozen=True)
class Server:
    """A running toy; `url` and `ws` are those of `/graphql`."""

    toy: Toy
    origin: str
    process: uvicorn.Server
    running: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"http://{self.origin}/graphql"

    @property
    def ws(self) -> str:
        return f"ws://{self.origin}/graphql"


@asynccontextmanager
async def served(
    limits: Limits | None = None, *, checks: Mapping[str, Check] | None = None
) -> AsyncIterator[Server]:
    """Serve a toy inside the block; at its end the server stops as it does on SIGTERM."""
    toy = Toy()
    routes = graphql_routes(
        schema=toy_schema(),
        authenticate=authenticate,
        make_context=lambda viewer, request_id: Context(toy, viewer, request_id),
        limits=limits or Limits(),
        clock=lambda: datetime.now(UTC),
        draining=toy.draining,
    )
    routes += health_routes(checks or {}, draining=toy.draining)
    config = uvicorn.Config(
        RequestIdMiddleware(Starlette(routes=routes)),
        host="127.0.0.1",
        port=0,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Server(toy, f"127.0.0.1:{port}", server, running)
    finally:
        toy.gate.set()
        server.should_exit = True
        await running


async def until(condition: Callable[[], bool], *, timeout_s: float = 10) -> None:
    """Wait for a condition; fails the test when it does not come true in time."""
    async with asyncio.timeout(timeout_s):
        # Any plain condition, of which nothing tells when it changes.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
