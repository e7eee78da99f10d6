"""Application fees: the platform's share of a direct charge, and what goes back of it.

Source: Stripe API reference, "Application Fees"; Stripe, "Direct charges: collect fees".
"""

from __future__ import annotations

from typing import Final

from stripe_sandbox import balances
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import Json, invalid, missing
from stripe_sandbox.events import emit
from stripe_sandbox.forms import merge_metadata
from stripe_sandbox.lists import CREATED, LIST, page
from stripe_sandbox.state import State, half_up, public
from stripe_sandbox.storage import PLATFORM

_KIND: Final = "application_fee"


def take(state: State, account: str, charge: Json) -> Json:
    """The fee of a charge that succeeds. It lives on the platform; application_fee.created too."""
    fee_id = state.new_id("fee")
    record: Json = {
        "id": fee_id,
        "object": _KIND,
        "account": account,
        "amount": charge["application_fee_amount"],
        "amount_refunded": 0,
        "application": state.settings.client_id,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": state.now(),
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": None,
        "refunded": False,
        "refunds": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/application_fees/{fee_id}/refunds",
        },
    }
    record["balance_transaction"] = balances.book(
        state, PLATFORM, _KIND, amount_minor=record["amount"], currency=record["currency"],
        source=fee_id,
    )  # fmt: skip
    state.save(PLATFORM, record)
    emit(state, PLATFORM, "application_fee.created", record)
    return record


def proportional(state: State, charge: Json) -> int:
    """What must still go back of a charge's fee so that the fee refunded fits the amount refunded.

    Cumulative rounding, so that parts always add up to the whole. charge: with its
    `amount_refunded` already including the refund at hand.
    """
    if charge["application_fee"] is None:
        return 0
    record = state.load(PLATFORM, _KIND, charge["application_fee"])
    due = half_up(record["amount"] * charge["amount_refunded"], charge["amount"])
    return max(0, due - int(record["amount_refunded"]))


def give_back(
    state: State, fee_id: str, amount_minor: int, metadata: dict[str, str] | None = None
) -> Json:
    """Refund a part of a fee. Raises ApiError when that is more than is left of it."""
    record = state.load(PLATFORM, _KIND, fee_id)
    left = record["amount"] - record["amount_refunded"]
    if not 1 <= amount_minor <= left:
        message = f"Refund amount ({amount_minor}) must be between 1 and what is left ({left})."
        raise invalid("amount", message)
    refund: Json = {
        "id": state.new_id("fr"),
        "object": "fee_refund",
        "amount": amount_minor,
        "balance_transaction": None,
        "created": state.now(),
        "currency": record["currency"],
        "fee": fee_id,
        "metadata": metadata or {},
    }
    refund["balance_transaction"] = balances.book(
        state, PLATFORM, "application_fee_refund", amount_minor=-amount_minor,
        currency=record["currency"], source=refund["id"],
    )  # fmt: skip
    state.save(PLATFORM, refund)
    record["amount_refunded"] += amount_minor
    record["refunded"] = record["amount_refunded"] == record["amount"]
    record["refunds"]["data"].insert(0, public(refund))
    state.save(PLATFORM, record)
    emit(state, PLATFORM, "application_fee.refunded", record)
    return refund


def _retrieve(call: Call) -> Json:
    return call.state.load(call.account, _KIND, call.ids["id"])


def _listing(call: Call) -> Json:
    return page(call, _KIND, equal=("charge",))


def _refund(call: Call) -> Json:
    record = _retrieve(call)
    left = record["amount"] - record["amount_refunded"]
    refund = give_back(
        call.state, record["id"], call.get("amount", left), merge_metadata({}, call.params)
    )
    balances.book(
        call.state, record["account"], "application_fee_refund", amount_minor=refund["amount"],
        currency=record["currency"], source=refund["id"],
    )  # fmt: skip
    return refund


def _refunds(call: Call) -> Json:
    record = _retrieve(call)
    return page(
        call,
        "fee_refund",
        keep=lambda row: row["fee"] == record["id"],
        url=record["refunds"]["url"],
    )


def _one_refund(call: Call) -> Json:
    refund = call.state.load(call.account, "fee_refund", call.ids["refund"])
    if refund["fee"] != call.ids["id"]:
        raise missing("fee_refund", refund["id"])
    return refund


_PATH: Final = "/v1/application_fees"
OPERATIONS: Final = (
    Operation("GET", _PATH, _listing, {**CREATED, "charge": "str"}),
    Operation("GET", _PATH + "/{id}", _retrieve, {"expand": "list"}),
    Operation("GET", _PATH + "/{id}/refunds", _refunds, LIST),
    Operation(
        "POST",
        _PATH + "/{id}/refunds",
        _refund,
        {"amount": "int", "metadata": "meta", "expand": "list"},
    ),
    Operation("GET", _PATH + "/{id}/refunds/{refund}", _one_refund, {"expand": "list"}),
)
