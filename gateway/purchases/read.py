"""Purchases as their viewers see them, newest first. Every attempt is a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Role, Scope, Viewer
from gateway.database import rows
from gateway.errors import BadUserInput, NotFound
from gateway.ids import is_id
from gateway.pages import PageRequest
from gateway.purchases.record import PurchaseRecord, PurchaseStatus, columns
from gateway.runtime import Runtime

_OWN_WALLET: Final = (
    "wallet_id = (SELECT w.id FROM wallets w WHERE w.agency_id = {} AND w.sub_account_id = {})"
)


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    """Which purchases to show. created_from is included, created_before is not."""

    statuses: tuple[PurchaseStatus, ...] = ()
    sub_account_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(slots=True)
class _Conditions:
    """Conditions of a statement with their values, numbered as they come."""

    parts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, condition: str, *values: object) -> None:
        first = len(self.values) + 1
        places = [f"${number}" for number in range(first, first + len(values))]
        self.parts.append(condition.format(*places))
        self.values += values

    @property
    def sql(self) -> str:
        return " AND ".join(self.parts)


async def purchases(rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, PurchaseRecord]:
    """These purchases, as far as the viewer may see them."""
    del rt
    scope = visible(viewer, first=2)
    sql = f"SELECT {columns()} FROM purchases WHERE id = ANY($1) AND {scope.sql}"
    wanted = [id for id in ids if is_id(id, "purchase")]
    found = await rows(sql, wanted, *scope.values) if wanted else []
    return {row["id"]: PurchaseRecord.of(row) for row in found}


async def visible_purchase(rt: Runtime, viewer: Viewer, purchase_id: str) -> PurchaseRecord:
    """One purchase for a mutation on it. Raises NotFound when the viewer does not see it."""
    found = await purchases(rt, viewer, [purchase_id])
    if purchase_id not in found:
        raise NotFound("purchase", field=("purchaseId",))
    return found[purchase_id]


async def purchases_of_agency(
    viewer: Viewer,
    agency_id: str,
    wanted: PurchaseFilter,
    *,
    limit: int,
    after: tuple[str, ...] | None,
) -> list[PurchaseRecord]:
    """A page of an agency's purchases, newest first; after: sort keys (created_at, id) of the
    last row of the page before. A foreign agency, and a sub-account that cannot be one, have
    none. Raises BadUserInput for `after`."""
    if wanted.sub_account_id is not None and not is_id(wanted.sub_account_id, "sub_account"):
        return []
    conditions = _Conditions()
    conditions.add("agency_id = {}", agency_id)
    _restrict(conditions, viewer, wanted)
    if after is not None:
        conditions.add("(created_at, id) < ({}, {})", _instant(after[0]), after[1])
    sql = f"""
        SELECT {columns()} FROM purchases WHERE {conditions.sql}
        ORDER BY created_at DESC, id DESC LIMIT {int(limit)}
    """
    return [PurchaseRecord.of(row) for row in await rows(sql, *conditions.values)]


async def purchase_pages(
    _rt: Runtime, viewer: Viewer, requests: Sequence[PageRequest]
) -> dict[PageRequest, list[PurchaseRecord]]:
    """Pages of wallets' purchases, newest first; the sort keys are those of `sort_keys`.
    A foreign wallet has none. Raises BadUserInput for keys that are not ours."""
    scope = visible(viewer, first=5, agency="w.agency_id", sub_account="w.sub_account_id")
    sql = f"""
        SELECT q.place, page.*
        FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::bigint[])
            WITH ORDINALITY AS q(owner, after, after_id, size, place)
        JOIN wallets w ON w.id = q.owner AND {scope.sql}
        CROSS JOIN LATERAL (
            SELECT {columns("p")} FROM purchases p
            WHERE p.agency_id = w.agency_id AND p.wallet_id = w.id
                AND (q.after IS NULL OR (p.created_at, p.id) < (q.after, q.after_id))
            ORDER BY p.created_at DESC, p.id DESC LIMIT q.size
        ) page
        ORDER BY q.place, page.created_at DESC, page.id DESC
    """
    found = await rows(
        sql,
        [request.owner_id for request in requests],
        [None if request.after is None else _instant(request.after[0]) for request in requests],
        [None if request.after is None else request.after[1] for request in requests],
        [request.limit for request in requests],
        *scope.values,
    )
    pages: dict[PageRequest, list[PurchaseRecord]] = {request: [] for request in requests}
    for purchase in found:
        pages[requests[purchase["place"] - 1]].append(PurchaseRecord.of(purchase))
    return pages


def secret_for(viewer: Viewer, purchase: PurchaseRecord) -> str | None:
    """The client secret, for those who may pay with it: the buyer's billing people and keys that
    may buy. None for everybody else, and once nothing is left to confirm."""
    return purchase.client_secret if may_buy(viewer) else None


def may_buy(viewer: Viewer) -> bool:
    """True for a client's billing people and for keys that may buy."""
    return viewer.role in (Role.BILLING, Role.SERVICE) and viewer.may(Scope.PURCHASE)


def sort_keys(purchase: PurchaseRecord) -> tuple[object, ...]:
    """What a page's cursor is made of."""
    return (purchase.created_at.isoformat(), purchase.id)


def _restrict(conditions: _Conditions, viewer: Viewer, wanted: PurchaseFilter) -> None:
    scope = visible(viewer, first=len(conditions.values) + 1, sub_account=None)
    conditions.parts.append(scope.sql)
    conditions.values += scope.values
    if viewer.sub_account_id is not None:
        # By its wallet alone, so that the planner takes that index: a walk through the agency's
        # rows would be slow, and how slow would tell a client how much the others buy.
        conditions.add(_OWN_WALLET, viewer.agency_id, viewer.sub_account_id)
    if wanted.statuses:
        conditions.add("status = ANY({})", [status.value for status in wanted.statuses])
    if wanted.sub_account_id is not None:
        conditions.add("sub_account_id = {}", wanted.sub_account_id)
    if wanted.created_from is not None:
        conditions.add("created_at >= {}", wanted.created_from)
    if wanted.created_before is not None:
        conditions.add("created_at < {}", wanted.created_before)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadUserInput("`after` is not a cursor of this list.") from None
