"""API keys of services and partners: shown once, kept as a hash, ended by revocation or expiry.

A key is 256 random bits, so a fast hash is enough: there is nothing to guess."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from gateway.auth.viewer import Role, Scope, Viewer, ViewerKind
from gateway.clock import Clock
from gateway.database import Row, row, rows
from gateway.errors import Unauthenticated

KEY_PREFIX: Final = "rbk_"
COLUMNS: Final = (
    "id, agency_id, sub_account_id, name, prefix, scopes, created_by, created_at, last_used_at, "
    "expires_at, revoked_at"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. prefix: the first characters, to recognise it by."""

    id: str
    agency_id: str
    sub_account_id: str | None
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_by: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


async def viewer_of_key(secret: str, clock: Clock) -> Viewer:
    """The caller that holds this key. Raises Unauthenticated for an unknown or ended key."""
    now = clock()
    found = await row(
        f"SELECT {COLUMNS} FROM api_keys WHERE secret_hash = $1",
        secret_hash(secret),
    )
    key = api_key_from_row(found) if found else None
    if key is None or _ended(key, now):
        raise Unauthenticated("The API key is unknown or was revoked.")
    # Once a minute is enough to see whether a key is in use, and keeps reads free of writes.
    if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
        await rows(
            "UPDATE api_keys SET last_used_at = $3 WHERE agency_id = $1 AND id = $2",
            key.agency_id,
            key.id,
            now,
        )
    return Viewer(
        subject=key.id,
        kind=ViewerKind.API_KEY,
        role=Role.SERVICE,
        scopes=frozenset(key.scopes),
        agency_id=key.agency_id,
        sub_account_id=key.sub_account_id,
        expires_at=key.expires_at,
    )


async def key_has_ended(viewer: Viewer, now: datetime) -> bool:
    """True when the viewer is an API key that was revoked since it was proven."""
    if viewer.kind is not ViewerKind.API_KEY:
        return False
    found = await row(
        f"SELECT {COLUMNS} FROM api_keys WHERE agency_id = $1 AND id = $2",
        viewer.agency_id,
        viewer.subject,
    )
    return found is None or _ended(api_key_from_row(found), now)


def _ended(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)


def secret_hash(secret: str) -> bytes:
    """What is stored in place of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def api_key_from_row(found: Row) -> ApiKey:
    """A key from a row of COLUMNS."""
    scopes = found["scopes"]
    listed = orjson.loads(scopes) if isinstance(scopes, str) else scopes
    return ApiKey(**{**found, "scopes": tuple(Scope(scope) for scope in listed)})
