"""Stripe's JSON objects → our values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.stripe_connect.values import (
    Account,
    AccountLink,
    Card,
    CardProblem,
    Charge,
    Intent,
    IntentStatus,
    SetupIntent,
)

Json = Mapping[str, Any]


def read_account(data: Json) -> Account:
    requirements = data.get("requirements") or {}
    due = {*(requirements.get("currently_due") or ()), *(requirements.get("past_due") or ())}
    return Account(
        id=data["id"],
        charges_enabled=bool(data.get("charges_enabled")),
        card_payments_active=(data.get("capabilities") or {}).get("card_payments") == "active",
        details_submitted=bool(data.get("details_submitted")),
        requirements_due=tuple(sorted(due)),
        disabled_reason=requirements.get("disabled_reason"),
        country=data.get("country"),
        default_currency=_upper(data.get("default_currency")),
    )


def read_account_link(data: Json) -> AccountLink:
    return AccountLink(
        url=data["url"], expires_at=datetime.fromtimestamp(data["expires_at"], tz=UTC)
    )


def read_card(data: Json) -> Card | None:
    """None for a payment method that is no card, and for one that was not expanded."""
    card = data.get("card")
    if not isinstance(card, Mapping):
        return None
    return Card(
        id=data["id"],
        customer=_id(data.get("customer")),
        brand=card.get("brand") or "unknown",
        last4=card.get("last4") or "",
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
        fingerprint=card.get("fingerprint"),
    )


def read_problem(data: Json | None) -> CardProblem | None:
    """Of `last_payment_error`, `last_setup_error` or the error of a 402."""
    if not data:
        return None
    return CardProblem(
        code=data.get("code") or data.get("type") or "unknown",
        decline_code=data.get("decline_code"),
        message=data.get("message") or "The payment did not pass.",
        charge_id=_id(data.get("charge")),
    )


def read_intent(data: Json, *, account: str) -> Intent:
    return Intent(
        id=data["id"],
        account=account,
        status=IntentStatus(data["status"]),
        amount_minor=data["amount"],
        currency=data["currency"].upper(),
        application_fee_minor=data.get("application_fee_amount") or 0,
        livemode=data["livemode"],
        client_secret=data.get("client_secret"),
        customer=_id(data.get("customer")),
        card=_expanded_card(data),
        charge=_charge(data.get("latest_charge")),
        last_error=read_problem(data.get("last_payment_error")),
        next_action=data.get("next_action"),
        metadata=data.get("metadata") or {},
    )


def read_setup_intent(data: Json, *, account: str) -> SetupIntent:
    return SetupIntent(
        id=data["id"],
        account=account,
        status=IntentStatus(data["status"]),
        livemode=data["livemode"],
        client_secret=data.get("client_secret"),
        customer=_id(data.get("customer")),
        card=_expanded_card(data),
        last_error=read_problem(data.get("last_setup_error")),
        metadata=data.get("metadata") or {},
    )


def _charge(data: object) -> Charge | None:
    if not isinstance(data, Mapping) or data.get("status") == "failed":
        return None
    currency = data["currency"].upper()
    booked = data.get("balance_transaction")
    return Charge(
        id=data["id"],
        amount_minor=data["amount"],
        currency=currency,
        application_fee_minor=data.get("application_fee_amount") or 0,
        application_fee_id=_id(data.get("application_fee")),
        balance_transaction_id=_id(booked),
        stripe_fee_minor=_stripe_fee(booked, currency),
        receipt_url=data.get("receipt_url"),
    )


def _stripe_fee(booked: object, currency: str) -> int | None:
    # The booking's `fee` also holds our own application fee. An account that settles in another
    # currency has its fees there, and no exact amount in the charge's currency exists.
    if not isinstance(booked, Mapping) or booked["currency"].upper() != currency:
        return None
    details = booked.get("fee_details") or ()
    fees: list[int] = [part["amount"] for part in details if part["type"] != "application_fee"]
    return sum(fees)


def _expanded_card(data: Json) -> Card | None:
    method = data.get("payment_method")
    return read_card(method) if isinstance(method, Mapping) else None


def _id(value: object) -> str | None:
    """The id of a reference, expanded or not."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _upper(value: object) -> str | None:
    return value.upper() if isinstance(value, str) else None
