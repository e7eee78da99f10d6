"""A purchase as the rest of the gateway sees it: a plain value, read from its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Self

import orjson


class PurchaseStatus(StrEnum):
    """Where a purchase stands. See domain rule "Purchase"."""

    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    QUARANTINED = "QUARANTINED"

    @property
    def is_open(self) -> bool:
        """True while the purchase may still come to something by itself."""
        return self in OPEN


OPEN: Final = frozenset(
    {PurchaseStatus.PENDING, PurchaseStatus.REQUIRES_ACTION, PurchaseStatus.PROCESSING}
)


class RefundState(StrEnum):
    """How much of the money went back."""

    NONE = "NONE"
    PARTIAL = "PARTIAL"
    FULL = "FULL"


class DisputeState(StrEnum):
    """Whether the cardholder's bank takes the money back."""

    NONE = "NONE"
    INQUIRY = "INQUIRY"
    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class PurchaseFlag(StrEnum):
    """Something that a person should look at."""

    LATE_SUCCESS = "LATE_SUCCESS"
    ACCOUNT_LOST = "ACCOUNT_LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRecord:
    """One row. Amounts in minor units of `currency`, unit prices per credit in major units.

    margin_minor = net − wholesale_total, before Stripe's own fee. stripe_fee_minor: None until
    Stripe has booked it. expires_at: when an unpaid purchase ends."""

    id: str
    agency_id: str
    sub_account_id: str
    wallet_id: str
    status: PurchaseStatus
    refund_state: RefundState
    dispute_state: DisputeState
    flag: PurchaseFlag | None
    credits: int
    bonus_credits: int
    package_id: str | None
    validity_days: int | None
    currency: str
    retail_unit: Decimal
    wholesale_unit: Decimal
    net_minor: int
    tax_minor: int
    gross_minor: int
    wholesale_total_minor: int
    margin_minor: int
    stripe_fee_minor: int | None
    stripe_account_id: str
    livemode: bool
    payment_method_id: str | None
    save_payment_method: bool
    payment_intent_id: str | None
    client_secret: str | None = field(repr=False)
    next_action: Mapping[str, Any] | None
    charge_id: str | None
    application_fee_id: str | None
    balance_transaction_id: str | None
    receipt_url: str | None
    last_error_reason: str | None
    last_error_message: str | None
    last_error_charge_id: str | None
    attempts: int
    revision: int
    actor: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    completed_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row with at least the columns that `columns()` names."""
        values = {name: row[name] for name in _NAMES}
        values["status"] = PurchaseStatus(row["status"])
        values["refund_state"] = RefundState(row["refund_state"])
        values["dispute_state"] = DisputeState(row["dispute_state"])
        values["flag"] = None if row["flag"] is None else PurchaseFlag(row["flag"])
        action = row["next_action"]
        values["next_action"] = orjson.loads(action) if isinstance(action, str) else action
        return cls(**values)


_NAMES: Final = tuple(field.name for field in fields(PurchaseRecord))


def columns(alias: str = "") -> str:
    """The columns of a PurchaseRecord for a SELECT, from the table known as `alias`."""
    return ", ".join(f"{alias}.{name}" if alias else name for name in _NAMES)
