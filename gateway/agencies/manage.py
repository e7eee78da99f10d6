"""What the platform does with agencies."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.agencies.names import require_name
from gateway.agencies.opening import open_wallets_if_ready
from gateway.agencies.plans import require_plan
from gateway.agencies.read import COLUMNS, Agency, agency_from_row, lock_agency
from gateway.auth.viewer import Viewer
from gateway.database import row, transaction
from gateway.errors import AlreadyExists, InvalidInput
from gateway.ids import new_id
from gateway.ledger.state import WalletKind
from gateway.ledger.wallets import open_wallet
from gateway.money import is_supported
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.runtime import Runtime

_NAME_TAKEN: Final = "An agency with this name exists already."


async def create_agency(
    rt: Runtime, *, name: str, plan_id: str, currency: str, time_zone: str
) -> Agency:
    """Make an agency, with its empty pool wallet. currency: ISO 4217, for ever; time_zone: IANA.

    Raises InvalidInput, NotFound (plan), AlreadyExists (name)."""
    if not is_supported(currency):
        raise InvalidInput(f"Cards cannot be charged in {currency} here.", field=("currency",))
    now = rt.clock()
    async with transaction() as connection:
        plan = await require_plan(connection, plan_id)
        found = await row(
            "INSERT INTO agencies (id, plan_id, name, currency, time_zone, created_at) "
            f"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING {COLUMNS}",
            new_id("agency"),
            plan.id,
            require_name(name, field="name"),
            currency,
            _require_time_zone(time_zone),
            now,
            on=connection,
        )
        if found is None:
            raise AlreadyExists(_NAME_TAKEN, field=("name",))
        agency = agency_from_row(found)
        await open_wallet(
            connection, agency_id=agency.id, sub_account_id=None, kind=WalletKind.POOL, now=now
        )
    return agency


async def update_agency(
    rt: Runtime,
    viewer: Viewer,
    *,
    agency_id: str,
    name: str | None = None,
    plan_id: str | None = None,
    time_zone: str | None = None,
) -> Agency:
    """Change what is given. Losing white-label stops sales and keeps every balance; gaining it
    opens the clients' wallets when Stripe is ready.

    Raises NotFound (agency, plan), InvalidInput, AlreadyExists (name)."""
    now = rt.clock()
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        plan = await require_plan(connection, plan_id or agency.plan_id)
        new_name = agency.name if name is None else require_name(name, field="name")
        taken = await row(
            "SELECT 1 FROM agencies WHERE name = $1 AND id <> $2",
            new_name,
            agency.id,
            on=connection,
        )
        if taken:
            raise AlreadyExists(_NAME_TAKEN, field=("name",))
        found = await row(
            "UPDATE agencies SET name = $2, plan_id = $3, time_zone = $4 WHERE id = $1 "
            f"RETURNING {COLUMNS}",
            agency.id,
            new_name,
            plan.id,
            agency.time_zone if time_zone is None else _require_time_zone(time_zone),
            on=connection,
        )
        assert found is not None
        if plan.id != agency.plan_id:
            await open_wallets_if_ready(connection, agency_id=agency.id, now=now)
            await record_agency_event(
                connection,
                agency_id=agency.id,
                kind=ActivityKind.BLOCKS_UPDATED,
                payload={},
                now=now,
            )
    return agency_from_row(found)


def _require_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            "Give an IANA time zone such as “Europe/Berlin”.", field=("timeZone",)
        ) from None
    return name
