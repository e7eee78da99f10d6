"""What Stripe answers, as plain values. Nothing of the `stripe` package leaves this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class IntentStatus(StrEnum):
    """Status of a PaymentIntent. See Stripe, "How PaymentIntents and SetupIntents work"."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Account:
    """An agency's account. requirements_due: names of what Stripe still asks the agency for."""

    id: str
    charges_enabled: bool
    card_payments_active: bool
    details_submitted: bool
    requirements_due: tuple[str, ...]
    disabled_reason: str | None
    country: str | None
    default_currency: str | None


@dataclass(frozen=True, slots=True)
class AccountLink:
    """A page on which the agency answers Stripe's questions: works once, until `expires_at`."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Card:
    """A card as Stripe describes it. `fingerprint` is the same for the same number."""

    id: str
    customer: str | None
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class CardProblem:
    """Why an attempt did not pass. See Stripe, "Decline codes" and "Error codes"."""

    code: str
    decline_code: str | None
    message: str
    charge_id: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """The charge of a paid intent. stripe_fee_minor: what Stripe took from the agency beside the
    application fee, in the charge's currency; None until Stripe has booked it, or when it was
    booked in another currency."""

    id: str
    amount_minor: int
    currency: str
    application_fee_minor: int
    application_fee_id: str | None
    balance_transaction_id: str | None
    stripe_fee_minor: int | None
    receipt_url: str | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent as it stood when it was read. Money in minor units, currency upper case."""

    id: str
    account: str
    status: IntentStatus
    amount_minor: int
    currency: str
    application_fee_minor: int
    livemode: bool
    client_secret: str | None = field(repr=False)
    customer: str | None
    card: Card | None
    charge: Charge | None
    last_error: CardProblem | None
    next_action: Mapping[str, Any] | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SetupIntent:
    """A SetupIntent as it stood when it was read: a card being saved without a payment."""

    id: str
    account: str
    status: IntentStatus
    livemode: bool
    client_secret: str | None = field(repr=False)
    customer: str | None
    card: Card | None
    last_error: CardProblem | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event whose signature was good. account: the connected account it happened on, None for
    the platform's own. object_id: what it is about. payload: the whole body, only a hint."""

    id: str
    type: str
    account: str | None
    livemode: bool
    object_id: str | None
    payload: Mapping[str, Any] = field(repr=False)
