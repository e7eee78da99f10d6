"""Customers of one account. Source: Stripe API reference, "Customers"."""

from __future__ import annotations

from typing import Final

from stripe_sandbox import payment_methods
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import Json, missing
from stripe_sandbox.events import emit
from stripe_sandbox.forms import Shape, merge_metadata
from stripe_sandbox.lists import CREATED, LIST, page

_KIND: Final = "customer"
_PLAIN: Final = ("name", "email", "description", "phone", "address", "shipping")


def create(call: Call) -> Json:
    """A new customer, with a card attached when one is given."""
    state = call.state
    record: Json = {
        "id": f"cus_{state.token(14)}",
        "object": _KIND,
        "address": None,
        "balance": 0,
        "created": state.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": state.token(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    if call.get("payment_method"):
        method = payment_methods.named(call, call.params["payment_method"])
        payment_methods.attach_to(call, method, record["id"])
    _change(call, record)
    emit(state, call.account, "customer.created", record)
    return record


def update(call: Call) -> Json:
    """Change a customer; metadata is merged."""
    record = _alive(call)
    _change(call, record)
    emit(call.state, call.account, "customer.updated", record)
    return record


def _change(call: Call, record: Json) -> None:
    default = call.get("invoice_settings", {}).get("default_payment_method")
    if default:
        method = call.state.refer(
            call.account, "payment_method", default, "invoice_settings[default_payment_method]"
        )
        payment_methods.check_owner(method, record["id"])
        record["invoice_settings"]["default_payment_method"] = default
    elif "default_payment_method" in (call.get("invoice_settings") or {}):
        record["invoice_settings"]["default_payment_method"] = None
    for name in _PLAIN:
        if name in call.params:
            record[name] = call.params[name]
    record["metadata"] = merge_metadata(record["metadata"], call.params)
    call.state.save(call.account, record)


def _alive(call: Call) -> Json:
    record = call.state.load(call.account, _KIND, call.ids["id"])
    if record.get("deleted"):
        raise missing(_KIND, call.ids["id"])
    return record


def retrieve(call: Call) -> Json:
    """A customer; a deleted one is only its id and `deleted: true`."""
    return call.state.load(call.account, _KIND, call.ids["id"])


def delete(call: Call) -> Json:
    """Delete a customer. After: its cards are detached and cannot be used again."""
    record = _alive(call)
    for method in list(call.state.store.rows(call.account, "payment_method")):
        if method["customer"] == record["id"]:
            payment_methods.detach_from(call.state, call.account, method)
    stub = {"id": record["id"], "object": _KIND, "deleted": True}
    call.state.save(call.account, stub)
    emit(call.state, call.account, "customer.deleted", record)
    return stub


def listing(call: Call) -> Json:
    """The customers that were not deleted."""
    return page(call, _KIND, equal=("email",), keep=lambda row: not row.get("deleted"))


def cards(call: Call) -> Json:
    """The payment methods attached to a customer."""
    record = _alive(call)
    return page(
        call,
        "payment_method",
        equal=("type",),
        keep=lambda row: row["customer"] == record["id"],
        url=f"/v1/customers/{record['id']}/payment_methods",
    )


def card(call: Call) -> Json:
    """One payment method of a customer."""
    method = call.state.load(call.account, "payment_method", call.ids["method"])
    payment_methods.check_owner(method, _alive(call)["id"], status=404)
    return method


_COMMON: Final[dict[str, Shape]] = {
    "name": "str",
    "email": "str",
    "description": "str",
    "phone": "str",
    "address": "any",
    "shipping": "any",
    "invoice_settings": {"default_payment_method": "str"},
    "metadata": "meta",
    "expand": "list",
}
OPERATIONS: Final = (
    Operation("POST", "/v1/customers", create, {**_COMMON, "payment_method": "str"}),
    Operation("GET", "/v1/customers", listing, {**CREATED, "email": "str"}),
    Operation("GET", "/v1/customers/{id}", retrieve, {"expand": "list"}),
    Operation("POST", "/v1/customers/{id}", update, _COMMON),
    Operation("DELETE", "/v1/customers/{id}", delete),
    Operation("GET", "/v1/customers/{id}/payment_methods", cards, {**LIST, "type": "str"}),
    Operation("GET", "/v1/customers/{id}/payment_methods/{method}", card, {"expand": "list"}),
)
