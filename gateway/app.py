"""One gateway process: what it owns, in the order in which it starts and stops."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from gateway.auth.login import Login
from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Viewer
from gateway.clock import Clock, system_clock
from gateway.database import close_database, open_database, pending_migrations, rows
from gateway.endpoints.graphql import Limits, graphql_routes
from gateway.endpoints.health import health_routes
from gateway.endpoints.request_id import RequestIdMiddleware
from gateway.endpoints.stripe_return import stripe_return_routes
from gateway.endpoints.stripe_webhook import stripe_webhook_routes
from gateway.ledger.book import Book
from gateway.live.bus import InProcessBus
from gateway.outbox.relay import Relay
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.stripe_connect.client import StripeConnect
from gateway.workers import Workers
from resolvers.root import schema
from schema.context import Context

_log = structlog.get_logger(__name__)

_KEEP_ALIVE_S: Final = 75
_UNREAD_MS: Final = 60_000


class NotMigrated(Exception):
    """The database is not at the version of this code; `rebill migrate` brings it there."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A started process without its listening socket."""

    app: Starlette
    runtime: Runtime
    draining: asyncio.Event


@asynccontextmanager
async def running_gateway(
    settings: Settings, *, clock: Clock = system_clock
) -> AsyncIterator[Gateway]:
    """Start everything, and stop it in reverse order when the block ends.

    Raises NotMigrated. After: nothing of the process is left running, and every command that was
    accepted is committed or refused."""
    async with AsyncExitStack() as stack:
        runtime, relay = await _runtime(settings, clock, stack)
        workers = Workers(runtime)
        await _background(stack, relay.run())
        if settings.workers_in_process:
            await _background(stack, workers.run())
        draining = asyncio.Event()
        yield Gateway(
            app=_application(runtime, workers, draining), runtime=runtime, draining=draining
        )


async def run_workers(settings: Settings) -> None:
    """The background work alone, for a process beside the gateways. Until cancelled."""
    async with AsyncExitStack() as stack:
        runtime, _relay = await _runtime(settings, system_clock, stack)
        await Workers(runtime).run()


async def _runtime(
    settings: Settings, clock: Clock, stack: AsyncExitStack
) -> tuple[Runtime, Relay]:
    await open_database(
        settings.database_url.get_secret_value(), pool_size=settings.database_pool_size
    )
    stack.push_async_callback(close_database)
    if waiting := await pending_migrations():
        raise NotMigrated(f"The database lacks {', '.join(waiting)}. Run: rebill migrate")
    stripe = StripeConnect(settings)
    stack.push_async_callback(stripe.close)
    bus = InProcessBus()
    relay = Relay(bus, clock)
    book = Book(clock=clock, on_commit=relay.nudge)
    stack.push_async_callback(book.close)
    return Runtime(settings=settings, clock=clock, book=book, stripe=stripe, bus=bus), relay


async def _background(stack: AsyncExitStack, work: Awaitable[None]) -> None:
    task = asyncio.ensure_future(work)

    async def stop() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(stop)


def _application(runtime: Runtime, workers: Workers, draining: asyncio.Event) -> Starlette:
    settings, clock = runtime.settings, runtime.clock

    def make_context(viewer: Viewer, request_id: str) -> Context:
        return Context(runtime=runtime, viewer=viewer, request_id=request_id)

    async def database_answers() -> None:
        await rows("SELECT 1")

    routes = [
        *graphql_routes(
            schema=schema,
            authenticate=Login(Tokens(settings, clock), clock),
            make_context=make_context,
            limits=Limits(),
            clock=clock,
            draining=draining,
        ),
        *stripe_webhook_routes(runtime, on_stored=workers.nudge),
        *stripe_return_routes(runtime),
        *health_routes({"database": database_answers}, draining=draining),
    ]
    return Starlette(routes=routes, middleware=[Middleware(RequestIdMiddleware)])


class Server(uvicorn.Server):
    """uvicorn that tells the long-lived connections first when it is asked to stop."""

    def __init__(self, config: uvicorn.Config, draining: asyncio.Event) -> None:
        super().__init__(config)
        self._draining = draining

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._draining.set()
        await super().shutdown(sockets)

    async def until_started(self) -> None:
        """Wait until connections are taken."""
        while not self.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.005)

    @property
    def port(self) -> int:
        """The port that was really taken."""
        return int(self.servers[0].sockets[0].getsockname()[1])


def make_server(gateway: Gateway) -> Server:
    """A server for the gateway's app; `serve` runs it until SIGTERM or SIGINT."""
    settings, limits = gateway.runtime.settings, Limits()
    return Server(
        uvicorn.Config(
            gateway.app,
            host=settings.host,
            port=settings.port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=settings.shutdown_s,
            ws_max_size=limits.frame_bytes,
            # Events are small: compression costs 38 KiB a socket and gains nothing.
            ws_per_message_deflate=False,
        ),
        gateway.draining,
    )


async def serve_until_signal(server: Server) -> None:
    """Serve until SIGTERM or SIGINT, and return, so that the caller can stop the rest in order.

    Raises OSError when the address is taken."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn sends itself the signal again once it has stopped; here it ends at this handler.
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    await server.serve(sockets=[_listening_socket(server.config)])


def _listening_socket(config: uvicorn.Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # Named as TCP, or asyncio would leave Nagle's delay of 40 ms on every answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # A peer that stopped reading keeps its connection in the kernel; this bounds for how long.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
    listening.bind((config.host, config.port))
    return listening
