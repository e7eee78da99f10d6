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
from gateway.outbox.events import ActivityKind
from gateway.pricing.floor import tidy
from gateway.runtime import Runtime

_INSERT: Final = """
    INSERT INTO wholesale_prices (id, agency_id, currency, price, effective_at, actor, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Moving wholesale_told_at is the claim. It moves to the beginning of the newest price and not to
# now, so that a price set by a process with a slower clock is told of too.
_TELL: Final = """
    WITH newest AS (
        SELECT max(effective_at) AS at FROM wholesale_prices WHERE effective_at <= $1
    ), late AS (
        SELECT id, currency, coalesce(wholesale_told_at, created_at) AS told_at FROM agencies
        WHERE coalesce(wholesale_told_at, created_at) < (SELECT at FROM newest)
        ORDER BY coalesce(wholesale_told_at, created_at) LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE agencies a SET wholesale_told_at = (SELECT at FROM newest) FROM late
        WHERE a.id = late.id
    ), told AS (
        INSERT INTO outbox_events (agency_id, topic, subject_id, version, kind, payload, created_at)
        SELECT late.id, 'agency', late.id, 0, $3, '{}', $1 FROM late WHERE EXISTS (
            SELECT 1 FROM wholesale_prices w WHERE w.currency = late.currency
                AND w.effective_at > late.told_at AND w.effective_at <= $1
                -- Agencies with a price of their own do not follow the default.
                AND (w.agency_id = late.id OR (w.agency_id IS NULL AND NOT EXISTS (
                    SELECT 1 FROM wholesale_prices own
                    WHERE own.agency_id = late.id AND own.currency = late.currency
                        AND own.effective_at <= $1
                )))
        )
    )
    SELECT id FROM late
"""
_BATCH: Final = 500


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
        # Scheduled prices, and agencies beyond the batch, are the workers' part.
        await _tell(connection, now)
    return new


async def tell_of_wholesale(rt: Runtime) -> int:
    """Tell agencies, each once, that a wholesale price of theirs has begun. → how many agencies
    were looked at.

    After: the live tab of each agency concerned has BLOCKS_UPDATED, also for a price that was
    set long before. Agencies that another process is telling are left to it."""
    return await _tell(None, rt.clock())


async def _tell(connection: Connection | None, now: datetime) -> int:
    kind = ActivityKind.BLOCKS_UPDATED.value
    return len(await rows(_TELL, now, _BATCH, kind, on=connection))


def _require_start(effective_at: datetime | None, now: datetime) -> datetime:
    if effective_at is not None and effective_at < now:
        raise InvalidInput("A price cannot begin in the past.", field=("effectiveAt",))
    return effective_at or now
