"""Agencies as their viewers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, rows
from gateway.errors import NotFound
from gateway.ids import is_id
from gateway.pricing.floor import QuantityRules
from gateway.runtime import Runtime

COLUMNS: Final = (
    "id, plan_id, name, currency, time_zone, rebilling_enabled, quantity_min, quantity_max, "
    "quantity_step, wallets_opened_at, created_at"
)


@dataclass(frozen=True, slots=True)
class Agency:
    """currency: ISO 4217, fixed for ever. time_zone: IANA name. quantity: what its clients may
    buy freely. wallets_opened_at: None until plan and Stripe first allowed wallets."""

    id: str
    plan_id: str
    name: str
    currency: str
    time_zone: str
    rebilling_enabled: bool
    quantity: QuantityRules
    wallets_opened_at: datetime | None
    created_at: datetime


async def agencies(_rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, Agency]:
    """These agencies; viewers of an agency and of its clients see that agency only."""
    scope = visible(viewer, first=2, agency="id", sub_account=None)
    found = await rows(
        f"SELECT {COLUMNS} FROM agencies WHERE id = ANY($1) AND {scope.sql}",
        [id for id in ids if is_id(id, "agency")],
        *scope.values,
    )
    return {row["id"]: agency_from_row(row) for row in found}


async def agency_page(viewer: Viewer, *, after: str | None, limit: int) -> list[Agency]:
    """The agencies that the viewer sees, newest first, after the one with id `after`."""
    scope = visible(viewer, first=3, agency="id", sub_account=None)
    found = await rows(
        f"SELECT {COLUMNS} FROM agencies WHERE ($1::text IS NULL OR id < $1) AND {scope.sql} "
        "ORDER BY id DESC LIMIT $2",
        after,
        limit,
        *scope.values,
    )
    return [agency_from_row(row) for row in found]


async def lock_agency(connection: Connection, viewer: Viewer, agency_id: str) -> Agency:
    """The agency, kept from changing until the open transaction ends. Raises NotFound.

    Whatever depends on plan, connection, price and clients together takes this lock first, so
    that no two changes can each miss the other."""
    if is_id(agency_id, "agency"):
        scope = visible(viewer, first=2, agency="id", sub_account=None)
        found = await row(
            f"SELECT {COLUMNS} FROM agencies WHERE id = $1 AND {scope.sql} FOR NO KEY UPDATE",
            agency_id,
            *scope.values,
            on=connection,
        )
        if found is not None:
            return agency_from_row(found)
    raise NotFound("agency", field=("agencyId",))


def agency_from_row(row: Mapping[str, Any]) -> Agency:
    """A row with COLUMNS."""
    return Agency(
        id=row["id"],
        plan_id=row["plan_id"],
        name=row["name"],
        currency=row["currency"],
        time_zone=row["time_zone"],
        rebilling_enabled=row["rebilling_enabled"],
        quantity=QuantityRules(
            minimum=row["quantity_min"], maximum=row["quantity_max"], step=row["quantity_step"]
        ),
        wallets_opened_at=row["wallets_opened_at"],
        created_at=row["created_at"],
    )
