"""Purchases as their viewers see them, newest first. Every attempt is a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import row, rows
from gateway.errors import BadUserInput, NotFound
from gateway.ids import is_id
from gateway.purchases.record import PurchaseRecord, PurchaseStatus, columns
from gateway.runtime import Runtime


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    """Which purchases to show. created_from is included, created_before is not."""

    statuses: tuple[PurchaseStatus, ...] = ()
    sub_account_id: str | None = None
    wallet_id: str | None = None
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
    last row of the page before. A foreign agency has none. Raises BadUserInput for `after`."""
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


async def purchases_of_wallet(
    viewer: Viewer, wallet_id: str, *, limit: int, after: tuple[str, ...] | None
) -> list[PurchaseRecord]:
    """A page of a wallet's purchases, newest first. A foreign wallet has none."""
    scope = visible(viewer, first=2)
    owner = await row(
        f"SELECT agency_id FROM wallets WHERE id = $1 AND {scope.sql}", wallet_id, *scope.values
    )
    if owner is None:
        return []
    wanted = PurchaseFilter(wallet_id=wallet_id)
    return await purchases_of_agency(viewer, owner["agency_id"], wanted, limit=limit, after=after)


def sort_keys(purchase: PurchaseRecord) -> tuple[object, ...]:
    """What a page's cursor is made of."""
    return (purchase.created_at.isoformat(), purchase.id)


def _restrict(conditions: _Conditions, viewer: Viewer, wanted: PurchaseFilter) -> None:
    scope = visible(viewer, first=len(conditions.values) + 1)
    conditions.parts.append(scope.sql)
    conditions.values += scope.values
    if wanted.statuses:
        conditions.add("status = ANY({})", [status.value for status in wanted.statuses])
    if wanted.sub_account_id is not None:
        conditions.add("sub_account_id = {}", wanted.sub_account_id)
    if wanted.wallet_id is not None:
        conditions.add("wallet_id = {}", wanted.wallet_id)
    if wanted.created_from is not None:
        conditions.add("created_at >= {}", wanted.created_from)
    if wanted.created_before is not None:
        conditions.add("created_at < {}", wanted.created_before)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadUserInput("`after` is not a cursor of this list.") from None
