"""Switching the sale of credits on and off for a whole agency."""

from __future__ import annotations

from gateway.agencies.connection import ConnectionStatus, current_connection, stripe_connections
from gateway.agencies.onboarding import require_white_label
from gateway.agencies.read import COLUMNS, Agency, agency_from_row, lock_agency
from gateway.agencies.readiness import stripe_fix
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, transaction
from gateway.errors import PriceUnavailable, StripeNotReady
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.pricing.floor import require_unit_price
from gateway.pricing.terms import agency_terms
from gateway.runtime import Runtime


async def enable_rebilling(rt: Runtime, viewer: Viewer, *, agency_id: str) -> Agency:
    """Let the agency's clients buy. Raises NotFound, PlanNotEligible, StripeNotReady,
    PriceUnavailable (no price yet), BelowWholesale. Again is the same."""
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        await require_white_label(connection, agency.plan_id)
        await _require_stripe(rt, viewer, connection, agency.id)
        await _require_price(rt, viewer, connection, agency.id)
        return await _switch(rt, connection, agency, on=True)


async def disable_rebilling(rt: Runtime, viewer: Viewer, *, agency_id: str) -> Agency:
    """Stop the sale of credits; balances and spending stay. Raises NotFound. Purchases that have
    begun can still be paid."""
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        return await _switch(rt, connection, agency, on=False)


async def _require_stripe(
    rt: Runtime, viewer: Viewer, connection: Connection, agency_id: str
) -> None:
    current = await current_connection(agency_id, on=connection)
    if current is not None and current.status is ConnectionStatus.ACTIVE:
        return
    last = current or (await stripe_connections(rt, viewer, [agency_id])).get(agency_id)
    status = last.status if last else ConnectionStatus.NONE
    raise StripeNotReady(stripe_fix(last), status=status.value)


async def _require_price(
    rt: Runtime, viewer: Viewer, connection: Connection, agency_id: str
) -> None:
    terms = (await agency_terms(rt, viewer, [agency_id], on=connection))[agency_id]
    if terms.retail is None:
        raise PriceUnavailable("Set a price per credit first: setCreditPrice.")
    require_unit_price(terms, terms.retail, field=("agencyId",))


async def _switch(rt: Runtime, connection: Connection, agency: Agency, *, on: bool) -> Agency:
    if agency.rebilling_enabled is on:
        return agency
    found = await row(
        f"UPDATE agencies SET rebilling_enabled = $2 WHERE id = $1 RETURNING {COLUMNS}",
        agency.id,
        on,
        on=connection,
    )
    await record_agency_event(
        connection,
        agency_id=agency.id,
        kind=ActivityKind.BLOCKS_UPDATED,
        payload={},
        now=rt.clock(),
    )
    assert found is not None
    return agency_from_row(found)
