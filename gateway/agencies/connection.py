"""An agency's connection to Stripe: what we last read of its account, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from gateway.agencies.opening import open_wallets_if_ready
from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, rows
from gateway.errors import NotFound
from gateway.ids import is_id
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.runtime import Runtime
from gateway.stripe_connect.values import Account

COLUMNS: Final = (
    "id, agency_id, account_id, livemode, door, status, charges_enabled, card_payments_active, "
    "requirements_due, disabled_reason, checked_at, created_at, disconnected_at"
)
_CURRENT_FIRST: Final = "ORDER BY agency_id, status = 'DISCONNECTED', created_at DESC"


class ConnectionStatus(StrEnum):
    """Where an agency stands with Stripe. Only ACTIVE can sell."""

    NONE = "NONE"
    ONBOARDING = "ONBOARDING"
    ACTIVE = "ACTIVE"
    RESTRICTED = "RESTRICTED"
    DISCONNECTED = "DISCONNECTED"


class Door(StrEnum):
    """LINK: an account made for the agency, onboarded by an Account Link. OAUTH: one it had."""

    LINK = "LINK"
    OAUTH = "OAUTH"


@dataclass(frozen=True, slots=True)
class StripeConnection:
    """account_id: None until Stripe has answered. requirements_due: what Stripe still asks for.
    checked_at: when the account was last read."""

    id: str
    agency_id: str
    account_id: str | None
    livemode: bool
    door: Door
    status: ConnectionStatus
    charges_enabled: bool
    card_payments_active: bool
    requirements_due: tuple[str, ...]
    disabled_reason: str | None
    checked_at: datetime | None
    created_at: datetime
    disconnected_at: datetime | None

    @property
    def dashboard_url(self) -> str | None:
        """The account's own pages at Stripe."""
        if self.account_id is None:
            return None
        mode = "" if self.livemode else "/test"
        return f"https://dashboard.stripe.com/{self.account_id}{mode}/payments"


async def stripe_connections(
    _rt: Runtime, viewer: Viewer, agency_ids: Sequence[str]
) -> dict[str, StripeConnection]:
    """The connection of each of these agencies: the standing one, else the last that stood."""
    if not viewer.sees_agency_side:
        return {}
    scope = visible(viewer, first=2, sub_account=None)
    found = await rows(
        f"SELECT DISTINCT ON (agency_id) {COLUMNS} FROM stripe_connections "
        f"WHERE agency_id = ANY($1) AND {scope.sql} {_CURRENT_FIRST}",
        [id for id in agency_ids if is_id(id, "agency")],
        *scope.values,
    )
    return {row["agency_id"]: connection_from_row(row) for row in found}


async def connection_history(viewer: Viewer, agency_id: str) -> list[StripeConnection]:
    """Every connection that the agency had, newest first; the last 100."""
    if not viewer.sees_agency_side:
        return []
    scope = visible(viewer, first=2, sub_account=None)
    found = await rows(
        f"SELECT {COLUMNS} FROM stripe_connections WHERE agency_id = $1 AND {scope.sql} "
        "ORDER BY created_at DESC LIMIT 100",
        agency_id,
        *scope.values,
    )
    return [connection_from_row(row) for row in found]


async def current_connection(agency_id: str, *, on: Connection) -> StripeConnection | None:
    """The connection that stands (not DISCONNECTED), read under the agency's lock."""
    found = await row(
        f"SELECT {COLUMNS} FROM stripe_connections "
        "WHERE agency_id = $1 AND status <> 'DISCONNECTED'",
        agency_id,
        on=on,
    )
    return connection_from_row(found) if found else None


def status_after(status: ConnectionStatus, account: Account) -> ConnectionStatus:
    """The status that follows from a freshly read account. See Stripe, "Account object":
    charges_enabled, and the capability card_payments."""
    if account.charges_enabled and account.card_payments_active:
        return ConnectionStatus.ACTIVE
    if status in {ConnectionStatus.NONE, ConnectionStatus.ONBOARDING}:
        return ConnectionStatus.ONBOARDING
    return ConnectionStatus.RESTRICTED


async def store_account(
    connection: Connection, stored: StripeConnection, account: Account, *, now: datetime
) -> StripeConnection:
    """Keep what was read of the account, under the agency's lock. After: the status follows it,
    wallets open when this is the first time that everything is ready, the live tab is told."""
    assert stored.status is not ConnectionStatus.DISCONNECTED
    status = status_after(stored.status, account)
    found = await row(
        "UPDATE stripe_connections SET account_id = $3, status = $4, charges_enabled = $5, "
        "card_payments_active = $6, requirements_due = $7::jsonb, disabled_reason = $8, "
        f"checked_at = $9 WHERE agency_id = $1 AND id = $2 RETURNING {COLUMNS}",
        stored.agency_id,
        stored.id,
        account.id,
        status.value,
        account.charges_enabled,
        account.card_payments_active,
        orjson.dumps(account.requirements_due).decode(),
        account.disabled_reason,
        now,
        on=connection,
    )
    assert found is not None
    fresh = connection_from_row(found)
    if _facts(fresh) != _facts(stored):
        await open_wallets_if_ready(connection, agency_id=stored.agency_id, now=now)
        await _tell(connection, fresh, now)
    return fresh


async def end_connection(
    connection: Connection, stored: StripeConnection, *, now: datetime
) -> StripeConnection:
    """Mark a connection as over, under the agency's lock. After: nothing can be sold; balances
    and spending are unchanged, the row stays as history."""
    found = await row(
        "UPDATE stripe_connections SET status = 'DISCONNECTED', charges_enabled = FALSE, "
        "card_payments_active = FALSE, disconnected_at = $3 "
        f"WHERE agency_id = $1 AND id = $2 RETURNING {COLUMNS}",
        stored.agency_id,
        stored.id,
        now,
        on=connection,
    )
    if found is None:
        raise NotFound("Stripe connection")
    ended = connection_from_row(found)
    await _tell(connection, ended, now)
    return ended


def connection_from_row(row: Mapping[str, Any]) -> StripeConnection:
    """A row with COLUMNS."""
    due = row["requirements_due"]
    return StripeConnection(
        **{
            **row,
            "door": Door(row["door"]),
            "status": ConnectionStatus(row["status"]),
            "requirements_due": tuple(orjson.loads(due) if isinstance(due, str) else due),
        }
    )


def _facts(connection: StripeConnection) -> tuple[object, ...]:
    return (
        connection.account_id,
        connection.status,
        connection.charges_enabled,
        connection.card_payments_active,
        connection.requirements_due,
        connection.disabled_reason,
    )


async def _tell(connection: Connection, fresh: StripeConnection, now: datetime) -> None:
    await record_agency_event(
        connection,
        agency_id=fresh.agency_id,
        kind=ActivityKind.CONNECTION_UPDATED,
        payload={"status": fresh.status.value},
        now=now,
    )
