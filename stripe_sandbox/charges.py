"""Charges: one for each attempt to take money. Source: Stripe API reference, "Charges"."""

from __future__ import annotations

from typing import Any, Final

from stripe_sandbox import balances, fees
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.cards import Decline
from stripe_sandbox.errors import Json
from stripe_sandbox.events import emit
from stripe_sandbox.forms import merge_metadata
from stripe_sandbox.lists import CREATED, LIST, page
from stripe_sandbox.state import State, copy
from stripe_sandbox.storage import PLATFORM

_KIND: Final = "charge"
_HARD: Final = frozenset({"lost_card", "stolen_card", "expired_card"})


def begin(state: State, account: str, intent: Json, method: Json, *, three_d_secure: bool) -> Json:
    """A charge of an intent, pending until it succeeds or fails. Nothing is emitted yet."""
    card = method["type"] == "card"
    connected = account != PLATFORM
    return state.save(
        account,
        {
            "id": state.new_id("ch" if card else "py"),
            "object": _KIND,
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "application": state.settings.client_id if connected else None,
            "application_fee": None,
            "application_fee_amount": intent["application_fee_amount"],
            "balance_transaction": None,
            "billing_details": copy(method["billing_details"]),
            "calculated_statement_descriptor": "SANDBOX",
            "captured": False,
            "created": state.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": _outcome(None),
            "paid": False,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _details(method, intent, three_d_secure=three_d_secure),
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": None,
            "source_transfer": None,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": "pending",
            "transfer_data": None,
            "transfer_group": None,
        },
    )


def _outcome(decline: Decline | None) -> Json:
    reason = None if decline is None else (decline.decline_code or decline.code)
    return {
        "advice_code": None if reason is None else _advice(reason),
        "network_advice_code": None,
        "network_decline_code": None if reason is None else "05",
        "network_status": "approved_by_network" if reason is None else "declined_by_network",
        "reason": reason,
        "risk_level": "normal",
        "seller_message": "Payment complete." if reason is None else "The bank refused it.",
        "type": "authorized" if reason is None else "issuer_declined",
    }


def _advice(reason: str) -> str:
    return "do_not_try_again" if reason in _HARD else "try_again_later"


def _details(method: Json, intent: Json, *, three_d_secure: bool) -> Json:
    if method["type"] != "card":
        names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4")
        bank = method["us_bank_account"]
        return {
            "type": method["type"],
            method["type"]: {
                **{name: bank[name] for name in names},
                "payment_reference": None,
                "routing_number": bank["routing_number"],
            },
        }
    fields = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    card = method["card"]
    details: dict[str, Any] = {
        **{name: card[name] for name in fields},
        "amount_authorized": intent["amount"],
        "checks": {**card["checks"], "cvc_check": "pass"},
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": _secured() if three_d_secure else None,
        "wallet": None,
    }
    return {"type": "card", "card": details}


def _secured() -> Json:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }


def succeed(state: State, account: str, charge: Json) -> None:
    """The money is taken. After: the balance transaction, and on a connected account the platform's
    application fee, exist."""
    amount, currency = charge["amount"], charge["currency"]
    charge.update(status="succeeded", paid=True, captured=True, amount_captured=amount)
    parts = [balances.fee_part(balances.stripe_fee(state, amount), currency, "stripe_fee", None)]
    fee_amount = charge["application_fee_amount"]
    if fee_amount:
        client_id = state.settings.client_id
        charge["application_fee"] = fees.take(state, account, charge)["id"]
        parts.insert(0, balances.fee_part(fee_amount, currency, "application_fee", client_id))
    kind = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    charge["balance_transaction"] = balances.book(
        state, account, kind, amount_minor=amount, currency=currency, source=charge["id"],
        fees=parts,
    )  # fmt: skip
    state.save(account, charge)
    emit(state, account, "charge.succeeded", charge)


def fail(state: State, account: str, charge: Json, decline: Decline) -> None:
    """The issuer refused. After: charge.failed was emitted."""
    charge.update(
        status="failed",
        failure_code=decline.code,
        failure_message=decline.message,
        outcome=_outcome(decline),
    )
    state.save(account, charge)
    emit(state, account, "charge.failed", charge)


def _retrieve(call: Call) -> Json:
    return call.state.load(call.account, _KIND, call.ids["id"])


def _update(call: Call) -> Json:
    charge = _retrieve(call)
    for name in ("description", "receipt_email"):
        if name in call.params:
            charge[name] = call.params[name]
    charge["metadata"] = merge_metadata(charge["metadata"], call.params)
    call.state.save(call.account, charge)
    emit(call.state, call.account, "charge.updated", charge)
    return charge


def _listing(call: Call) -> Json:
    return page(call, _KIND, equal=("customer", "payment_intent"))


def _refunds(call: Call) -> Json:
    charge = _retrieve(call)
    return page(
        call,
        "refund",
        keep=lambda row: row["charge"] == charge["id"],
        url=f"/v1/charges/{charge['id']}/refunds",
    )


OPERATIONS: Final = (
    Operation(
        "GET", "/v1/charges", _listing, {**CREATED, "customer": "str", "payment_intent": "str"}
    ),
    Operation("GET", "/v1/charges/{id}", _retrieve, {"expand": "list"}),
    Operation(
        "POST",
        "/v1/charges/{id}",
        _update,
        {"description": "str", "receipt_email": "str", "metadata": "meta", "expand": "list"},
    ),
    Operation("GET", "/v1/charges/{id}/refunds", _refunds, LIST),
)
