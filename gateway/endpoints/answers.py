"""The error policy: what a client is told, as JSON.

A RequestError says its own message and code. What graphql-core says about the client's text is
BAD_USER_INPUT. A database or network that could not finish is CONFLICT_RETRY. Anything else is a
bug: masked as INTERNAL outside, logged whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import structlog
from graphql import GraphQLError

from gateway.endpoints.outages import is_outage
from gateway.errors import (
    BadUserInput,
    ConflictRetry,
    RateLimited,
    RequestError,
    RequestErrorCode,
    Unauthenticated,
)

Json = dict[str, Any]

INTERNAL_MESSAGE = "Something went wrong on our side. Quote the request id."
OUTAGE_MESSAGE = (
    "This could not finish now: nothing changed or the outcome is unknown. "
    "Repeat it with the same idempotency key."
)
# What graphql-core says quotes the client's text, which may be long.
_MESSAGE_CHARS = 500

# How the parser of a scalar refuses a value (int(), Decimal(), datetime.fromisoformat() …).
_SAYS_NO = (ValueError, TypeError, ArithmeticError)

log = structlog.get_logger(__name__)


class Rejected(Exception):
    """An operation that ends without data. `entries`: its `errors`, still without request id;
    `cause`: the RequestError behind the only entry, where there is one."""

    def __init__(self, entries: Iterable[Json], *, cause: RequestError | None = None) -> None:
        self.entries = tuple(entries)
        self.cause = cause
        super().__init__(self.entries[0]["message"])

    @property
    def code(self) -> RequestErrorCode:
        return RequestErrorCode(self.entries[0]["extensions"]["code"])


def rejected(error: Exception) -> Rejected:
    """The refusal that stands for an exception outside of any field. Bugs are logged here."""
    shown = _shown_outside(error)
    return Rejected([_entry(shown)], cause=shown)


def entries_of(errors: Iterable[GraphQLError]) -> list[Json]:
    """The `errors` entries for what graphql-core reports, with path and locations, still without
    request id. Exceptions that no client can act on are masked and logged here."""
    return [_located_entry(error) for error in errors]


def body_of(data: object, errors: Iterable[GraphQLError] | None, *, request_id: str) -> Json:
    """The answer of an executed operation: always has `data`, has `errors` only if any."""
    body: Json = {"data": data}
    if errors:
        body["errors"] = _with_request_id(entries_of(errors), request_id)
    return body


def refusal_body(refusal: Rejected, *, request_id: str) -> Json:
    """The answer of an operation that was not executed: `errors` and no `data`."""
    return {"errors": _with_request_id(refusal.entries, request_id)}


def encode(body: Json) -> bytes:
    """JSON of an answer. Raises Rejected, masked and logged, for a value that JSON cannot carry
    (a number past 64 bits, an object): a bug of the field that gave it."""
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise rejected(error) from error


def _with_request_id(entries: Iterable[Json], request_id: str) -> list[Json]:
    return [
        {**entry, "extensions": {**entry["extensions"], "requestId": request_id}}
        for entry in entries
    ]


def _located_entry(error: GraphQLError) -> Json:
    entry = _entry(_request_error(error))
    if error.locations:
        entry["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        entry["path"] = error.path
    return entry


def _request_error(error: GraphQLError) -> RequestError:
    inner: GraphQLError = error
    while isinstance(inner.original_error, GraphQLError):
        inner = inner.original_error
    cause = inner.original_error
    if cause is not None and not (error.path is None and isinstance(cause, _SAYS_NO)):
        return _shown_outside(cause)
    if error.path is not None and not inner.nodes:
        # Raised while a resolver's value was written out, so it speaks about our data. What
        # graphql-core says about the client's arguments carries the nodes it is about.
        return _shown_outside(inner)
    return BadUserInput(inner.message[:_MESSAGE_CHARS])


def _shown_outside(error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if is_outage(error):
        log.warning("outage", exc_info=error)
        return ConflictRetry(OUTAGE_MESSAGE)
    log.error("unhandled_error", exc_info=error)
    return _Internal(INTERNAL_MESSAGE)


class _Internal(RequestError):
    """A bug, as the client sees it."""

    code = RequestErrorCode.INTERNAL


def _entry(error: RequestError) -> Json:
    extensions: Json = {"code": error.code.value}
    if isinstance(error, Unauthenticated) and error.expired:
        extensions["expired"] = True
    if isinstance(error, RateLimited):
        extensions["retryAfterSeconds"] = error.retry_after_s
    return {"message": error.message, "extensions": extensions}
