"""What a freshly read PaymentIntent means for a purchase. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.purchases.declines import message_of, reason_of
from gateway.purchases.record import PurchaseRecord, PurchaseStatus
from gateway.stripe_connect.values import CardProblem, Intent, IntentStatus

PURCHASE_KEY = "rebill_purchase"
"""Name of the metadata entry by which an intent says which purchase it belongs to."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The columns that a reading of an unpaid intent may change."""

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


def next_progress(
    purchase: PurchaseRecord, intent: Intent, *, now: datetime, attempts_allowed: int
) -> Progress:
    """Where an open purchase stands after its intent was read, unless the intent was paid.

    See the table of domain rule "Purchase" and Stripe, "How PaymentIntents and SetupIntents
    work"."""
    assert intent.status is not IntentStatus.SUCCEEDED, "a paid intent is completed, not noted"
    problem = intent.last_error
    attempts = purchase.attempts + (problem is not None and _is_new(purchase, intent, problem))
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
        last_error_charge_id=problem.charge_id if problem else purchase.last_error_charge_id,
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


def _is_new(purchase: PurchaseRecord, intent: Intent, problem: CardProblem) -> bool:
    """True for an error that was not counted yet: the same one is read many times.

    Every attempt that reaches a bank has a charge of its own. One that ends before (a failed
    3-D Secure) has none, but was seen waiting for the buyer just before."""
    if intent.status is not IntentStatus.REQUIRES_PAYMENT_METHOD:
        return False
    if problem.charge_id is not None:
        return problem.charge_id != purchase.last_error_charge_id
    waited = purchase.status is PurchaseStatus.REQUIRES_ACTION
    return waited or purchase.last_error_reason is None


def _shown_action(action: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Stripe's object holds keys for its own scripts; a client needs the kind and the address."""
    if action is None:
        return None
    redirect = action.get("redirect_to_url") or {}
    return {"type": action["type"], "url": redirect.get("url")}
