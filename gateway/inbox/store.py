"""The table of events that Stripe sent. Each is stored once and kept for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from gateway.database import row, rows
from gateway.inbox.subjects import Subject, subject_of
from gateway.stripe_connect.values import WebhookEvent

_STORE: Final = """
    INSERT INTO stripe_events (id, agency_id, account_id, type, livemode, object_id, payload,
        next_try_at, received_at)
    VALUES ($1, (
        SELECT agency_id FROM stripe_connections WHERE account_id = $2
        ORDER BY status = 'DISCONNECTED', created_at DESC LIMIT 1
    ), $2, $3, $4, $5, $6::jsonb, $7, $7)
    ON CONFLICT (id) DO NOTHING RETURNING id
"""

# Moving next_try_at is a lease: no transaction stays open while Stripe is asked, and the event
# comes back by itself when its worker dies.
_CLAIM: Final = """
    UPDATE stripe_events SET next_try_at = $2, tries = tries + 1 WHERE id IN (
        SELECT id FROM stripe_events WHERE status = 'RECEIVED' AND next_try_at <= $1
        ORDER BY next_try_at LIMIT $3 FOR UPDATE SKIP LOCKED
    ) RETURNING id, type, account_id, payload, tries
"""
_FINISH: Final = """
    UPDATE stripe_events SET status = $2, done_at = $3, last_error = NULL
    WHERE id = ANY($1) AND status = 'RECEIVED'
"""
_POSTPONE: Final = """
    UPDATE stripe_events SET last_error = $2, next_try_at = $3::timestamptz,
        status = CASE WHEN tries >= $4 THEN 'FAILED' ELSE status END
    WHERE id = ANY($1) AND status = 'RECEIVED'
    RETURNING id, status
"""
_HIDDEN: Final = "client_secret"


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that this worker has leased. tries: how often it was leased, this time included.
    subject: None when nothing here waits for such events."""

    id: str
    type: str
    tries: int
    subject: Subject | None


async def store_event(event: WebhookEvent, *, now: datetime) -> bool:
    """Keep a verified event, without the client secrets in its body: rows are kept for ever.
    False when it was stored before: Stripe delivers at least once."""
    stored = await row(
        _STORE,
        event.id,
        event.account,
        event.type,
        event.livemode,
        event.object_id,
        orjson.dumps(_without_secrets(event.payload)).decode(),
        now,
    )
    return stored is not None


async def claim_events(*, now: datetime, until: datetime, limit: int) -> list[ClaimedEvent]:
    """Lease events that are due until `until`."""
    return [
        ClaimedEvent(
            id=found["id"],
            type=found["type"],
            tries=found["tries"],
            subject=subject_of(found["type"], found["account_id"], _payload(found["payload"])),
        )
        for found in await rows(_CLAIM, now, until, limit)
    ]


async def finish_events(ids: Sequence[str], *, matched: bool, now: datetime) -> None:
    """Mark events as handled (DONE), or as fitting nothing of ours (UNMATCHED)."""
    await rows(_FINISH, list(ids), "DONE" if matched else "UNMATCHED", now)


async def postpone_events(
    ids: Sequence[str], *, error: str, until: datetime, most_tries: int
) -> list[str]:
    """Try events again at `until`. Answers the ids of those that have used up their tries: they
    are FAILED now and wait for a person."""
    found = await rows(_POSTPONE, list(ids), error, until, most_tries)
    return [event["id"] for event in found if event["status"] == "FAILED"]


def _without_secrets(part: Any) -> Any:
    """A copy of a JSON value in which no object, however deep, has a client secret."""
    if isinstance(part, Mapping):
        return {name: _without_secrets(value) for name, value in part.items() if name != _HIDDEN}
    if isinstance(part, list):
        return [_without_secrets(value) for value in part]
    return part


def _payload(stored: object) -> dict[str, object]:
    found = orjson.loads(stored) if isinstance(stored, str) else stored
    assert isinstance(found, dict)
    return found
