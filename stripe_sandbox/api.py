"""The HTTP side of the API: key, account, parameters, idempotency, execution, faults, answer."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Final

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from stripe_sandbox import API_VERSION
from stripe_sandbox.accounts import connected
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.faults import Fault, Faults, refusal
from stripe_sandbox.forms import check, decode
from stripe_sandbox.idempotency import IdempotencyKeys, fingerprint
from stripe_sandbox.keys import read_key
from stripe_sandbox.oauth import OAuthError
from stripe_sandbox.rendering import render
from stripe_sandbox.request_log import Entry, RequestLog, without_secrets
from stripe_sandbox.routes import match
from stripe_sandbox.state import State, copy
from stripe_sandbox.storage import PLATFORM
from stripe_sandbox.wire import Answer, cut, preflight, respond

_log = logging.getLogger("stripe_sandbox")
_LARGEST_BODY: Final = 1 << 20
_STICKY: Final = ApiError(500, "An unexpected error occurred.", kind="api_error")


@dataclass
class Api:
    """An ASGI application that answers like api.stripe.com."""

    state: State
    faults: Faults
    log: RequestLog
    keys: IdempotencyKeys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        if request.method == "OPTIONS":
            await preflight(send)
            return
        body = await request.body()
        entry = self.log.add(_entry(request, body))
        faults: dict[str, Fault] = {}
        try:
            faults = self.faults.take_request(request.method, request.url.path)
            entry.faults = tuple(faults)
            if "cut_before" in faults:
                cut(scope)
                return
            if "status_before" in faults:
                raise refusal(faults["status_before"])
            answer = await self._answer(request, body, entry, faults)
        except (ApiError, OAuthError) as error:
            answer = Answer(error.status, error.body())
        _describe(request, answer, entry, faults)
        await respond(scope, send, answer, faults)

    async def _answer(
        self, request: Request, body: bytes, entry: Entry, faults: dict[str, Fault]
    ) -> Answer:
        if len(body) > _LARGEST_BODY:
            raise ApiError(413, "The request body is too large.")
        tree = _tree(request, body)
        entry.key = read_key(request.headers.get("authorization", ""), tree)
        operation, ids = match(request.method, request.url.path)
        if entry.key == "publishable" and not operation.publishable:
            message = "This API call cannot be made with a publishable API key."
            raise ApiError(401, message, code="secret_key_required")
        call = Call(
            state=self.state,
            account=self._account(request.headers.get("stripe-account")),
            params=check(tree, dict(operation.table)),
            ids=ids,
            publishable=entry.key == "publishable",
        )
        key = entry.idempotency_key if request.method == "POST" else None
        if key is None:
            return await self._run(operation, call, entry, faults)
        print_ = fingerprint(entry.method, entry.path, tree)
        return await self._run_once(operation, call, entry, faults, key=key, print_=print_)

    async def _run_once(
        self,
        operation: Operation,
        call: Call,
        entry: Entry,
        faults: dict[str, Fault],
        *,
        key: str,
        print_: str,
    ) -> Answer:
        held = self.keys.begin(call.account, key, print_)
        if held is not None:
            entry.replayed = True
            return Answer(held["status"], held["answer"], original=held["request_id"])
        try:
            return await self._run(operation, call, entry, faults, key=key, print_=print_)
        finally:
            self.keys.abandon(call.account, key)

    async def _run(
        self,
        operation: Operation,
        call: Call,
        entry: Entry,
        faults: dict[str, Fault],
        *,
        key: str | None = None,
        print_: str = "",
    ) -> Answer:
        if "delay_before" in faults:
            await asyncio.sleep(faults["delay_before"].seconds)
        # From here to the commit nothing waits: one request is one step of the sandbox.
        answer = self._execute(operation, call, entry)
        if "error_after_success" in faults:
            answer = Answer(_STICKY.status, _STICKY.body())
        if key is not None:
            self.keys.finish(
                call.account, key, print_, status=answer.status, answer=answer.body,
                request_id=entry.request_id,
            )  # fmt: skip
        self.state.commit()
        if "delay_after" in faults:
            await asyncio.sleep(faults["delay_after"].seconds)
        return answer

    def _execute(self, operation: Operation, call: Call, entry: Entry) -> Answer:
        self.state.request = {"id": entry.request_id, "idempotency_key": entry.idempotency_key}
        try:
            # A copy: a later change of the object must not change this answer.
            return Answer(200, copy(render(call, operation.handler(call))))
        except (ApiError, OAuthError) as error:
            return Answer(error.status, error.body())
        except Exception:  # noqa: BLE001 - a bug here must look like Stripe's own 500
            _log.exception("%s %s failed", entry.method, entry.path)
            return Answer(_STICKY.status, _STICKY.body())
        finally:
            self.state.request = {"id": None, "idempotency_key": None}

    def _account(self, header: str | None) -> str:
        if header is None or header == self.state.settings.platform_account:
            return PLATFORM
        account: str = connected(self.state, header)["id"]
        return account


def _entry(request: Request, body: bytes) -> Entry:
    return Entry(
        method=request.method,
        path=request.url.path,
        query=without_secrets(request.url.query),
        account=request.headers.get("stripe-account"),
        idempotency_key=request.headers.get("idempotency-key"),
        body=without_secrets(body.decode("utf-8", "replace")),
        request_id=f"req_{secrets.token_hex(7)}",
    )


def _tree(request: Request, body: bytes) -> Json:
    try:
        form = body.decode()
    except UnicodeDecodeError:
        raise ApiError(400, "Invalid request: the body is not UTF-8.") from None
    return decode("&".join(part for part in (request.url.query, form) if part))


def _describe(request: Request, answer: Answer, entry: Entry, faults: dict[str, Fault]) -> None:
    """Complete the log entry and the headers that Stripe sends with every answer."""
    entry.status = answer.status
    entry.answer = orjson.dumps(answer.body)
    headers = answer.headers
    headers["Request-Id"] = entry.request_id
    headers["Stripe-Version"] = request.headers.get("stripe-version", API_VERSION)
    if entry.idempotency_key:
        headers["Idempotency-Key"] = entry.idempotency_key
    if answer.original:
        headers["Idempotent-Replayed"] = "true"
        headers["Original-Request"] = answer.original
    if "status_before" in faults and faults["status_before"].should_retry is not None:
        headers["Stripe-Should-Retry"] = str(faults["status_before"].should_retry).lower()
