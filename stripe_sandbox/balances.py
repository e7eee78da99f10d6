"""Balance transactions and the balance: what each movement of money did to an account.

Source: Stripe API reference, "Balance Transactions"; Stripe, "Direct charges" for who pays what.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import Json
from stripe_sandbox.lists import CREATED, page
from stripe_sandbox.state import State, half_up

_KIND: Final = "balance_transaction"
_CATEGORY: Final = {
    "payment": "charge",
    "payment_refund": "refund",
    "adjustment": "dispute",
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
}


def stripe_fee(state: State, amount_minor: int) -> int:
    """What Stripe keeps of a charge, in minor units."""
    settings = state.settings
    return half_up(amount_minor * settings.fee_per_mille, 1000) + settings.fee_fixed_minor


def fee_part(amount_minor: int, currency: str, fee_type: str, application: str | None) -> Json:
    """One entry of `fee_details`."""
    return {
        "amount": amount_minor,
        "application": application,
        "currency": currency,
        "description": "Stripe processing fees" if fee_type == "stripe_fee" else None,
        "type": fee_type,
    }


def book(
    state: State,
    account: str,
    kind: str,
    *,
    amount_minor: int,
    currency: str,
    source: str,
    fees: list[Json] | None = None,
) -> str:
    """Record a movement; negative amounts leave the account. Returns the transaction's id."""
    fee = sum(part["amount"] for part in fees or [])
    record = {
        "id": state.new_id("txn"),
        "object": _KIND,
        "amount": amount_minor,
        "available_on": state.now(),
        "balance_type": "payments",
        "created": state.now(),
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": fees or [],
        "net": amount_minor - fee,
        "reporting_category": _CATEGORY.get(kind, kind),
        "source": source,
        "status": "available",
        "type": kind,
    }
    transaction: str = state.save(account, record)["id"]
    return transaction


def _balance(call: Call) -> Json:
    totals: Counter[str] = Counter()
    for row in call.state.store.rows(call.account, _KIND):
        totals[row["currency"]] += row["net"]
    available = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted((totals or Counter({"usd": 0})).items())
    ]
    pending = [{**row, "amount": 0, "source_types": {"card": 0}} for row in available]
    return {"object": "balance", "available": available, "livemode": False, "pending": pending}


def _retrieve(call: Call) -> Json:
    return call.state.load(call.account, _KIND, call.ids["id"])


def _listing(call: Call) -> Json:
    return page(call, _KIND, equal=("source", "type", "currency"))


OPERATIONS: Final = (
    Operation("GET", "/v1/balance", _balance, {"expand": "list"}),
    Operation(
        "GET",
        "/v1/balance_transactions",
        _listing,
        {**CREATED, "source": "str", "type": "str", "currency": "str"},
    ),
    Operation("GET", "/v1/balance_transactions/{id}", _retrieve, {"expand": "list"}),
)
