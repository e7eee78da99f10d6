"""`/_sandbox/…`: faults, actions and the request log as JSON, for tests in other processes.

Only for callers on this machine. Every action takes the arguments of the method of the same name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stripe_sandbox.actions import Actions
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.faults import Faults
from stripe_sandbox.request_log import RequestLog
from stripe_sandbox.state import State, public
from stripe_sandbox.storage import PLATFORM
from stripe_sandbox.webhooks import Webhooks

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_ACTIONS = (
    "create_account", "set_ready", "deauthorize", "set_webhook", "open_dispute",
    "escalate_dispute", "close_dispute", "finish_payment", "refund_in_dashboard",
    "finish_refund", "answer_3ds", "advance_clock", "emit",
)  # fmt: skip
Work = Callable[[Json], Any]


@dataclass
class Control:
    """The control routes of one sandbox."""

    state: State
    faults: Faults
    webhooks: Webhooks
    actions: Actions
    log: RequestLog

    def routes(self) -> list[Route]:
        """All control routes."""
        table: list[tuple[str, str, Work]] = [
            ("POST", "/faults", lambda given: self.faults.add(**given).facts()),
            ("GET", "/faults", lambda _: self.faults.rules()),
            ("DELETE", "/faults", lambda given: self.faults.clear(given.get("id"))),
            ("POST", "/accounts", lambda given: self.actions.create_account(**given)),
            ("POST", "/webhooks", lambda given: self.actions.set_webhook(**given)),
            ("GET", "/webhooks", lambda _: self._webhooks()),
            ("POST", "/webhooks/release", self._release),
            ("POST", "/webhooks/resend", lambda given: {"sent": self.webhooks.resend(**given)}),
            ("GET", "/events", lambda _: self._events()),
            ("GET", "/log", lambda _: [entry.facts() for entry in self.log.entries()]),
            ("DELETE", "/log", lambda _: self.log.clear()),
            *(("POST", f"/actions/{name}", self._action(name)) for name in _ACTIONS),
        ]
        return [
            Route(f"/_sandbox{path}", _endpoint(work), methods=[method])
            for method, path, work in table
        ]

    def _action(self, name: str) -> Work:
        method: Callable[..., Any] = getattr(self.actions, name)
        return lambda given: method(**given)

    def _release(self, given: Json) -> Json:
        return {"sent": self.webhooks.release(shuffle_seed=given.get("shuffle_seed"))}

    def _webhooks(self) -> Json:
        endpoints = self.state.store.rows(PLATFORM, "webhook_endpoint")
        return {
            "endpoints": [{**public(row), "connect": row["_connect"]} for row in endpoints],
            "pending": self.webhooks.pending(),
            "attempts": self.webhooks.attempts,
        }

    def _events(self) -> list[Json]:
        return [public(event) for _, event in self.state.store.everywhere("event")]


def _endpoint(work: Work) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if request.client is None or request.client.host not in _LOOPBACK:
            return _json(403, {"error": "only from this machine"})
        body = await request.body()
        # A page in a browser cannot send JSON here without asking first, and it is not answered.
        if body and request.headers.get("content-type", "").split(";")[0] != "application/json":
            return _json(415, {"error": "send application/json"})
        try:
            given = orjson.loads(body) if body else {}
            return _json(200, work(given if isinstance(given, dict) else {}))
        except ApiError as error:
            return _json(error.status, error.body())
        except (TypeError, ValueError) as error:
            return _json(400, {"error": str(error)})

    return endpoint


def _json(status: int, body: Any) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
