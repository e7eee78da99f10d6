"""The wholesale price: what the platform takes per credit, in versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.agencies.read import lock_agency
from gateway.auth.viewer import Viewer
from gateway.database import Connection, rows, transaction
from gateway.errors import InvalidInput
from gateway.ids import new_id
from gateway.money import is_supported, is_unit_price
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.pricing.floor import tidy
from gateway.runtime import Runtime

_INSERT: Final = """
    INSERT INTO wholesale_prices (id, agency_id, currency, price, effective_at, actor, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Agencies with a price of their own do not follow the default.
_FOLLOWERS: Final = """
    SELECT a.id FROM agencies a
    WHERE a.currency = $1 AND NOT EXISTS (
        SELECT 1 FROM wholesale_prices w
        WHERE w.agency_id = a.id AND w.currency = a.currency AND w.effective_at <= $2
    )
    ORDER BY a.id
"""


@dataclass(frozen=True, slots=True)
class WholesalePrice:
    """price: per credit, major units. agency_id None: the default of the currency."""

    id: str
    agency_id: str | None
    currency: str
    price: Decimal
    effective_at: datetime


async def set_wholesale_price(
    rt: Runtime,
    viewer: Viewer,
    *,
    currency: str | None,
    agency_id: str | None,
    price: Decimal,
    effective_at: datetime | None,
) -> WholesalePrice:
    """Add a version that counts from effective_at (default: now) on. Give either the currency
    whose default it is, or one agency. Sold credits keep the price they were sold at.

    Raises InvalidInput, NotFound. After: items whose price lies under the new floor cannot be sold
    from that instant on; cost-plus prices follow."""
    now = rt.clock()
    since = _require_start(effective_at, now)
    if not is_unit_price(price):
        raise InvalidInput(
            "Give at most 6 decimal places, not negative.", field=("pricePerCredit",)
        )
    async with transaction() as connection:
        if (currency is None) == (agency_id is None):
            raise InvalidInput("Give either currency or agencyId.")
        if agency_id is not None:
            currency = (await lock_agency(connection, viewer, agency_id)).currency
        assert currency is not None
        if not is_supported(currency):
            raise InvalidInput(f"Cards cannot be charged in {currency}.", field=("currency",))
        new = WholesalePrice(new_id("wholesale"), agency_id, currency, tidy(price), since)
        await rows(
            _INSERT, new.id, agency_id, currency, price, since, viewer.subject, now, on=connection
        )
        if since <= now:
            await _tell(connection, new, now)
    return new


async def _tell(connection: Connection, new: WholesalePrice, now: datetime) -> None:
    if new.agency_id is not None:
        concerned = [new.agency_id]
    else:
        found = await rows(_FOLLOWERS, new.currency, now, on=connection)
        concerned = [entry["id"] for entry in found]
    for agency_id in concerned:
        await record_agency_event(
            connection, agency_id=agency_id, kind=ActivityKind.BLOCKS_UPDATED, payload={}, now=now
        )


def _require_start(effective_at: datetime | None, now: datetime) -> datetime:
    if effective_at is not None and effective_at < now:
        raise InvalidInput("A price cannot begin in the past.", field=("effectiveAt",))
    return effective_at or now
