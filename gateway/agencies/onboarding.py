"""The first door to Stripe: an account made for the agency, and links to Stripe's own forms.

See Stripe, "Account Links": a link works once and for minutes, and coming back proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.agencies.connection import (
    COLUMNS,
    Door,
    StripeConnection,
    connection_from_row,
    current_connection,
    end_connection,
    store_account,
)
from gateway.agencies.plans import require_plan
from gateway.agencies.read import lock_agency
from gateway.agencies.stripe_failures import stripe_can_refuse
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, transaction
from gateway.errors import InvalidState, PlanNotEligible
from gateway.ids import new_id
from gateway.runtime import Runtime

RETURN_PATH: Final = "/stripe/onboarding/return"
REFRESH_PATH: Final = "/stripe/onboarding/refresh"

# Stripe forgets an idempotency key after 24 hours; a wish older than this begins anew.
_KEY_LIFE: Final = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class OnboardingLink:
    """Where to send the agency's browser now. Works once, until expires_at."""

    url: str
    expires_at: datetime


async def start_onboarding(rt: Runtime, viewer: Viewer, *, agency_id: str) -> OnboardingLink:
    """Lead an agency to Stripe's forms, the first time and whenever Stripe asks for more.

    The account is made once, however often this is asked and wherever it was cut off. Raises
    NotFound, PlanNotEligible, InvalidState (an account of the agency's own is connected),
    PaymentUnavailable. After: the connection is ONBOARDING, or as it was."""
    connection = await _begun(rt, viewer, agency_id)
    with stripe_can_refuse():
        account_id = connection.account_id or await _make_account(rt, viewer, connection)
        base = rt.settings.public_url.rstrip("/")
        link = await rt.stripe.create_account_link(
            account_id=account_id,
            refresh_url=f"{base}{REFRESH_PATH}",
            return_url=f"{base}{RETURN_PATH}?connection={connection.id}",
        )
    return OnboardingLink(url=link.url, expires_at=link.expires_at)


async def require_white_label(connection: Connection, plan_id: str) -> None:
    """Raises PlanNotEligible for a plan without white-label."""
    plan = await require_plan(connection, plan_id)
    if not plan.white_label:
        raise PlanNotEligible(plan=plan.name)


async def insert_connection(
    connection: Connection,
    *,
    agency_id: str,
    account_id: str | None,
    livemode: bool,
    door: Door,
    now: datetime,
) -> StripeConnection | None:
    """A connection that nothing is known of yet. None when another agency has this account."""
    found = await row(
        "INSERT INTO stripe_connections "
        "(id, agency_id, account_id, livemode, door, status, requirements_due, created_at) "
        f"VALUES ($1, $2, $3, $4, $5, 'NONE', '[]', $6) ON CONFLICT DO NOTHING RETURNING {COLUMNS}",
        new_id("connection"),
        agency_id,
        account_id,
        livemode,
        door.value,
        now,
        on=connection,
    )
    return connection_from_row(found) if found else None


async def _begun(rt: Runtime, viewer: Viewer, agency_id: str) -> StripeConnection:
    """The row of this onboarding, committed before Stripe is asked for an account."""
    now = rt.clock()
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        await require_white_label(connection, agency.plan_id)
        current = await current_connection(agency.id, on=connection)
        if current is not None and current.door is Door.OAUTH:
            raise InvalidState(
                "The agency's own Stripe account is connected; Stripe's dashboard shows what it "
                "asks for. Disconnect it first to use another account."
            )
        if current and current.account_id is None and now - current.created_at > _KEY_LIFE:
            await end_connection(connection, current, now=now)
            current = None
        if current is None:
            current = await insert_connection(
                connection,
                agency_id=agency.id,
                account_id=None,
                livemode=rt.settings.livemode,
                door=Door.LINK,
                now=now,
            )
        assert current is not None
    return current


async def _make_account(rt: Runtime, viewer: Viewer, begun: StripeConnection) -> str:
    # The key belongs to the row, so every repetition gets the same account back.
    account = await rt.stripe.create_account(
        agency_id=begun.agency_id, key=f"rebill:acct:{begun.id}"
    )
    async with transaction() as connection:
        await lock_agency(connection, viewer, begun.agency_id)
        current = await current_connection(begun.agency_id, on=connection)
        if current is None or current.id != begun.id:
            raise InvalidState("The connection was changed meanwhile. Start again.")
        await store_account(connection, current, account, now=rt.clock())
    return account.id
