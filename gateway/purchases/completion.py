"""The rows of a completed purchase that stand or fall with its credits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

import orjson

from gateway.crash_points import crash_point
from gateway.database import Connection, rows
from gateway.ids import new_id
from gateway.ledger.receipts import Receipt
from gateway.purchases.store import TELL_AGENCY
from gateway.stripe_connect.values import Card

# A success beats whatever was noted before; only a purchase set aside for a person stays so.
_COMPLETE: Final = f"""
    WITH paid AS (
        SELECT * FROM jsonb_to_recordset($1::jsonb) AS paid(
            agency_id text, purchase_id text, payment_intent_id text, charge_id text,
            application_fee_id text, balance_transaction_id text, stripe_fee_minor bigint,
            receipt_url text, card_fingerprint text, now timestamptz)
    ), changed AS (
        UPDATE purchases p SET status = 'COMPLETED', completed_at = paid.now,
            flag = CASE WHEN p.status IN ('FAILED', 'CANCELED', 'EXPIRED') THEN 'LATE_SUCCESS'
                ELSE p.flag END,
            payment_intent_id = paid.payment_intent_id, charge_id = paid.charge_id,
            application_fee_id = paid.application_fee_id,
            balance_transaction_id = paid.balance_transaction_id,
            stripe_fee_minor = paid.stripe_fee_minor, receipt_url = paid.receipt_url,
            card_fingerprint = paid.card_fingerprint, client_secret = NULL, next_action = NULL,
            revision = p.revision + 1, updated_at = paid.now, checked_at = paid.now
        FROM paid
        WHERE p.agency_id = paid.agency_id AND p.id = paid.purchase_id
            AND p.status NOT IN ('COMPLETED', 'QUARANTINED')
        RETURNING p.*
    ), told AS ({TELL_AGENCY})
    SELECT id FROM changed
"""

# The wallet's lock, which the unit of work holds, keeps a sub-account's cards in one row of
# writers; the first card becomes the default.
_KEEP_CARDS: Final = """
    INSERT INTO payment_methods (id, agency_id, sub_account_id, stripe_account_id, livemode,
        stripe_payment_method_id, brand, last4, exp_month, exp_year, fingerprint, is_default,
        created_at)
    SELECT id, agency_id, sub_account_id, stripe_account_id, livemode, stripe_payment_method_id,
        brand, last4, exp_month, exp_year, fingerprint,
        row_number() OVER (PARTITION BY agency_id, sub_account_id, stripe_account_id ORDER BY id)
            = 1 AND NOT EXISTS (
            SELECT 1 FROM payment_methods other WHERE other.agency_id = card.agency_id
                AND other.sub_account_id = card.sub_account_id
                AND other.stripe_account_id = card.stripe_account_id
                AND other.is_default AND other.removed_at IS NULL),
        created_at
    FROM jsonb_to_recordset($1::jsonb) AS card(
        id text, agency_id text, sub_account_id text, stripe_account_id text, livemode boolean,
        stripe_payment_method_id text, brand text, last4 text, exp_month smallint,
        exp_year smallint, fingerprint text, created_at timestamptz)
    ON CONFLICT (agency_id, stripe_account_id, stripe_payment_method_id) DO NOTHING
"""


class SetAside(Exception):
    """The purchase was set aside for a person since it was looked at: it cannot complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCard:
    """A card that its owner asked to keep."""

    agency_id: str
    sub_account_id: str
    stripe_account_id: str
    livemode: bool
    card: Card
    created_at: datetime

    def as_row(self) -> dict[str, Any]:
        card = self.card
        return {
            "id": new_id("payment_method"),
            "agency_id": self.agency_id,
            "sub_account_id": self.sub_account_id,
            "stripe_account_id": self.stripe_account_id,
            "livemode": self.livemode,
            "stripe_payment_method_id": card.id,
            "brand": card.brand,
            "last4": card.last4,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "fingerprint": card.fingerprint,
            "created_at": self.created_at,
        }


async def keep_cards(connection: Connection, cards: Sequence[SavedCard]) -> None:
    """Save cards that are not saved yet. The caller's transaction holds their wallets' locks."""
    if cards:
        listed = orjson.dumps([card.as_row() for card in cards]).decode()
        await connection.execute_query(_KEEP_CARDS, [listed])


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What Stripe says of a paid purchase. stripe_fee_minor: None while it is not booked."""

    agency_id: str
    purchase_id: str
    payment_intent_id: str
    charge_id: str
    application_fee_id: str | None
    balance_transaction_id: str | None
    stripe_fee_minor: int | None
    receipt_url: str | None
    card_fingerprint: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class CompletePurchase:
    """Rides with the ledger's Issue: completes the purchase in the same unit of work."""

    paid: Paid
    keep: SavedCard | None

    kind: ClassVar[str] = "complete_purchase"

    @classmethod
    async def apply(
        cls, connection: Connection, riders: Sequence[tuple[CompletePurchase, Receipt]]
    ) -> None:
        """Raises SetAside, so that nothing is issued."""
        listed = orjson.dumps([asdict(rider.paid) for rider, _ in riders]).decode()
        done = await rows(_COMPLETE, listed, on=connection)
        if len(done) != len(riders):
            raise SetAside
        await keep_cards(connection, [rider.keep for rider, _ in riders if rider.keep])
        crash_point("before_issue_commit")
