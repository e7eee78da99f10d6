"""Plans: what agencies buy from the platform. Only some include white-label wallets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.agencies.names import require_name
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, rows
from gateway.errors import AlreadyExists, NotFound
from gateway.ids import is_id, new_id
from gateway.runtime import Runtime

_COLUMNS: Final = "id, name, white_label, created_at"


@dataclass(frozen=True, slots=True)
class Plan:
    """white_label: agencies on this plan may open wallets to their clients."""

    id: str
    name: str
    white_label: bool
    created_at: datetime


async def create_plan(rt: Runtime, *, name: str, white_label: bool) -> Plan:
    """Make a plan. Raises InvalidInput, AlreadyExists (the name is taken)."""
    found = await row(
        f"INSERT INTO plans ({_COLUMNS}) VALUES ($1, $2, $3, $4) "
        f"ON CONFLICT DO NOTHING RETURNING {_COLUMNS}",
        new_id("plan"),
        require_name(name, field="name"),
        white_label,
        rt.clock(),
    )
    if found is None:
        raise AlreadyExists("A plan with this name exists already.", field=("name",))
    return Plan(**found)


async def plans(_rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, Plan]:
    """These plans; an agency's viewer sees the agency's own plan only, a client's none."""
    if not viewer.sees_agency_side:
        return {}
    found = await rows(
        f"SELECT {_COLUMNS} FROM plans WHERE id = ANY($1) AND ($2::text IS NULL "
        "OR EXISTS (SELECT 1 FROM agencies a WHERE a.plan_id = plans.id AND a.id = $2))",
        [id for id in ids if is_id(id, "plan")],
        viewer.agency_id,
    )
    return {row["id"]: Plan(**row) for row in found}


async def plan_page(*, after: str | None, limit: int) -> list[Plan]:
    """All plans, newest first, after the one with id `after`. For the platform."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM plans WHERE $1::text IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
        after,
        limit,
    )
    return [Plan(**row) for row in found]


async def require_plan(connection: Connection, plan_id: str) -> Plan:
    """The plan, for use by an agency. Raises NotFound."""
    known = is_id(plan_id, "plan")
    found = (
        await row(f"SELECT {_COLUMNS} FROM plans WHERE id = $1", plan_id, on=connection)
        if known
        else None
    )
    if found is None:
        raise NotFound("plan", field=("planId",))
    return Plan(**found)
