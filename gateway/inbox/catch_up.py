"""Events whose webhook was lost: asked for, hour by hour, and put into the same inbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from gateway.clock import Clock
from gateway.database import Row, rows
from gateway.inbox.store import store_event
from gateway.stripe_connect.client import StripeConnect
from gateway.stripe_connect.errors import StripeFailure

log = structlog.get_logger(__name__)

_TYPES: Final = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.canceled",
    "charge.updated",
    "setup_intent.succeeded",
    "setup_intent.setup_failed",
    "setup_intent.canceled",
    "payment_method.detached",
    "account.updated",
    "capability.updated",
)
_EVERY: Final = timedelta(hours=1)
_FIRST_LOOK: Final = timedelta(days=1)
# A webhook may still be on its way; what was stored already is not stored again.
_OVERLAP: Final = timedelta(hours=1)
_BATCH: Final = 10

_CLAIM: Final = """
    WITH due AS (
        SELECT agency_id, id, events_read_at FROM stripe_connections
        WHERE status <> 'DISCONNECTED' AND account_id IS NOT NULL
            AND coalesce(events_read_at, created_at) <= $1
        ORDER BY events_read_at NULLS FIRST LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    UPDATE stripe_connections c SET events_read_at = $2 FROM due
    WHERE c.agency_id = due.agency_id AND c.id = due.id
    RETURNING c.agency_id, c.id, c.account_id, due.events_read_at AS read_before
"""
_GIVE_BACK: Final = """
    UPDATE stripe_connections SET events_read_at = $3 WHERE agency_id = $1 AND id = $2
"""


async def fetch_missed_events(clock: Clock, stripe: StripeConnect) -> int:
    """Ask for the latest events of accounts that were not asked for an hour, and answer how many
    accounts those were. After: every event that never came by webhook waits in the inbox. A
    failure leaves the account for the next round."""
    now = clock()
    due = await rows(_CLAIM, now - _EVERY, now, _BATCH)
    for connection in due:
        try:
            await _fetch(clock, stripe, connection)
        except StripeFailure as failure:
            log.warning("missed_events_postponed", failure=repr(failure))
            retried_at = connection["read_before"] or now - _EVERY
            await rows(_GIVE_BACK, connection["agency_id"], connection["id"], retried_at)
            # Every account would fail alike while Stripe is away.
            return 0
    return len(due)


async def _fetch(clock: Clock, stripe: StripeConnect, connection: Row) -> None:
    since = connection["read_before"] or clock() - _FIRST_LOOK
    events = await stripe.events(
        account=connection["account_id"], types=_TYPES, created_from=since - _OVERLAP
    )
    missed = [event.type for event in events if await store_event(event, now=clock())]
    if missed:
        log.warning("stripe_events_missed", agency=connection["agency_id"], types=missed)
