"""Day by day, our totals of each account beside Stripe's. A difference is told to a person and
never put right silently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.agencies.refresh import refresh_connection_by_account
from gateway.database import row, rows
from gateway.ids import first_id
from gateway.purchases.decide import PURCHASE_KEY
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import AccountLost, StripeFailure

log = structlog.get_logger(__name__)

# Also in the metadata: several platforms may share an account of Stripe's test mode.
_AGENCY_KEY: Final = "rebill_agency"
_DAY: Final = timedelta(days=1)
# An intent is made at most this long after its purchase, and its clock may be behind ours.
_LATEST_INTENT: Final = timedelta(days=1)
_CLOCK_SLACK: Final = timedelta(minutes=10)
# Until every intent of the day is made, and long after the last unpaid purchase has ended.
_CLOSED_AFTER: Final = _DAY + _LATEST_INTENT
_LEASE: Final = timedelta(hours=1)
_MOST_INTENTS: Final = 100_000

# Moving totals_due_at is a lease: the day comes back by itself when its worker fails or dies.
_CLAIM: Final = """
    WITH due AS (
        SELECT agency_id, id, coalesce(totals_before, date_trunc('day', created_at, 'UTC')) AS day
        FROM stripe_connections
        WHERE status <> 'DISCONNECTED' AND account_id IS NOT NULL
            AND coalesce(totals_due_at, created_at) <= $1
            AND coalesce(totals_before, date_trunc('day', created_at, 'UTC')) <= $2
        ORDER BY totals_due_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE stripe_connections c SET totals_due_at = $3 FROM due
    WHERE c.agency_id = due.agency_id AND c.id = due.id
    RETURNING c.agency_id, c.id, c.account_id, due.day
"""
_FINISH: Final = """
    UPDATE stripe_connections SET totals_before = $3, totals_due_at = $4
    WHERE agency_id = $1 AND id = $2
"""
_OURS: Final = """
    SELECT currency, count(*) AS purchases, sum(gross_minor)::bigint AS gross_minor,
        sum(wholesale_total_minor)::bigint AS application_fee_minor
    FROM purchases
    WHERE agency_id = $1 AND stripe_account_id = $2 AND status = 'COMPLETED'
        AND id >= $3 AND id < $4
    GROUP BY currency
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of one account, day and currency; amounts in minor units."""

    purchases: int = 0
    gross_minor: int = 0
    application_fee_minor: int = 0


@dataclass(frozen=True, slots=True)
class _Day:
    """A day (UTC) of an account. A purchase belongs to the day on which its id was made, which
    Stripe's side tells as well as ours: the intent names the purchase."""

    agency_id: str
    connection_id: str
    account_id: str
    begins: datetime

    @property
    def ids(self) -> tuple[str, str]:
        return first_id("purchase", self.begins), first_id("purchase", self.begins + _DAY)


class _TooMany(Exception):
    """More intents than a worker reads."""


async def compare_daily_totals(rt: Runtime) -> int:
    """Compare one closed day of one account that was not compared yet: completed purchases,
    their gross and application fees, beside the paid intents at Stripe that name purchases of
    this agency. → how many days were compared.

    After: a difference is logged as an alert with both figures, and nothing else is changed. A
    day that Stripe does not answer for is tried again in an hour; a lost account is ended."""
    now = rt.clock()
    found = await row(_CLAIM, now, now - _CLOSED_AFTER, now + _LEASE)
    if found is None:
        return 0
    day = _Day(found["agency_id"], found["id"], found["account_id"], found["day"])
    try:
        await _compare(rt, day)
    except AccountLost:
        await refresh_connection_by_account(rt, day.account_id)
        return 0
    except StripeFailure as failure:
        log.warning("totals_postponed", account=day.account_id, failure=repr(failure))
        return 0
    await rows(_FINISH, day.agency_id, day.connection_id, day.begins + _DAY, rt.clock())
    return 1


async def _compare(rt: Runtime, day: _Day) -> None:
    named = {"agency": day.agency_id, "account": day.account_id, "day": f"{day.begins:%Y-%m-%d}"}
    try:
        theirs = await _at_stripe(rt, day)
    except _TooMany:
        log.error("alert_totals_not_compared", **named, most_intents=_MOST_INTENTS)
        return
    ours = await _ours(day)
    if ours != theirs:
        log.error("alert_totals_differ", **named, ours=_told(ours), stripe=_told(theirs))


async def _ours(day: _Day) -> dict[str, Totals]:
    found = await rows(_OURS, day.agency_id, day.account_id, *day.ids)
    return {entry.pop("currency"): Totals(**entry) for entry in found}


async def _at_stripe(rt: Runtime, day: _Day) -> dict[str, Totals]:
    first, beyond = day.ids
    totals: dict[str, Totals] = defaultdict(Totals)
    read = 0
    async for intent in rt.stripe.paid_intents(
        account=day.account_id,
        created_from=day.begins - _CLOCK_SLACK,
        created_before=day.begins + _DAY + _LATEST_INTENT,
    ):
        read += 1
        if read > _MOST_INTENTS:
            raise _TooMany
        is_ours = intent.metadata.get(_AGENCY_KEY) == day.agency_id
        if is_ours and first <= intent.metadata.get(PURCHASE_KEY, "") < beyond:
            before = totals[intent.currency]
            totals[intent.currency] = Totals(
                before.purchases + 1,
                before.gross_minor + intent.amount_minor,
                before.application_fee_minor + intent.application_fee_minor,
            )
    return dict(totals)


def _told(totals: Mapping[str, Totals]) -> dict[str, dict[str, int]]:
    return {currency: asdict(figures) for currency, figures in sorted(totals.items())}
