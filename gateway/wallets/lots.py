"""The lots of wallets that still hold credits: what is there, since when, until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import rows
from gateway.ids import is_id
from gateway.ledger.state import LotKind
from gateway.pages import PageRequest
from gateway.pricing.floor import tidy
from gateway.runtime import Runtime

_COLUMNS: Final = (
    "l.id, l.wallet_id, l.kind, l.credits, l.available, l.held, l.frozen, l.purchase_id, "
    "l.currency, l.retail_unit, l.wholesale_unit, l.effective_at, l.expires_at"
)
_OWNED: Final = "JOIN wallets w ON w.agency_id = l.agency_id AND w.id = l.wallet_id"


@dataclass(frozen=True, slots=True)
class Lot:
    """Credits (whole) that came in together, and where they are. Unit prices per credit in major
    units of `currency`; None for credits that were not bought."""

    id: str
    wallet_id: str
    kind: LotKind
    credits: int
    available: int
    held: int
    frozen: int
    purchase_id: str | None
    currency: str | None
    retail_unit: Decimal | None
    wholesale_unit: Decimal | None
    effective_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NextExpiry:
    """`credits` (whole) of a wallet expire together at `at`."""

    at: datetime
    credits: int


async def lots(_rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, Lot]:
    """These lots, used up or not, as far as the viewer may see their wallets."""
    scope = visible(viewer, first=2, agency="l.agency_id", sub_account="w.sub_account_id")
    found = await rows(
        f"SELECT {_COLUMNS} FROM ledger_lots l {_OWNED} WHERE l.id = ANY($1) AND {scope.sql}",
        [id for id in ids if is_id(id, "lot")],
        *scope.values,
    )
    return {row["id"]: _lot(row) for row in found}


async def open_lot_pages(
    rt: Runtime, viewer: Viewer, requests: Sequence[PageRequest]
) -> dict[PageRequest, list[Lot]]:
    """Pages of the lots of wallets that hold credits now, oldest first; the sort key is the id.
    Lots past their expiry are left out unless some of their credits are held or frozen."""
    scope = visible(viewer, first=5, agency="w.agency_id", sub_account="w.sub_account_id")
    found = await rows(
        f"""
        SELECT q.place, page.* FROM unnest($1::text[], $2::text[], $3::bigint[])
            WITH ORDINALITY AS q(owner, after, size, place)
        JOIN wallets w ON w.id = q.owner AND {scope.sql}
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM ledger_lots l
            WHERE l.agency_id = w.agency_id AND l.wallet_id = w.id
                AND l.available + l.held + l.frozen + l.reserved > 0
                AND (l.expires_at IS NULL OR l.expires_at > $4
                     OR l.held + l.frozen + l.reserved > 0)
                AND (q.after IS NULL OR l.id > q.after)
            ORDER BY l.id LIMIT q.size
        ) page
        ORDER BY q.place, page.id
        """,
        [request.owner_id for request in requests],
        [request.after[0] if request.after else None for request in requests],
        [request.limit for request in requests],
        rt.clock(),
        *scope.values,
    )
    pages: dict[PageRequest, list[Lot]] = {request: [] for request in requests}
    for row in found:
        pages[requests[row.pop("place") - 1]].append(_lot(row))
    return pages


async def next_expiries(
    rt: Runtime, viewer: Viewer, wallet_ids: Sequence[str]
) -> dict[str, NextExpiry]:
    """What expires next in each of these wallets; nothing where nothing expires."""
    scope = visible(viewer, first=3, agency="w.agency_id", sub_account="w.sub_account_id")
    found = await rows(
        f"""
        SELECT DISTINCT ON (w.id) w.id, l.expires_at, sum(l.available)::bigint AS credits
        FROM wallets w
        JOIN ledger_lots l ON l.agency_id = w.agency_id AND l.wallet_id = w.id
        WHERE w.id = ANY($1) AND w.next_expiry_at IS NOT NULL AND l.available > 0
            AND l.expires_at > $2 AND {scope.sql}
        GROUP BY w.id, l.expires_at ORDER BY w.id, l.expires_at
        """,
        [id for id in wallet_ids if is_id(id, "wallet")],
        rt.clock(),
        *scope.values,
    )
    return {row["id"]: NextExpiry(row["expires_at"], row["credits"]) for row in found}


def _lot(row: Mapping[str, Any]) -> Lot:
    unit = {
        name: None if row[name] is None else tidy(row[name])
        for name in ("retail_unit", "wholesale_unit")
    }
    return Lot(**{**row, **unit, "kind": LotKind(row["kind"])})
