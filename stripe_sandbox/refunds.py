"""Refunds, whole and in parts. Source: Stripe API reference, "Refunds"; "Refund and cancel"."""

from __future__ import annotations

from typing import Final

from stripe_sandbox import balances, fees, payment_methods
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import ApiError, Json, invalid, missing, required
from stripe_sandbox.events import emit
from stripe_sandbox.forms import merge_metadata
from stripe_sandbox.lists import CREATED, page
from stripe_sandbox.state import State
from stripe_sandbox.timers import later

_KIND: Final = "refund"


def create(call: Call) -> Json:
    """Refund a charge. Raises ApiError when it is not paid, disputed, or less is left of it."""
    charge = _charge(call)
    return make(
        call.state,
        call.account,
        charge,
        amount_minor=call.get("amount"),
        with_fee=call.get("refund_application_fee", False),
        reason=call.get("reason"),
        metadata=merge_metadata({}, call.params),
    )


def _charge(call: Call) -> Json:
    if bool(call.get("charge")) == bool(call.get("payment_intent")):
        raise required("charge")
    if call.get("charge"):
        return call.state.refer(call.account, "charge", call.params["charge"], "charge")
    name = call.params["payment_intent"]
    intent = call.state.refer(call.account, "payment_intent", name, "payment_intent")
    if intent["latest_charge"] is None:
        message = f"This PaymentIntent ({name}) does not have a successful charge to refund."
        raise invalid("payment_intent", message)
    return call.state.load(call.account, "charge", intent["latest_charge"])


def make(
    state: State,
    account: str,
    charge: Json,
    *,
    amount_minor: int | None = None,
    with_fee: bool = False,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Json:
    """Refund `amount_minor` of a charge, all that is left when None. with_fee: the application fee
    goes back in proportion. After: charge.refunded and refund.created were emitted."""
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if amount_minor is None else amount_minor
    _check(charge, amount, left)
    fate = _fate(state, account, charge)
    refund = state.save(account, _record(state, charge, amount))
    refund.update(reason=reason, metadata=metadata or {})
    refund["status"] = "pending" if fate == "pending" else "succeeded"
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    state.save(account, charge)
    returned = fees.proportional(state, charge) if with_fee else 0
    if returned:
        fees.give_back(state, charge["application_fee"], returned)
    refund["_fee"] = returned
    refund["balance_transaction"] = _book(state, account, charge, refund)
    state.save(account, refund)
    emit(state, account, "refund.created", refund)
    emit(state, account, "charge.refunded", charge)
    if fate is not None:
        later(state, "fail_refund" if fate == "fails" else "finish_refund", refund["id"])
    return refund


def _check(charge: Json, amount: int, left: int) -> None:
    if charge["status"] != "succeeded":
        raise invalid("charge", f"Charge {charge['id']} has not succeeded and cannot be refunded.")
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise ApiError(400, message, code="charge_already_refunded")
    if charge.get("_chargeback"):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise ApiError(400, message, code="charge_disputed")
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid("amount", message, code="parameter_invalid_integer")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise invalid("amount", message)


def _fate(state: State, account: str, charge: Json) -> str | None:
    method = state.load(account, "payment_method", charge["payment_method"])
    return payment_methods.behaviour(method).refund


def _record(state: State, charge: Json, amount: int) -> Json:
    card = charge["payment_method_details"]["type"] == "card"
    details = {"card": {"type": "refund"}, "type": "card"} if card else {"type": "us_bank_transfer"}
    return {
        "id": state.new_id("re"),
        "object": _KIND,
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": state.now(),
        "currency": charge["currency"],
        "destination_details": details,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _book(state: State, account: str, charge: Json, refund: Json) -> str:
    returned = refund["_fee"]
    parts = []
    if returned:
        client_id = state.settings.client_id
        parts = [balances.fee_part(-returned, charge["currency"], "application_fee", client_id)]
    card = charge["payment_method_details"]["type"] == "card"
    return balances.book(
        state, account, _KIND if card else "payment_refund", amount_minor=-refund["amount"],
        currency=charge["currency"], source=refund["id"], fees=parts,
    )  # fmt: skip


def finish(state: State, account: str, refund: Json) -> None:
    """A pending refund arrives. Raises ApiError when it is not pending."""
    if refund["status"] != "pending":
        raise ApiError(400, f"The refund is {refund['status']}, not pending.")
    refund["status"] = "succeeded"
    state.save(account, refund)
    emit(state, account, "refund.updated", refund, previous={"status": "pending"})


def fail(state: State, account: str, refund: Json) -> None:
    """The bank sends the money back. After: the amount is on the account again and can be refunded
    once more; refund.failed was emitted. The application fee that went back stays back."""
    if refund["status"] == "failed":
        raise ApiError(400, "The refund has already failed.")
    before = {"status": refund["status"]}
    charge = state.load(account, "charge", refund["charge"])
    refund.update(status="failed", failure_reason="expired_or_canceled_card")
    refund["failure_balance_transaction"] = balances.book(
        state, account, "refund_failure", amount_minor=refund["amount"],
        currency=refund["currency"], source=refund["id"],
    )  # fmt: skip
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    state.save(account, charge)
    state.save(account, refund)
    emit(state, account, "refund.updated", refund, previous=before)
    emit(state, account, "refund.failed", refund)


def _retrieve(call: Call) -> Json:
    return call.state.load(call.account, _KIND, call.ids["id"])


def _update(call: Call) -> Json:
    refund = _retrieve(call)
    refund["metadata"] = merge_metadata(refund["metadata"], call.params)
    call.state.save(call.account, refund)
    emit(call.state, call.account, "refund.updated", refund)
    return refund


def _listing(call: Call) -> Json:
    name = call.get("charge")
    if name and call.state.store.get(call.account, "charge", name) is None:
        raise missing("charge", name, param="charge", status=400)
    return page(call, _KIND, equal=("charge", "payment_intent"))


_PATH: Final = "/v1/refunds"
OPERATIONS: Final = (
    Operation(
        "POST",
        _PATH,
        create,
        {
            "amount": "int",
            "charge": "str",
            "payment_intent": "str",
            "reason": "duplicate|fraudulent|requested_by_customer",
            "refund_application_fee": "bool",
            "metadata": "meta",
            "expand": "list",
        },
    ),
    Operation("GET", _PATH, _listing, {**CREATED, "charge": "str", "payment_intent": "str"}),
    Operation("GET", _PATH + "/{id}", _retrieve, {"expand": "list"}),
    Operation("POST", _PATH + "/{id}", _update, {"metadata": "meta", "expand": "list"}),
)
