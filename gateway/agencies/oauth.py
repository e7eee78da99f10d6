"""The second door to Stripe: an account that the agency has already. See Stripe, "OAuth reference".

The `state` of the round trip is 256 random bits of which only the hash is kept. It works once, for
ten minutes, and only for the agency and the person that it was made for: the page that Stripe leads
back to proves nothing about who opened it, so that person finishes with `completeStripeOAuth`,
signed in (RFC 9700, section 4.7)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from gateway.agencies.connection import (
    ConnectionStatus,
    Door,
    StripeConnection,
    current_connection,
    end_connection,
    store_account,
)
from gateway.agencies.onboarding import OnboardingLink, insert_connection, require_white_label
from gateway.agencies.read import lock_agency
from gateway.agencies.stripe_failures import stripe_can_refuse
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, rows, transaction
from gateway.errors import AlreadyExists, InvalidInput, InvalidState, PaymentUnavailable
from gateway.ids import new_id
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import AccountLost, StripeRefused
from gateway.stripe_connect.values import Account

CALLBACK_PATH: Final = "/stripe/oauth/callback"

_LIFE: Final = timedelta(minutes=10)
_LONGEST_CODE: Final = 255
_INSERT: Final = """
    INSERT INTO stripe_oauth_states (id, agency_id, state_hash, actor, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
_USE: Final = """
    UPDATE stripe_oauth_states SET used_at = $2
    WHERE state_hash = $1 AND used_at IS NULL AND expires_at > $2
        AND actor = $3 AND ($4::text IS NULL OR agency_id = $4)
    RETURNING agency_id
"""


async def start_oauth(rt: Runtime, viewer: Viewer, *, agency_id: str) -> OnboardingLink:
    """Lead an agency to Stripe to let us act for an account that it has.

    Raises NotFound, PlanNotEligible, InvalidState (an account is connected), PaymentUnavailable
    (the platform offers no OAuth)."""
    now = rt.clock()
    state = secrets.token_urlsafe(32)
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        await require_white_label(connection, agency.plan_id)
        _require_free(await current_connection(agency.id, on=connection))
        await rows(
            _INSERT,
            new_id("oauth_state"),
            agency.id,
            _hash(state),
            viewer.subject,
            now,
            now + _LIFE,
            on=connection,
        )
    page = rt.settings.stripe_oauth_return_url
    own_page = f"{rt.settings.public_url.rstrip('/')}{CALLBACK_PATH}"
    try:
        url = rt.stripe.authorize_url(state=state, redirect_uri=page or own_page)
    except StripeRefused as refused:
        raise PaymentUnavailable(
            "Existing accounts cannot be connected here. Start without one."
        ) from refused
    return OnboardingLink(url=url, expires_at=now + _LIFE)


async def complete_oauth(rt: Runtime, viewer: Viewer, *, code: str, state: str) -> StripeConnection:
    """Connect the account behind `code`. The viewer must be who began with this `state`.

    Raises InvalidInput (state or code unknown, used, too old, somebody else's), PlanNotEligible,
    InvalidState, AlreadyExists (another agency has this account), PaymentUnavailable. After: the
    account is the agency's connection, with the status that Stripe reports."""
    return await _connect(rt, viewer, await _use(rt, viewer, state), code)


async def _use(rt: Runtime, viewer: Viewer, state: str) -> str:
    # Committed before Stripe is called: a state works once even when the rest fails.
    found = await row(_USE, _hash(state), rt.clock(), viewer.subject, viewer.agency_id)
    if found is None:
        raise InvalidInput(
            "This return from Stripe is unknown, used or too old. Start again.", field=("state",)
        )
    return str(found["agency_id"])


async def _connect(rt: Runtime, viewer: Viewer, agency_id: str, code: str) -> StripeConnection:
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        await require_white_label(connection, agency.plan_id)
        _require_free(await current_connection(agency.id, on=connection))
    account = await _account_of(rt, code)
    async with transaction() as connection:
        await lock_agency(connection, viewer, agency_id)
        fresh = await _replace(rt, connection, agency_id, account)
        return await store_account(connection, fresh, account, now=rt.clock())


async def _account_of(rt: Runtime, code: str) -> Account:
    if not 1 <= len(code) <= _LONGEST_CODE or not code.isprintable():
        raise InvalidInput("This is no code of Stripe.", field=("code",))
    try:
        with stripe_can_refuse():
            return await rt.stripe.account(await rt.stripe.exchange_code(code))
    except AccountLost as lost:
        raise InvalidInput(
            "Stripe gave no access to this account. Start again.", field=("code",)
        ) from lost


async def _replace(
    rt: Runtime, connection: Connection, agency_id: str, account: Account
) -> StripeConnection:
    """A fresh row for the account, in the place of an onboarding that was never finished."""
    current = await current_connection(agency_id, on=connection)
    _require_free(current)
    now = rt.clock()
    if current is not None:
        await end_connection(connection, current, now=now)
    fresh = await insert_connection(
        connection,
        agency_id=agency_id,
        account_id=account.id,
        livemode=rt.settings.livemode,
        door=Door.OAUTH,
        now=now,
    )
    if fresh is None:
        raise AlreadyExists("This Stripe account is connected to another agency.")
    return fresh


def _require_free(current: StripeConnection | None) -> None:
    if current and current.status in {ConnectionStatus.ACTIVE, ConnectionStatus.RESTRICTED}:
        raise InvalidState("A Stripe account is connected. Disconnect it first to use another.")


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()
