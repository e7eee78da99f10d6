"""One local Stripe as a server on this machine: for tests inside the process, and for the demo."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from stripe_sandbox.actions import Actions
from stripe_sandbox.api import Api
from stripe_sandbox.control import Control
from stripe_sandbox.faults import Faults
from stripe_sandbox.idempotency import IdempotencyKeys
from stripe_sandbox.pages import Pages
from stripe_sandbox.request_log import RequestLog
from stripe_sandbox.state import Settings, State
from stripe_sandbox.storage import Store
from stripe_sandbox.timers import next_due_s
from stripe_sandbox.webhooks import Webhooks
from stripe_sandbox.wire import CuttableProtocol

SECRET_KEY: Final = "sk_test_sandbox"  # noqa: S105 - the well-known key of a stand-in
PUBLISHABLE_KEY: Final = "pk_test_sandbox"


def _listen(host: str, port: int) -> socket.socket:
    # Named as TCP, or asyncio does not switch Nagle's delay off and every answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to whoever owns the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


class Sandbox:
    """A local Stripe, running inside `async with`.

    data_dir: where it remembers everything across restarts; in memory only when None. seed: makes
    its ids repeatable. `actions` is the world outside the API, `faults` what goes wrong, `log` what
    was asked, `webhooks` what was sent, `state` everything it knows.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        data_dir: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        settings: Settings | None = None,
    ) -> None:
        self.faults = Faults()
        self.state = State(Store(data_dir), seed=seed, settings=settings or Settings())
        self.log = RequestLog(self.state.settings.log_size)
        self.actions = Actions(self.state)
        self.webhooks = Webhooks(self.state, self.faults)
        self.state.after_commit = self._after_commit
        self._address = (host, port)
        self._alarm: asyncio.TimerHandle | None = None
        self._serving: asyncio.Task[None] | None = None
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """The base address for API, OAuth, pages and control."""
        return self.state.base_url

    async def __aenter__(self) -> Self:
        """Listen and take up unfinished webhooks and timers."""
        listener = _listen(*self._address)
        host, port = listener.getsockname()[:2]
        self.state.base_url = f"http://{host}:{port}"
        await self.webhooks.start()
        config = uvicorn.Config(
            self._app(), http=CuttableProtocol, loop="none", ws="none", lifespan="off",
            log_config=None, access_log=False, proxy_headers=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = server = _Server(config)
        self._set_alarm()
        serving = server.serve(sockets=[listener])
        self._serving = asyncio.get_running_loop().create_task(serving)
        # uvicorn has no event for "listening"; this ends within one turn or two of the loop.
        while not server.started:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and sending; what is stored stays."""
        assert self._server is not None, "entered first"
        assert self._serving is not None, "entered first"
        if self._alarm is not None:
            self._alarm.cancel()
        self._server.should_exit = True
        await self._serving
        await self.webhooks.stop()
        self.state.store.close()

    def _app(self) -> Starlette:
        api = Api(self.state, self.faults, self.log, IdempotencyKeys(self.state))
        pages = Pages(self.state, self.actions, self.log)
        control = Control(self.state, self.faults, self.webhooks, self.actions, self.log)
        return Starlette(
            routes=[
                *control.routes(),
                *pages.routes(),
                # Everything else is the API's to answer, in Stripe's error shape.
                Route("/{rest:path}", api),
            ]
        )

    def _after_commit(self) -> None:
        self.webhooks.pump()
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        nap_s = next_due_s(self.state)
        if nap_s is not None:
            # Running timers commits, and that sets the next alarm.
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(nap_s, self.actions.run_timers)
