"""Which operation a method and path stand for. Anything else is not part of this sandbox."""

from __future__ import annotations

from typing import Final

from stripe_sandbox import (
    account_links,
    accounts,
    balances,
    charges,
    customers,
    disputes,
    events,
    fees,
    oauth,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
    webhook_endpoints,
)
from stripe_sandbox.calls import Operation
from stripe_sandbox.errors import ApiError

OPERATIONS: Final[tuple[Operation, ...]] = (
    *accounts.OPERATIONS,
    *account_links.OPERATIONS,
    *oauth.OPERATIONS,
    *customers.OPERATIONS,
    *payment_methods.OPERATIONS,
    *payment_intents.OPERATIONS,
    *setup_intents.OPERATIONS,
    *charges.OPERATIONS,
    *refunds.OPERATIONS,
    *disputes.OPERATIONS,
    *fees.OPERATIONS,
    *balances.OPERATIONS,
    *events.OPERATIONS,
    *webhook_endpoints.OPERATIONS,
)
_BY_SHAPE: Final[dict[tuple[str, int], list[Operation]]] = {}
for _operation in OPERATIONS:
    _BY_SHAPE.setdefault((_operation.method, len(_operation.parts())), []).append(_operation)


def match(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The operation and the ids of its path. Raises ApiError 404 for what is not here."""
    given = path.strip("/").split("/")
    for operation in _BY_SHAPE.get((method, len(given)), ()):
        ids = _ids(operation.parts(), given)
        if ids is not None:
            return operation, ids
    raise ApiError(404, f"Unrecognized request URL ({method}: {path}).")


def _ids(parts: tuple[str, ...], given: list[str]) -> dict[str, str] | None:
    ids = {}
    for part, text in zip(parts, given, strict=True):
        if part.startswith("{"):
            ids[part[1:-1]] = text
        elif part != text:
            return None
    return ids
