"""Lists: filters, creation times, cursors. Source: Stripe API reference, "Pagination"."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from stripe_sandbox.calls import Call
from stripe_sandbox.errors import Json, invalid
from stripe_sandbox.forms import Shape

LIST: Final[dict[str, Shape]] = {
    "limit": "int",
    "starting_after": "str",
    "ending_before": "str",
    "expand": "list",
}
CREATED: Final[dict[str, Shape]] = {**LIST, "created": "range"}
_COMPARE: Final = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def page(
    call: Call,
    kind: str,
    *,
    equal: tuple[str, ...] = (),
    keep: Callable[[Json], bool] = lambda _row: True,
    account: str | None = None,
    url: str | None = None,
) -> Json:
    """One page of the account's objects, newest first.

    equal: parameters that must equal the field of the same name. Raises ApiError for a limit
    outside 1 to 100 and for a cursor that is not in this account.
    """
    limit = call.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid("limit", "Invalid limit: must be between 1 and 100.")
    home = account or call.account
    fits = _filter(call, equal, keep)
    after, before = call.get("starting_after"), call.get("ending_before")
    for param, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor:
            call.state.refer(home, kind, cursor, param)
    rows = call.state.store.rows(home, kind)
    source: Iterable[Json] = rows if before else reversed(rows)
    matching = filter(fits, _after(source, before or after))
    found = list(islice(matching, limit + 1))
    shown = found[:limit]
    if before:
        shown.reverse()
    address = url or f"/v1/{kind}s"
    return {"object": "list", "data": shown, "has_more": len(found) > limit, "url": address}


def _after(rows: Iterable[Json], cursor: str | None) -> Iterator[Json]:
    iterator = iter(rows)
    if cursor:
        for row in iterator:
            if row["id"] == cursor:
                break
    return iterator


def _filter(
    call: Call, equal: tuple[str, ...], keep: Callable[[Json], bool]
) -> Callable[[Json], bool]:
    wanted = {name: call.get(name) for name in equal if call.get(name) is not None}
    created = {name: at for name, at in (call.get("created") or {}).items() if at is not None}

    def fits(row: Json) -> bool:
        return (
            all(row.get(name) == value for name, value in wanted.items())
            and all(_COMPARE[name](row["created"], at) for name, at in created.items())
            and keep(row)
        )

    return fits
