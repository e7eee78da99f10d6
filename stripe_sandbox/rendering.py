"""What leaves: hidden fields removed, ids expanded, fewer fields for a publishable key.

Source: Stripe API reference, "Expanding responses"; "Retrieve a PaymentIntent" for the fields that
a publishable key may read.
"""

from __future__ import annotations

from typing import Any, Final

from stripe_sandbox.calls import Call
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.state import State, public
from stripe_sandbox.storage import PLATFORM

_EXPANDABLE: Final = {
    "account", "application_fee", "balance_transaction", "charge", "customer",
    "default_payment_method", "failure_balance_transaction", "fee", "latest_charge",
    "payment_intent", "payment_method", "source", "balance_transactions",
}  # fmt: skip
_REDACTED: Final = {
    "payment_intent": (
        "id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at",
        "cancellation_reason", "capture_method", "client_secret", "confirmation_method", "created",
        "currency", "description", "last_payment_error", "livemode", "next_action",
        "payment_method", "payment_method_types", "processing", "receipt_email",
        "setup_future_usage", "shipping", "status",
    ),
    "setup_intent": (
        "id", "object", "automatic_payment_methods", "cancellation_reason", "client_secret",
        "created", "description", "last_setup_error", "livemode", "next_action", "payment_method",
        "payment_method_types", "status", "usage",
    ),
}  # fmt: skip


def render(call: Call, answer: Json) -> Json:
    """The JSON of an answer as this caller may see it, with its `expand` done.

    Raises ApiError when something cannot be expanded.
    """
    paths = call.params.get("expand") or []
    if call.publishable:
        names = _REDACTED.get(answer["object"]) or tuple(public(answer))
        return {name: answer[name] for name in names if name in answer}
    shown = _shown(answer)
    for path in paths:
        _expand(call.state, call.account, shown, path.split("."), path)
    return shown


def _shown(answer: Json) -> Json:
    if answer.get("object") == "list":
        return {**answer, "data": [public(row) for row in answer["data"]]}
    return public(answer)


def _expand(state: State, account: str, record: Json, parts: list[str], path: str) -> None:
    name, rest = parts[0], parts[1:]
    if name == "data" and record.get("object") == "list":
        for row in record["data"]:
            _expand(state, account, row, rest, path)
        return
    if name == "refunds" and record.get("object") == "charge":
        record[name] = charge_refunds(state, account, record["id"])
    elif name in record and name in _EXPANDABLE:
        record[name] = _referred(state, account, record, record[name])
    elif not isinstance(record.get(name), dict):
        raise ApiError(400, f"This property cannot be expanded ({path}).", param="expand")
    child = record[name]
    if rest and isinstance(child, dict):
        record[name] = child = dict(child)
        _expand(state, account, child, rest, path)


def _referred(state: State, account: str, record: Json, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # A fee lives on the platform, its charge on the account that the fee names.
    homes = {account, PLATFORM, record.get("account")}
    found = state.store.find(value)
    return public(found[1]) if found and found[0] in homes else value


def charge_refunds(state: State, account: str, charge: str) -> Json:
    """The list object of a charge's refunds, newest first."""
    rows = [row for row in state.store.rows(account, "refund") if row["charge"] == charge]
    return {
        "object": "list",
        "data": [public(row) for row in reversed(rows)],
        "has_more": False,
        "url": f"/v1/charges/{charge}/refunds",
    }
