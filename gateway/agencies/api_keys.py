"""Making, listing and ending the API keys of an agency."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson

from gateway.agencies.names import require_name
from gateway.auth.api_keys import COLUMNS, KEY_PREFIX, ApiKey, api_key_from_row, secret_hash
from gateway.auth.scope import visible
from gateway.auth.viewer import Scope, Viewer
from gateway.database import row, rows, transaction
from gateway.errors import InvalidInput, NotFound
from gateway.ids import is_id, new_id
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.runtime import Runtime

_SHOWN: Final = 12


async def create_api_key(
    viewer: Viewer,
    *,
    agency_id: str,
    sub_account_id: str | None,
    name: str,
    scopes: Sequence[Scope],
    expires_at: datetime | None,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key of an agency, or of one of its sub-accounts. → (key, secret shown this once).

    Raises NotFound for an agency or sub-account that the viewer does not see, InvalidInput."""
    shown_name = require_name(name, field="name")
    if not scopes:
        raise InvalidInput("Give the key at least one scope.", field=("scopes",))
    if sub_account_id is not None and Scope.MANAGE in scopes:
        raise InvalidInput("MANAGE is for keys of a whole agency.", field=("scopes",))
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("The expiry must lie in the future.", field=("expiresAt",))
    await _require_owner(viewer, agency_id, sub_account_id)
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    found = await row(
        f"INSERT INTO api_keys (id, agency_id, sub_account_id, name, prefix, secret_hash, scopes, "
        f"created_by, created_at, expires_at) "
        f"VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10) RETURNING {COLUMNS}",
        new_id("api_key"),
        agency_id,
        sub_account_id,
        shown_name,
        secret[:_SHOWN],
        secret_hash(secret),
        orjson.dumps(sorted(set(scopes))).decode(),
        viewer.subject,
        now,
        expires_at,
    )
    assert found is not None
    return api_key_from_row(found), secret


async def revoke_api_key(viewer: Viewer, *, key_id: str, now: datetime) -> ApiKey:
    """End a key; again is the same. Raises NotFound. After: requests with it are refused, and its
    open streams end."""
    if not is_id(key_id, "api_key"):
        raise NotFound("API key", field=("apiKeyId",))
    condition = visible(viewer, first=3)
    async with transaction() as connection:
        found = await row(
            f"UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) "
            f"WHERE id = $1 AND {condition.sql} RETURNING {COLUMNS}",
            key_id,
            now,
            *condition.values,
            on=connection,
        )
        if found is None:
            raise NotFound("API key", field=("apiKeyId",))
        await record_agency_event(
            connection,
            agency_id=found["agency_id"],
            kind=ActivityKind.ACCESS_CHANGED,
            payload={"apiKeyId": key_id},
            now=now,
        )
    return api_key_from_row(found)


async def api_keys_of(viewer: Viewer, agency_id: str) -> list[ApiKey]:
    """The keys of an agency, newest first, revoked ones included."""
    condition = visible(viewer, first=2)
    found = await rows(
        f"SELECT {COLUMNS} FROM api_keys WHERE agency_id = $1 AND {condition.sql} "
        "ORDER BY id DESC LIMIT 1000",
        agency_id,
        *condition.values,
    )
    return [api_key_from_row(entry) for entry in found]


async def api_keys(_rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, ApiKey]:
    """These keys, for viewers of their whole agency only."""
    if not viewer.sees_agency_side:
        return {}
    condition = visible(viewer, first=2)
    found = await rows(
        f"SELECT {COLUMNS} FROM api_keys WHERE id = ANY($1) AND {condition.sql}",
        list(ids),
        *condition.values,
    )
    return {entry["id"]: api_key_from_row(entry) for entry in found}


async def _require_owner(viewer: Viewer, agency_id: str, sub_account_id: str | None) -> None:
    condition = visible(viewer, first=2, agency="id", sub_account=None)
    if not is_id(agency_id, "agency") or not await rows(
        f"SELECT 1 FROM agencies WHERE id = $1 AND {condition.sql}",
        agency_id,
        *condition.values,
    ):
        raise NotFound("agency", field=("agencyId",))
    if sub_account_id is None:
        return
    if not is_id(sub_account_id, "sub_account") or not await rows(
        "SELECT 1 FROM sub_accounts WHERE agency_id = $1 AND id = $2", agency_id, sub_account_id
    ):
        raise NotFound("sub-account", field=("subAccountId",))
