"""Statements on the table of purchases. Every change tells the agency's live tab in the same
statement, so that both are committed or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import orjson

from gateway.database import Connection, row, rows
from gateway.purchases.decide import Progress
from gateway.purchases.record import OPEN, PurchaseRecord, columns

_OPEN: Final = sorted(OPEN)

# For a WITH list: tells of every purchase in `changed`.
TELL_AGENCY: Final = """
    INSERT INTO outbox_events (agency_id, topic, subject_id, version, kind, payload, created_at)
    SELECT agency_id, 'agency', agency_id, 0, 'PURCHASE_UPDATED',
        jsonb_build_object('purchaseId', id, 'walletId', wallet_id,
            'subAccountId', sub_account_id), updated_at
    FROM changed
"""

_ADVANCE: Final = f"""
    WITH changed AS (
        UPDATE purchases SET status = $4, payment_intent_id = $5, client_secret = $6,
            next_action = $7::jsonb, last_error_reason = $8, last_error_message = $9,
            last_error_charge_id = $10, attempts = $11, revision = revision + 1,
            updated_at = $12, checked_at = $12
        WHERE agency_id = $1 AND id = $2 AND revision = $3 AND status = ANY($13)
        RETURNING *
    ), told AS ({TELL_AGENCY})
    SELECT {columns()} FROM changed
"""

_QUARANTINE: Final = f"""
    WITH changed AS (
        UPDATE purchases SET status = 'QUARANTINED', payment_intent_id = $3, client_secret = NULL,
            next_action = NULL, revision = revision + 1, updated_at = $4, checked_at = $4
        WHERE agency_id = $1 AND id = $2 AND status NOT IN ('COMPLETED', 'QUARANTINED')
        RETURNING *
    ), told AS ({TELL_AGENCY})
    SELECT {columns()} FROM changed
"""

_FILL: Final = f"""
    WITH changed AS (
        UPDATE purchases SET stripe_fee_minor = $3, balance_transaction_id = $4,
            receipt_url = coalesce(receipt_url, $5), updated_at = $6
        WHERE agency_id = $1 AND id = $2 AND status = 'COMPLETED' AND stripe_fee_minor IS NULL
        RETURNING *
    ), told AS ({TELL_AGENCY})
    SELECT {columns()} FROM changed
"""

_FLAG_LOST: Final = f"""
    WITH changed AS (
        UPDATE purchases SET flag = 'ACCOUNT_LOST', updated_at = $3
        WHERE agency_id = $1 AND id = $2 AND status = 'PROCESSING' AND flag IS NULL
        RETURNING *
    ), told AS ({TELL_AGENCY})
    SELECT id FROM changed
"""

# Moving checked_at is the claim: another worker that looks meanwhile finds nothing due.
_CLAIM: Final = f"""
    UPDATE purchases SET checked_at = $1 WHERE (agency_id, id) IN (
        SELECT agency_id, id FROM purchases
        WHERE status = ANY($2) AND checked_at <= CASE
            WHEN payment_intent_id IS NULL OR (expires_at <= $1 AND status <> 'PROCESSING')
            THEN $3::timestamptz ELSE $4::timestamptz END
        ORDER BY checked_at LIMIT $5 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns()}
"""


async def load(purchase_id: str, *, agency_id: str) -> PurchaseRecord:
    """For workers and for steps whose viewer was checked: the row as it is now."""
    sql = f"SELECT {columns()} FROM purchases WHERE agency_id = $1 AND id = $2"
    found = await row(sql, agency_id, purchase_id)
    assert found is not None, "a purchase is never deleted"
    return PurchaseRecord.of(found)


async def find_for_intent(
    *, account_id: str, intent_id: str, named: str | None
) -> PurchaseRecord | None:
    """The purchase of an intent: by its id or, before we have stored that, by the purchase id
    that the intent names. Only of agencies that ever had this Stripe account."""
    sql = f"""
        SELECT {columns()} FROM purchases
        WHERE agency_id IN (SELECT agency_id FROM stripe_connections WHERE account_id = $1)
            AND stripe_account_id = $1 AND (payment_intent_id = $2 OR id = $3)
        ORDER BY payment_intent_id = $2 DESC NULLS LAST LIMIT 1
    """
    found = await row(sql, account_id, intent_id, named)
    return None if found is None else PurchaseRecord.of(found)


async def insert(connection: Connection, values: Mapping[str, object]) -> PurchaseRecord:
    """Store a new purchase inside the caller's transaction, and tell the agency."""
    names = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    sql = f"""
        WITH changed AS (INSERT INTO purchases ({names}) VALUES ({places}) RETURNING *),
        told AS ({TELL_AGENCY})
        SELECT {columns()} FROM changed
    """
    found = await row(sql, *values.values(), on=connection)
    assert found is not None
    return PurchaseRecord.of(found)


async def advance_row(
    purchase: PurchaseRecord, progress: Progress, *, now: datetime
) -> PurchaseRecord | None:
    """Store how an open purchase stands. None when it was changed since `purchase` was read:
    then this reading is the older one, and nothing is stored."""
    values = asdict(progress)
    action = values["next_action"]
    found = await row(
        _ADVANCE,
        purchase.agency_id,
        purchase.id,
        purchase.revision,
        values["status"].value,
        values["payment_intent_id"],
        values["client_secret"],
        None if action is None else orjson.dumps(action).decode(),
        values["last_error_reason"],
        values["last_error_message"],
        values["last_error_charge_id"],
        values["attempts"],
        now,
        _OPEN,
    )
    return None if found is None else PurchaseRecord.of(found)


async def quarantine(
    purchase: PurchaseRecord, *, intent_id: str, now: datetime
) -> PurchaseRecord | None:
    """Set a purchase aside for a person. None when it is completed or set aside already."""
    kept = purchase.payment_intent_id or intent_id
    found = await row(_QUARANTINE, purchase.agency_id, purchase.id, kept, now)
    return None if found is None else PurchaseRecord.of(found)


async def flag_account_lost(purchase: PurchaseRecord, *, now: datetime) -> bool:
    """Flag a payment under way whose account was lost, for a person. False for any other
    purchase, and for one that has a flag."""
    return await row(_FLAG_LOST, purchase.agency_id, purchase.id, now) is not None


async def fill_fee(
    purchase: PurchaseRecord,
    *,
    stripe_fee_minor: int,
    balance_transaction_id: str | None,
    receipt_url: str | None,
    now: datetime,
) -> PurchaseRecord | None:
    """Add Stripe's fee, which is known later than the payment. None when it was known."""
    values: list[Any] = [stripe_fee_minor, balance_transaction_id, receipt_url, now]
    found = await row(_FILL, purchase.agency_id, purchase.id, *values)
    return None if found is None else PurchaseRecord.of(found)


async def claim_due(
    *, now: datetime, soon: datetime, late: datetime, limit: int
) -> list[PurchaseRecord]:
    """Open purchases that nobody has looked at since `late`; since `soon` when their intent is
    not known or their time is over. After: they count as looked at."""
    found = await rows(_CLAIM, now, _OPEN, soon, late, limit)
    return [PurchaseRecord.of(row) for row in found]
