"""Payment methods: made from test tokens or test numbers, attached to customers.

Source: Stripe API reference, "PaymentMethods"; Stripe, "Test card numbers".
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Final

from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.cards import BY_NUMBER, BY_TOKEN, NOT_A_TEST_CARD, TestMethod, passes_luhn
from stripe_sandbox.declines import card_error
from stripe_sandbox.errors import ApiError, Json, invalid, missing, required
from stripe_sandbox.events import emit
from stripe_sandbox.forms import Shape, merge_metadata
from stripe_sandbox.lists import LIST, page
from stripe_sandbox.state import State

_KIND: Final = "payment_method"


def behaviour(method: Json) -> TestMethod:
    """What the test card behind a payment method does."""
    return BY_TOKEN[method["_token"]]


def named(call: Call, name: str, *, param: str = "payment_method") -> Json:
    """The payment method of an id; a test token makes a fresh one. Raises ApiError."""
    if name in BY_TOKEN:
        return _make(call, BY_TOKEN[name], {})
    return call.state.refer(call.account, _KIND, name, param)


def from_data(call: Call, data: Json) -> Json:
    """A fresh payment method from `payment_method_data`, as a payment form sends it.

    Raises ApiError for a number that is no test card: real cards must never come here.
    """
    if data.get("type", "card") != "card" or not data.get("card"):
        raise required("card")
    card: Json = data["card"]
    if card.get("token"):
        token = f"pm_card_{card['token'].removeprefix('tok_')}"
        if token not in BY_TOKEN:
            raise missing("token", card["token"], param="card[token]", status=400)
        return _make(call, BY_TOKEN[token], data)
    return _make(call, _test_card(call, card), data)


def _test_card(call: Call, card: Json) -> TestMethod:
    number = (card.get("number") or "").replace(" ", "").replace("-", "")
    if not call.publishable:
        message = "Sending credit card numbers directly to the Stripe API is generally unsafe."
        raise ApiError(402, message, param="card[number]")
    if not number.isdigit() or not passes_luhn(number):
        raise card_error("incorrect_number", "Your card number is incorrect.", param="number")
    method = BY_NUMBER.get(number)
    if method is None:
        raise card_error(
            NOT_A_TEST_CARD.code,
            NOT_A_TEST_CARD.message,
            decline_code=NOT_A_TEST_CARD.decline_code,
        )
    year, month = card.get("exp_year"), card.get("exp_month")
    if month is not None and not 1 <= month <= 12:
        raise card_error(
            "invalid_expiry_month", "Your card's expiration month is invalid.", param="exp_month"
        )
    if year is not None and (year + 2000 if year < 100 else year) < time.gmtime().tm_year:
        raise card_error(
            "invalid_expiry_year", "Your card's expiration year is invalid.", param="exp_year"
        )
    return method


def _make(call: Call, source: TestMethod, data: Json) -> Json:
    card = data.get("card") or {}
    record: Json = {
        "id": call.state.new_id("pm"),
        "object": _KIND,
        "allow_redisplay": data.get("allow_redisplay") or "unspecified",
        "billing_details": _billing(data.get("billing_details")),
        source.type: _bank(source) if source.debit else _card(source, card),
        "created": call.state.now(),
        "customer": None,
        "livemode": False,
        "metadata": merge_metadata({}, data),
        "type": source.type,
        "_token": source.token,
        "_spent": False,
        "_authenticated": False,
    }
    return call.state.save(call.account, record)


def _billing(given: Any) -> Json:
    given = given if isinstance(given, dict) else {}
    empty = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    address = given.get("address")
    return {
        "address": {**empty, **address} if isinstance(address, dict) else empty,
        **{name: given.get(name) or None for name in ("email", "name", "phone")},
        "tax_id": None,
    }


def _fingerprint(number: str) -> str:
    return hashlib.blake2b(number.encode(), digest_size=8).hexdigest()


def _card(source: TestMethod, card: Json) -> Json:
    year = card.get("exp_year") or time.gmtime().tm_year + 1
    return {
        "brand": source.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked",
        },
        "country": "US",
        "display_brand": source.brand if source.brand != "amex" else "american_express",
        "exp_month": card.get("exp_month") or 12,
        "exp_year": year + 2000 if year < 100 else year,
        "fingerprint": _fingerprint(source.number),
        "funding": "credit",
        "generated_from": None,
        "last4": source.number[-4:],
        "networks": {"available": [source.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _bank(source: TestMethod) -> Json:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": _fingerprint(source.number),
        "last4": source.number[-4:],
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }


def check_owner(method: Json, customer: str, *, status: int = 400) -> None:
    """Raise ApiError unless the method is attached to that customer."""
    if method["customer"] != customer:
        message = (
            f"The customer does not have a payment method with the ID {method['id']}. "
            "The payment method must be attached to the customer."
        )
        raise ApiError(status, message, code="resource_missing", param="payment_method")


def check_usable(method: Json, customer: str | None) -> None:
    """Raise ApiError when a payment for `customer` (None: for nobody) may not use the method."""
    if method["customer"] is not None and method["customer"] != customer:
        message = f"The payment method {method['id']} belongs to another Customer."
        raise invalid("payment_method", message)
    if method["_spent"]:
        message = (
            "The provided PaymentMethod was previously used without being attached to a Customer "
            "or was detached from a Customer, and may not be used again."
        )
        raise invalid("payment_method", message)


def attach_to(call: Call, method: Json, customer: str) -> Json:
    """Attach a method to a customer. Raises ApiError: a declining card with 402, like Stripe."""
    if method["customer"] == customer:
        return method
    check_usable(method, None)
    source = behaviour(method)
    if source.decline and not source.attachable:
        raise card_error(
            source.decline.code,
            source.decline.message,
            decline_code=source.decline.decline_code,
            payment_method=method,
        )
    return bind(call.state, call.account, method, customer)


def bind(state: State, account: str, method: Json, customer: str) -> Json:
    """Make a method the customer's own. After: payment_method.attached was emitted."""
    method["customer"] = customer
    if method["type"] == "card":
        method["card"]["checks"]["cvc_check"] = "pass"
    state.save(account, method)
    emit(state, account, "payment_method.attached", method)
    return method


def detach_from(state: State, account: str, method: Json) -> Json:
    """Take a method from its customer. After: it can never be used or attached again."""
    before = {"customer": method["customer"]}
    customer = state.store.get(account, "customer", method["customer"])
    settings = (customer or {}).get("invoice_settings", {})
    if customer is not None and settings.get("default_payment_method") == method["id"]:
        settings["default_payment_method"] = None
        state.save(account, customer)
    method.update(customer=None, _spent=True)
    state.save(account, method)
    emit(state, account, "payment_method.detached", method, previous=before)
    return method


def _create(call: Call) -> Json:
    return from_data(call, call.params)


def named_in_path(call: Call) -> Json:
    """The method of the path; a test token in the path makes a fresh one, as Stripe does."""
    if call.ids["id"] in BY_TOKEN:
        return named(call, call.ids["id"])
    return call.state.load(call.account, _KIND, call.ids["id"])


def _attach(call: Call) -> Json:
    customer = call.state.refer(call.account, "customer", call.params["customer"], "customer")
    if customer.get("deleted"):
        raise missing("customer", customer["id"], param="customer", status=400)
    return attach_to(call, named_in_path(call), customer["id"])


def _detach(call: Call) -> Json:
    method = call.state.load(call.account, _KIND, call.ids["id"])
    if method["customer"] is None:
        raise invalid("payment_method", "The payment method is not attached to a customer.")
    return detach_from(call.state, call.account, method)


def _update(call: Call) -> Json:
    method = call.state.load(call.account, _KIND, call.ids["id"])
    if method["customer"] is None:
        message = "You must save this PaymentMethod to a customer before you can update it."
        raise invalid("payment_method", message)
    if call.get("billing_details"):
        merged = {**method["billing_details"], **call.params["billing_details"]}
        method["billing_details"] = _billing(merged)
    for name, value in call.get("card", {}).items():
        method["card"][name] = value
    method["allow_redisplay"] = call.get("allow_redisplay", method["allow_redisplay"])
    method["metadata"] = merge_metadata(method["metadata"], call.params)
    call.state.save(call.account, method)
    emit(call.state, call.account, "payment_method.updated", method)
    return method


def _listing(call: Call) -> Json:
    return page(
        call, _KIND, equal=("customer", "type"), keep=lambda row: row["customer"] is not None
    )


_REDISPLAY: Final = "always|limited|unspecified"
DATA: Final[dict[str, Shape]] = {
    "type": "str!",
    "card": {
        "number": "str", "exp_month": "int", "exp_year": "int", "cvc": "str", "token": "str",
    },
    "billing_details": "any",
    "allow_redisplay": _REDISPLAY,
    "metadata": "meta",
}  # fmt: skip
_PATH: Final = "/v1/payment_methods"
OPERATIONS: Final = (
    Operation(
        "POST",
        _PATH,
        _create,
        {**DATA, "expand": "list"},
        publishable=True,
    ),
    Operation("GET", _PATH, _listing, {**LIST, "customer": "str", "type": "str"}),
    Operation("GET", _PATH + "/{id}", named_in_path, {"expand": "list"}),
    Operation(
        "POST",
        _PATH + "/{id}",
        _update,
        {
            "billing_details": "any",
            "card": {"exp_month": "int", "exp_year": "int"},
            "allow_redisplay": _REDISPLAY,
            "metadata": "meta",
            "expand": "list",
        },
    ),
    Operation("POST", _PATH + "/{id}/attach", _attach, {"customer": "str!", "expand": "list"}),
    Operation("POST", _PATH + "/{id}/detach", _detach, {"expand": "list"}),
)
