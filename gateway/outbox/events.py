"""Rows of the outbox that are not written by the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import orjson

from gateway.database import Connection

_INSERT: Final = """
    INSERT INTO outbox_events (agency_id, topic, subject_id, version, kind, payload, created_at)
    VALUES ($1, 'agency', $1, 0, $2, $3::jsonb, $4)
"""


class ActivityKind(StrEnum):
    """What changed at an agency. PURCHASE_UPDATED is stored with the purchase itself; MISSED is
    never stored, it tells a reader who was too slow."""

    PURCHASE_UPDATED = "PURCHASE_UPDATED"
    CONNECTION_UPDATED = "CONNECTION_UPDATED"
    WALLETS_OPENED = "WALLETS_OPENED"
    BLOCKS_UPDATED = "BLOCKS_UPDATED"
    ACCESS_CHANGED = "ACCESS_CHANGED"
    MISSED = "MISSED"


async def record_agency_event(
    connection: Connection,
    *,
    agency_id: str,
    kind: ActivityKind,
    payload: Mapping[str, object],
    now: datetime,
) -> None:
    """Tell the agency's live tab of a change, once the open transaction commits.

    payload: ids and plain values only; readers look the objects up again with their own rights."""
    await connection.execute_query_dict(
        _INSERT, [agency_id, kind.value, orjson.dumps(payload).decode(), now]
    )
