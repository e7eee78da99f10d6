"""The clients of an agency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.agencies.clients import COLUMNS, SubAccount, SubAccountStatus, sub_account_from_row
from gateway.agencies.names import require_name
from gateway.agencies.opening import open_client_wallet
from gateway.agencies.read import lock_agency
from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, transaction
from gateway.errors import AlreadyExists, NotFound
from gateway.ids import is_id, new_id
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.runtime import Runtime

_ID_TAKEN: Final = "Another client of this agency has this external id."


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAccountChange:
    """What to change of a client; None leaves a value as it is."""

    name: str | None = None
    external_id: str | None = None
    status: SubAccountStatus | None = None
    wallet_access: bool | None = None


async def create_sub_account(
    rt: Runtime,
    viewer: Viewer,
    *,
    agency_id: str,
    name: str,
    external_id: str | None,
    wallet_access: bool,
) -> SubAccount:
    """Make a client, with its empty wallet when the agency's wallets are open already.

    external_id: the platform's own id of the client, unique within the agency. Raises NotFound,
    InvalidInput, AlreadyExists."""
    now = rt.clock()
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        found = await row(
            "INSERT INTO sub_accounts "
            "(id, agency_id, name, external_id, wallet_access, created_at) "
            f"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING {COLUMNS}",
            new_id("sub_account"),
            agency.id,
            require_name(name, field="name"),
            _external_id(external_id),
            wallet_access,
            now,
            on=connection,
        )
        if found is None:
            raise AlreadyExists(_ID_TAKEN, field=("externalId",))
        client = sub_account_from_row(found)
        if agency.wallets_opened_at is not None:
            await open_client_wallet(
                connection, agency_id=agency.id, sub_account_id=client.id, now=now
            )
        await _tell(connection, client, now)
    return client


async def update_sub_account(
    rt: Runtime, viewer: Viewer, *, sub_account_id: str, change: SubAccountChange
) -> SubAccount:
    """Change a client. SUSPENDED: it can neither buy nor spend, and its credits are kept.
    wallet_access False: it cannot buy, and can still use what it has.

    Raises NotFound, InvalidInput, AlreadyExists. Again is the same."""
    async with transaction() as connection:
        client = await lock_sub_account(connection, viewer, sub_account_id)
        return await store_change(connection, client, change, now=rt.clock())


async def lock_sub_account(
    connection: Connection, viewer: Viewer, sub_account_id: str
) -> SubAccount:
    """The client, kept from changing until the open transaction ends. Raises NotFound."""
    if is_id(sub_account_id, "sub_account"):
        scope = visible(viewer, first=2, sub_account="id")
        found = await row(
            f"SELECT {COLUMNS} FROM sub_accounts WHERE id = $1 AND {scope.sql} FOR NO KEY UPDATE",
            sub_account_id,
            *scope.values,
            on=connection,
        )
        if found is not None:
            return sub_account_from_row(found)
    raise NotFound("sub-account", field=("subAccountId",))


async def store_change(
    connection: Connection, client: SubAccount, change: SubAccountChange, *, now: datetime
) -> SubAccount:
    """`update_sub_account` inside an open transaction that holds the client's lock."""
    wanted = _changed(client, change)
    if wanted == client:
        return client
    if wanted.external_id is not None and await _is_taken(connection, wanted):
        raise AlreadyExists(_ID_TAKEN, field=("externalId",))
    await row(
        "UPDATE sub_accounts SET name = $3, external_id = $4, status = $5, wallet_access = $6 "
        "WHERE agency_id = $1 AND id = $2",
        wanted.agency_id,
        wanted.id,
        wanted.name,
        wanted.external_id,
        wanted.status.value,
        wanted.wallet_access,
        on=connection,
    )
    await _tell(connection, wanted, now)
    return wanted


def _changed(client: SubAccount, change: SubAccountChange) -> SubAccount:
    name, external_id = change.name, change.external_id
    return replace(
        client,
        name=client.name if name is None else require_name(name, field="name"),
        external_id=client.external_id if external_id is None else _external_id(external_id),
        status=change.status or client.status,
        wallet_access=(
            client.wallet_access if change.wallet_access is None else change.wallet_access
        ),
    )


def _external_id(value: str | None) -> str | None:
    return None if value is None else require_name(value, field="externalId")


async def _is_taken(connection: Connection, wanted: SubAccount) -> bool:
    found = await row(
        "SELECT 1 FROM sub_accounts WHERE agency_id = $1 AND external_id = $2 AND id <> $3",
        wanted.agency_id,
        wanted.external_id,
        wanted.id,
        on=connection,
    )
    return found is not None


async def _tell(connection: Connection, client: SubAccount, now: datetime) -> None:
    await record_agency_event(
        connection,
        agency_id=client.agency_id,
        kind=ActivityKind.BLOCKS_UPDATED,
        payload={"subAccountId": client.id},
        now=now,
    )
