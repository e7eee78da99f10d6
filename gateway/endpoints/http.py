"""GraphQL over HTTP: POST, and GET for queries. Event streams go on in `sse.py`.

Every operation needs a token in the `Authorization` header, which a browser sends across origins
only after a preflight; so a GET is never a simple request and needs no further proof against
forgery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from graphql import ExecutionResult, OperationType
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.endpoints.answers import Rejected, encode, refusal_body, rejected
from gateway.endpoints.body import ClientGone, HttpRefusal, read_body, read_url
from gateway.endpoints.execution import Caller, Engine, Operation
from gateway.endpoints.limits import Limits
from gateway.endpoints.login import Authenticator
from gateway.endpoints.negotiation import AnswerType, answer_type, is_json
from gateway.endpoints.request_id import request_id_of
from gateway.endpoints.requests import GraphQLRequest, read_json, read_request
from gateway.endpoints.sse import EventStreams
from gateway.errors import BadUserInput, RateLimited, RequestErrorCode

_STATUS: Mapping[RequestErrorCode, int] = {
    RequestErrorCode.UNAUTHENTICATED: 401,
    RequestErrorCode.FORBIDDEN: 403,
    RequestErrorCode.RATE_LIMITED: 429,
    RequestErrorCode.CONFLICT_RETRY: 503,
    RequestErrorCode.INTERNAL: 500,
}


class HttpEndpoint:
    """The ASGI application behind `/graphql` for HTTP."""

    def __init__(
        self,
        *,
        engine: Engine,
        authenticate: Authenticator,
        limits: Limits,
        streams: EventStreams,
    ) -> None:
        self._engine = engine
        self._authenticate = authenticate
        self._limits = limits
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Returns only when its mutation has ended, even if the client was
        answered before or has gone away."""
        unfinished: set[asyncio.Task[ExecutionResult]] = set()
        try:
            response = await self._response(scope, receive, unfinished)
            await response(scope, receive, send)
        except ClientGone:
            pass
        finally:
            if unfinished:
                await asyncio.wait(unfinished)

    async def _response(
        self, scope: Scope, receive: Receive, unfinished: set[asyncio.Task[ExecutionResult]]
    ) -> ASGIApp:
        headers, request_id = Headers(scope=scope), request_id_of(scope)
        media = answer_type(headers.get("accept"))
        try:
            _check_method(scope["method"])
            viewer = await self._authenticate(headers.get("authorization"))
            caller = Caller(viewer, request_id, unfinished)
            if media is None:
                raise HttpRefusal(406, BadUserInput(_NOT_ACCEPTABLE))
            request = await self._request(scope, headers, receive)
            if media is AnswerType.EVENT_STREAM:
                return self._stream(request, caller, method=scope["method"])
            return await self._answer(request, caller, media, method=scope["method"])
        except ClientGone:
            raise
        except HttpRefusal as refusal:
            return _refusal(
                rejected(refusal.error),
                request_id,
                media=media,
                status=refusal.status,
                headers=refusal.headers,
            )
        except Exception as error:  # noqa: BLE001 - every refusal is JSON with a request id
            return _refusal(rejected(error), request_id, media=media)

    async def _request(self, scope: Scope, headers: Headers, receive: Receive) -> GraphQLRequest:
        if _SINGLE_CONNECTION_HEADER in headers:
            raise HttpRefusal(400, BadUserInput(_SINGLE_CONNECTION))
        if scope["method"] == "GET":
            value: object = read_url(scope["query_string"], self._limits)
        else:
            if not is_json(headers.get("content-type")) or "content-encoding" in headers:
                raise HttpRefusal(415, BadUserInput(_UNSUPPORTED_BODY))
            body = await read_body(headers, receive, self._limits)
            value = read_json(body, what="The body")
        return read_request(value, json_depth=self._limits.json_depth)

    async def _answer(
        self, request: GraphQLRequest, caller: Caller, media: AnswerType, *, method: str
    ) -> Response:
        try:
            operation = self._engine.prepare(request)
            _check_reads_only(operation, method)
            _check_single_answer(operation)
            content = encode(await self._engine.execute(operation, caller))
        except Rejected as refusal:
            # In plain JSON the old rule holds: 200 for whatever GraphQL itself refuses. See
            # GraphQL over HTTP, "application/json".
            status = _STATUS.get(refusal.code, 200 if media is AnswerType.JSON else 400)
            return _refusal(refusal, caller.request_id, media=media, status=status)
        return Response(content, headers=_headers(media))

    def _stream(self, request: GraphQLRequest, caller: Caller, *, method: str) -> ASGIApp:
        try:
            operation = self._engine.prepare(request)
        except Rejected as refusal:
            return self._streams.response(refusal, caller)
        _check_reads_only(operation, method)
        return self._streams.response(operation, caller)


_NOT_ACCEPTABLE = (
    "Accept application/graphql-response+json or application/json; "
    "name text/event-stream first for an event stream."
)
_UNSUPPORTED_BODY = "Send the body as application/json in UTF-8, without Content-Encoding."
_SINGLE_CONNECTION_HEADER = "x-graphql-event-stream-token"
_SINGLE_CONNECTION = (
    "The single connection mode of graphql-sse is not served: use distinct connections."
)


def _check_method(method: str) -> None:
    if method not in ("GET", "POST"):
        raise HttpRefusal(
            405,
            BadUserInput("Use POST, or GET for queries and event streams."),
            headers={"Allow": "GET, POST"},
        )


def _check_reads_only(operation: Operation, method: str) -> None:
    if method == "GET" and operation.kind is OperationType.MUTATION:
        raise HttpRefusal(
            405, BadUserInput("Mutations are sent by POST."), headers={"Allow": "POST"}
        )


def _check_single_answer(operation: Operation) -> None:
    if operation.kind is OperationType.SUBSCRIPTION:
        raise HttpRefusal(
            406,
            BadUserInput(
                "Subscriptions need a WebSocket (graphql-transport-ws) or an event stream: "
                "name text/event-stream first in Accept."
            ),
        )


def _refusal(
    refusal: Rejected,
    request_id: str,
    *,
    media: AnswerType | None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    response_headers = _headers(media) | dict(headers or {})
    if refusal.code is RequestErrorCode.UNAUTHENTICATED:
        response_headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal.cause, RateLimited):
        response_headers["Retry-After"] = str(refusal.cause.retry_after_s)
    return Response(
        encode(refusal_body(refusal, request_id=request_id)),
        status_code=_STATUS.get(refusal.code, 400) if status is None else status,
        headers=response_headers,
    )


def _headers(media: AnswerType | None) -> dict[str, str]:
    answered = media if media is AnswerType.RESPONSE else AnswerType.JSON
    return {"Content-Type": f"{answered}; charset=utf-8", "Cache-Control": "no-store"}
