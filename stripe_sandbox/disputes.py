"""Disputes: inquiries and chargebacks. Source: Stripe API reference, "Disputes"; "How disputes
work"; "Test disputes" for the evidence that wins or loses."""

from __future__ import annotations

from typing import Final

from stripe_sandbox import balances
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.events import emit
from stripe_sandbox.forms import Shape, merge_metadata
from stripe_sandbox.lists import CREATED, page
from stripe_sandbox.state import State

_KIND: Final = "dispute"
_DAYS_TO_ANSWER: Final = 7
_OUTCOMES: Final = frozenset({"won", "lost", "warning_closed"})
_EVIDENCE: Final = (
    "access_activity_log", "billing_address", "cancellation_policy",
    "cancellation_policy_disclosure", "cancellation_rebuttal", "customer_communication",
    "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
    "duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id",
    "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address",
    "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number",
    "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def open_dispute(state: State, account: str, charge: Json, *, reason: str = "fraudulent") -> Json:
    """The card-holder's bank objects. reason: Stripe's, or "inquiry" for one that takes no money.

    After: a chargeback has withdrawn the charge's amount and a dispute fee. Raises ApiError for a
    charge that did not succeed or is disputed already.
    """
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise ApiError(400, f"Charge {charge['id']} cannot be disputed.")
    inquiry = reason == "inquiry"
    record = state.save(account, _record(state, charge, reason, inquiry=inquiry))
    charge.update(disputed=True, _chargeback=not inquiry)
    state.save(account, charge)
    emit(state, account, "charge.dispute.created", record)
    if not inquiry:
        _move(state, account, record, sign=-1)
        emit(state, account, "charge.dispute.funds_withdrawn", record)
    emit(state, account, "charge.updated", charge, previous={"disputed": False})
    return record


def _record(state: State, charge: Json, reason: str, *, inquiry: bool) -> Json:
    card = charge["payment_method_details"].get("card") or {"brand": "visa", "network": "visa"}
    return {
        "id": state.new_id("dp"),
        "object": _KIND,
        "amount": charge["amount"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": state.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": state.now() + _DAYS_TO_ANSWER * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": card["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": card["network"],
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": "general" if inquiry else reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def _move(state: State, account: str, record: Json, *, sign: int) -> None:
    fee = state.settings.dispute_fee_minor if sign < 0 else 0
    parts = [balances.fee_part(fee, record["currency"], "stripe_fee", None)] if fee else []
    transaction = balances.book(
        state, account, "adjustment", amount_minor=sign * record["amount"],
        currency=record["currency"], source=record["id"], fees=parts,
    )  # fmt: skip
    movement = state.load(account, "balance_transaction", transaction)
    record["balance_transactions"].append(dict(movement))
    state.save(account, record)


def escalate(state: State, account: str, record: Json) -> Json:
    """An inquiry becomes a chargeback. Raises ApiError when it is none or has ended."""
    if record["status"] not in ("warning_needs_response", "warning_under_review"):
        raise ApiError(400, f"The dispute is {record['status']}, not an open inquiry.")
    before = {"status": record["status"], "is_charge_refundable": True}
    charge = state.load(account, "charge", record["charge"])
    charge["_chargeback"] = True
    state.save(account, charge)
    record.update(
        status="needs_response",
        is_charge_refundable=False,
        amount=charge["amount"] - charge["amount_refunded"],
    )
    record["payment_method_details"]["card"]["case_type"] = "chargeback"
    _move(state, account, record, sign=-1)
    emit(state, account, "charge.dispute.updated", record, previous=before)
    emit(state, account, "charge.dispute.funds_withdrawn", record)
    return record


def end(state: State, account: str, record: Json, *, outcome: str) -> Json:
    """Close a dispute as won, lost or, for an inquiry, warning_closed. After: won money is back.
    Raises ApiError when it has ended already or that outcome does not fit."""
    inquiry = record["status"].startswith("warning")
    if record["status"] in _OUTCOMES or inquiry != (outcome == "warning_closed"):
        raise ApiError(400, f"This dispute is {record['status']} and cannot become {outcome}.")
    record["status"] = outcome
    charge = state.load(account, "charge", record["charge"])
    # A lost charge stays "disputed", so that it can never be refunded on top.
    charge["_chargeback"] = outcome == "lost"
    state.save(account, charge)
    state.save(account, record)
    emit(state, account, "charge.dispute.closed", record)
    if outcome == "won":
        _move(state, account, record, sign=1)
        emit(state, account, "charge.dispute.funds_reinstated", record)
    return record


def _update(call: Call) -> Json:
    record = _retrieve(call)
    if record["status"] in _OUTCOMES:
        raise ApiError(400, "This dispute is already closed.")
    evidence = call.get("evidence", {})
    record["evidence"].update(evidence)
    record["metadata"] = merge_metadata(record["metadata"], call.params)
    details = record["evidence_details"]
    details["has_evidence"] = details["has_evidence"] or bool(evidence)
    call.state.save(call.account, record)
    if evidence and call.get("submit", True):
        _submit(call, record)
    emit(call.state, call.account, "charge.dispute.updated", record)
    verdict = {"winning_evidence": "won", "losing_evidence": "lost"}
    outcome = verdict.get(record["evidence"]["uncategorized_text"] or "")
    if outcome and record["status"] == "under_review":
        end(call.state, call.account, record, outcome=outcome)
    return record


def _submit(call: Call, record: Json) -> None:
    inquiry = record["status"].startswith("warning")
    record["status"] = "warning_under_review" if inquiry else "under_review"
    record["evidence_details"]["submission_count"] += 1
    call.state.save(call.account, record)


def _close(call: Call) -> Json:
    record = _retrieve(call)
    inquiry = record["status"].startswith("warning")
    outcome = "warning_closed" if inquiry else "lost"
    return end(call.state, call.account, record, outcome=outcome)


def _retrieve(call: Call) -> Json:
    return call.state.load(call.account, _KIND, call.ids["id"])


def _listing(call: Call) -> Json:
    return page(call, _KIND, equal=("charge", "payment_intent"))


_PATH: Final = "/v1/disputes"
_EVIDENCE_TABLE: Final[dict[str, Shape]] = dict.fromkeys(_EVIDENCE, "str")
OPERATIONS: Final = (
    Operation("GET", _PATH, _listing, {**CREATED, "charge": "str", "payment_intent": "str"}),
    Operation("GET", _PATH + "/{id}", _retrieve, {"expand": "list"}),
    Operation(
        "POST",
        _PATH + "/{id}",
        _update,
        {"evidence": _EVIDENCE_TABLE, "submit": "bool", "metadata": "meta", "expand": "list"},
    ),
    Operation("POST", _PATH + "/{id}/close", _close, {"expand": "list"}),
)
