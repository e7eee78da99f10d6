"""Reading the clients of an agency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import rows
from gateway.ids import is_id
from gateway.pages import PageRequest
from gateway.runtime import Runtime

COLUMNS: Final = "id, agency_id, name, external_id, status, wallet_access, created_at"


class SubAccountStatus(StrEnum):
    """SUSPENDED clients can neither buy nor spend; their credits are kept."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class SubAccount:
    """external_id: the platform's own id of this client. wallet_access: whether it may buy."""

    id: str
    agency_id: str
    name: str
    external_id: str | None
    status: SubAccountStatus
    wallet_access: bool
    created_at: datetime


async def sub_accounts(_rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, SubAccount]:
    """These clients, as far as the viewer may see them."""
    scope = visible(viewer, first=2, sub_account="id")
    found = await rows(
        f"SELECT {COLUMNS} FROM sub_accounts WHERE id = ANY($1) AND {scope.sql}",
        [id for id in ids if is_id(id, "sub_account")],
        *scope.values,
    )
    return {row["id"]: sub_account_from_row(row) for row in found}


async def sub_account_pages(
    _rt: Runtime, viewer: Viewer, requests: Sequence[PageRequest]
) -> dict[PageRequest, list[SubAccount]]:
    """Pages of agencies' clients, newest first; the sort key is the id. A client's viewer finds
    only itself."""
    scope = visible(viewer, first=4, sub_account="id")
    found = await rows(
        f"""
        SELECT q.place, s.* FROM unnest($1::text[], $2::text[], $3::bigint[])
            WITH ORDINALITY AS q(owner, after, size, place)
        CROSS JOIN LATERAL (
            SELECT {COLUMNS} FROM sub_accounts
            WHERE agency_id = q.owner AND (q.after IS NULL OR id < q.after) AND {scope.sql}
            ORDER BY id DESC LIMIT q.size
        ) s
        ORDER BY q.place, s.id DESC
        """,
        [request.owner_id for request in requests],
        [request.after[0] if request.after else None for request in requests],
        [request.limit for request in requests],
        *scope.values,
    )
    pages: dict[PageRequest, list[SubAccount]] = {request: [] for request in requests}
    for row in found:
        pages[requests[row.pop("place") - 1]].append(sub_account_from_row(row))
    return pages


def sub_account_from_row(row: Mapping[str, Any]) -> SubAccount:
    """A row with COLUMNS."""
    return SubAccount(**{**row, "status": SubAccountStatus(row["status"])})
