"""Events whose webhook was lost: asked for, hour by hour, and put into the same inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.clock import Clock
from gateway.database import Row, rows
from gateway.inbox.store import store_event
from gateway.stripe_connect.client import StripeConnect
from gateway.stripe_connect.errors import AccountLost, RateLimited, StripeUnavailable

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
# Only a claim of this round: a later one knows better.
_GIVE_BACK: Final = """
    UPDATE stripe_connections c SET events_read_at = given.read_before
    FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS given(agency_id, id, read_before)
    WHERE c.agency_id = given.agency_id AND c.id = given.id AND c.events_read_at = $4
"""

LostAccount = Callable[[str], Awaitable[object]]
"""Takes care of an account that we may not read any more, given its id."""


async def fetch_missed_events(clock: Clock, stripe: StripeConnect, on_lost: LostAccount) -> int:
    """Ask for the latest events of accounts that were not asked for an hour, and answer how many
    accounts those were; 0 also after a failure, so that the next round waits.

    After: every event that never came by webhook waits in the inbox. A lost account was handed
    to `on_lost`. Accounts that could not be asked are left for the next round: one of them alone
    when only that account fails, the rest of the batch while Stripe is away."""
    now = clock()
    due = await rows(_CLAIM, now - _EVERY, now, _BATCH)
    unread = list(due)
    try:
        for connection in due:
            if await _is_read(clock, stripe, connection, on_lost):
                unread.remove(connection)
    except (RateLimited, StripeUnavailable) as failure:
        # Every account would fail alike.
        log.warning("missed_events_postponed", failure=repr(failure))
    if unread:
        await _give_back(unread, now)
    return 0 if unread else len(due)


async def _is_read(
    clock: Clock, stripe: StripeConnect, connection: Row, on_lost: LostAccount
) -> bool:
    """False when this account alone cannot be read. Raises RateLimited, StripeUnavailable."""
    try:
        await _fetch(clock, stripe, connection)
    except AccountLost:
        log.warning("missed_events_account_lost", agency=connection["agency_id"])
        await on_lost(connection["account_id"])
    except (RateLimited, StripeUnavailable):
        raise
    except Exception:
        log.exception("missed_events_failed", agency=connection["agency_id"])
        return False
    return True


async def _give_back(unread: Sequence[Row], claimed_at: datetime) -> None:
    await rows(
        _GIVE_BACK,
        [connection["agency_id"] for connection in unread],
        [connection["id"] for connection in unread],
        [connection["read_before"] or claimed_at - _EVERY for connection in unread],
        claimed_at,
    )


async def _fetch(clock: Clock, stripe: StripeConnect, connection: Row) -> None:
    since = connection["read_before"] or clock() - _FIRST_LOOK
    events = await stripe.events(
        account=connection["account_id"], types=_TYPES, created_from=since - _OVERLAP
    )
    missed = [event.type for event in events if await store_event(event, now=clock())]
    if missed:
        log.warning("stripe_events_missed", agency=connection["agency_id"], types=missed)
