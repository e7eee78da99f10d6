"""What a freshly read PaymentIntent means for a purchase. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

from gateway.purchases.declines import message_of, reason_of
from gateway.purchases.record import PurchaseRecord, PurchaseStatus
from gateway.stripe_connect.values import Intent, IntentStatus

PURCHASE_KEY = "rebill_purchase"
"""Name of the metadata entry by which an intent says which purchase it belongs to."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The columns that a reading of an unpaid intent may change.

    last_error_charge_id: the newest refused charge that `attempts` counts."""

    status: PurchaseStatus
    payment_intent_id: str | None
    client_secret: str | None = field(repr=False)
    next_action: Mapping[str, Any] | None
    last_error_reason: str | None
    last_error_message: str | None
    last_error_charge_id: str | None
    attempts: int


def progress_of(purchase: PurchaseRecord) -> Progress:
    """Where the purchase stands now."""
    return Progress(
        status=purchase.status,
        payment_intent_id=purchase.payment_intent_id,
        client_secret=purchase.client_secret,
        next_action=purchase.next_action,
        last_error_reason=purchase.last_error_reason,
        last_error_message=purchase.last_error_message,
        last_error_charge_id=purchase.last_error_charge_id,
        attempts=purchase.attempts,
    )


def differences(purchase: PurchaseRecord, intent: Intent) -> list[str]:
    """Names of the facts in which the intent is not what the purchase's snapshot says."""
    facts = {
        "account": (purchase.stripe_account_id, intent.account),
        "livemode": (purchase.livemode, intent.livemode),
        "amount": (purchase.gross_minor, intent.amount_minor),
        "currency": (purchase.currency, intent.currency),
        "application_fee": (purchase.wholesale_total_minor, intent.application_fee_minor),
        "purchase": (purchase.id, intent.metadata.get(PURCHASE_KEY)),
    }
    if intent.charge is not None:
        facts["charged_amount"] = (purchase.gross_minor, intent.charge.amount_minor)
        facts["charged_currency"] = (purchase.currency, intent.charge.currency)
        facts["charged_fee"] = (purchase.wholesale_total_minor, intent.charge.application_fee_minor)
    return [name for name, (ours, theirs) in facts.items() if ours != theirs]


def has_uncounted_failure(purchase: PurchaseRecord, intent: Intent) -> bool:
    """True when the intent's charges must be listed: between two readings a buyer's device may
    have failed many times, and the intent shows only the last one."""
    if intent.status is not IntentStatus.REQUIRES_PAYMENT_METHOD or intent.last_error is None:
        return False
    charge_id = intent.last_error.charge_id
    return charge_id is None or charge_id != purchase.last_error_charge_id


def next_progress(
    purchase: PurchaseRecord,
    intent: Intent,
    *,
    failed_charges: Sequence[str],
    now: datetime,
    attempts_allowed: int,
) -> Progress:
    """Where an open purchase stands after its intent was read, unless the intent was paid.

    failed_charges: the intent's refused charges, newest first; empty unless
    `has_uncounted_failure`. See the table of domain rule "Purchase" and Stripe, "How
    PaymentIntents and SetupIntents work"."""
    assert intent.status is not IntentStatus.SUCCEEDED, "a paid intent is completed, not noted"
    problem = intent.last_error
    counted = purchase.last_error_charge_id
    uncounted = list(takewhile(lambda charge: charge != counted, failed_charges))
    attempts = purchase.attempts + len(uncounted) + _failed_before_the_bank(purchase, intent)
    status = _status(purchase, intent, attempts=attempts, allowed=attempts_allowed, now=now)
    reason = None if problem is None else reason_of(problem)
    waiting = status is PurchaseStatus.REQUIRES_ACTION
    return Progress(
        status=status,
        payment_intent_id=intent.id,
        client_secret=intent.client_secret if status.is_open else None,
        next_action=_shown_action(intent.next_action) if waiting else None,
        last_error_reason=purchase.last_error_reason if reason is None else reason.value,
        last_error_message=purchase.last_error_message if reason is None else message_of(reason),
        last_error_charge_id=uncounted[0] if uncounted else counted,
        attempts=attempts,
    )


def _status(
    purchase: PurchaseRecord, intent: Intent, *, attempts: int, allowed: int, now: datetime
) -> PurchaseStatus:
    match intent.status:
        case IntentStatus.REQUIRES_ACTION:
            return PurchaseStatus.REQUIRES_ACTION
        case IntentStatus.PROCESSING | IntentStatus.REQUIRES_CAPTURE:
            return PurchaseStatus.PROCESSING
        case IntentStatus.CANCELED if attempts >= allowed:
            return PurchaseStatus.FAILED
        case IntentStatus.CANCELED if now >= purchase.expires_at:
            return PurchaseStatus.EXPIRED
        case IntentStatus.CANCELED:
            return PurchaseStatus.CANCELED
    return PurchaseStatus.PENDING


def _failed_before_the_bank(purchase: PurchaseRecord, intent: Intent) -> bool:
    """True for an attempt that ended without a charge (a failed 3-D Secure) and was not counted
    yet: the same error is read many times, but first after waiting for the buyer."""
    problem = intent.last_error
    if intent.status is not IntentStatus.REQUIRES_PAYMENT_METHOD or problem is None:
        return False
    if problem.charge_id is not None:
        return False
    waited = purchase.status is PurchaseStatus.REQUIRES_ACTION
    return waited or purchase.last_error_reason is None


def _shown_action(action: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Stripe's object holds keys for its own scripts; a client needs the kind and the address."""
    if action is None:
        return None
    redirect = action.get("redirect_to_url") or {}
    return {"type": action["type"], "url": redirect.get("url")}
