"""Reading an agency's account again, and ending a connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from gateway.agencies.connection import (
    COLUMNS,
    Door,
    StripeConnection,
    connection_from_row,
    current_connection,
    end_connection,
    store_account,
)
from gateway.agencies.read import lock_agency
from gateway.agencies.stripe_failures import stripe_can_refuse
from gateway.auth.viewer import ROLE_SCOPES, Role, Viewer, ViewerKind
from gateway.database import row, transaction
from gateway.errors import InvalidState
from gateway.ids import is_id
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import AccountLost, StripeFailure
from gateway.stripe_connect.values import Account

_log = structlog.get_logger(__name__)

_SYSTEM: Final = Viewer(
    subject="system", kind=ViewerKind.PLATFORM, role=Role.ADMIN, scopes=ROLE_SCOPES[Role.ADMIN]
)
# Anybody can open the return page; one look at Stripe in a while is all that it causes.
_RETURN_PAUSE: Final = timedelta(seconds=5)


async def refresh_connection(rt: Runtime, viewer: Viewer, *, agency_id: str) -> StripeConnection:
    """Read the agency's account from Stripe and keep what it says.

    Raises NotFound, InvalidState (no account), PaymentUnavailable. After: the status is
    Stripe's; DISCONNECTED when we may not act for the account any more."""
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        current = await current_connection(agency.id, on=connection)
    if current is None or current.account_id is None:
        raise InvalidState("No Stripe account is connected. Start onboarding first.")
    with stripe_can_refuse():
        return await _refresh(rt, current, current.account_id)


async def refresh_connection_by_account(rt: Runtime, account_id: str) -> bool:
    """The same when Stripe says that something about `account_id` changed. → whether it is an
    account of ours. Raises StripeFailure (try again later)."""
    found = await row(
        f"SELECT {COLUMNS} FROM stripe_connections "
        "WHERE account_id = $1 AND status <> 'DISCONNECTED'",
        account_id,
    )
    if found is None:
        return False
    await _refresh(rt, connection_from_row(found), account_id)
    return True


async def refresh_after_return(rt: Runtime, connection_id: str) -> None:
    """Somebody came back from Stripe's forms. That proves nothing: read the account, at most once
    in 5 seconds. Unknown ids and a Stripe that does not answer change nothing."""
    if not is_id(connection_id, "connection"):
        return
    found = await row(
        f"SELECT {COLUMNS} FROM stripe_connections WHERE id = $1 AND account_id IS NOT NULL "
        "AND status <> 'DISCONNECTED' AND (checked_at IS NULL OR checked_at < $2)",
        connection_id,
        rt.clock() - _RETURN_PAUSE,
    )
    if found is None:
        return
    try:
        await _refresh(rt, connection_from_row(found), found["account_id"])
    except StripeFailure as failure:
        _log.warning("connection_not_refreshed", failure=type(failure).__name__)


async def disconnect_stripe(rt: Runtime, viewer: Viewer, *, agency_id: str) -> StripeConnection:
    """End the agency's connection. Raises NotFound, InvalidState (none stands).

    After: no new purchase can start; balances, spending and history are unchanged; cards saved
    on the account cannot be used. Our access to an account of the agency's own is given back."""
    now = rt.clock()
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        current = await current_connection(agency.id, on=connection)
        if current is None:
            raise InvalidState("No Stripe account is connected.")
        ended = await end_connection(connection, current, now=now)
    if ended.door is Door.OAUTH and ended.account_id is not None:
        await _give_back(rt, ended.account_id)
    return ended


async def _refresh(rt: Runtime, read: StripeConnection, account_id: str) -> StripeConnection:
    asked_at = rt.clock()
    account = await _account_or_lost(rt, account_id)
    async with transaction() as connection:
        await lock_agency(connection, _SYSTEM, read.agency_id)
        current = await current_connection(read.agency_id, on=connection)
        if current is None or current.id != read.id:
            return read  # It ended while Stripe was answering; the answer is about the past.
        if current.checked_at is not None and current.checked_at > asked_at:
            return current  # Somebody asked after us and was quicker.
        if account is None:
            return await end_connection(connection, current, now=rt.clock())
        return await store_account(connection, current, account, now=asked_at)


async def _account_or_lost(rt: Runtime, account_id: str) -> Account | None:
    try:
        return await rt.stripe.account(account_id)
    except AccountLost:
        return None


async def _give_back(rt: Runtime, account_id: str) -> None:
    """Best effort: we have stopped selling already, and the agency can revoke us at Stripe."""
    try:
        await rt.stripe.deauthorize(account_id)
    except StripeFailure as failure:
        _log.warning("access_not_given_back", account=account_id, failure=type(failure).__name__)
