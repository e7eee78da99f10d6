"""Rows of the outbox that are not written by the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import orjson

from gateway.database import Connection

_INSERT: Final = """
    INSERT INTO outbox_events (agency_id, topic, subject_id, version, kind, payload, created_at)
    VALUES ($1, 'agency', $1, 0, $2, $3::jsonb, $4)
"""


async def record_agency_event(
    connection: Connection,
    *,
    agency_id: str,
    kind: str,
    payload: Mapping[str, object],
    now: datetime,
) -> None:
    """Tell the agency's live tab of a change, once the open transaction commits.

    payload: ids and plain values only; readers look the objects up again with their own rights."""
    await connection.execute_query_dict(
        _INSERT, [agency_id, kind, orjson.dumps(payload).decode(), now]
    )
