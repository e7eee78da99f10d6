"""What PaymentIntents and SetupIntents have in common."""

from __future__ import annotations

from typing import Final

from stripe_sandbox import payment_methods
from stripe_sandbox.calls import Call
from stripe_sandbox.errors import ApiError, Json, missing, required
from stripe_sandbox.state import copy, public

OPEN: Final = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})


def automatic(call: Call) -> Json | None:
    """The `automatic_payment_methods` of a new intent: on, unless types were named."""
    if call.get("payment_method_types"):
        return None
    given: Json = call.get("automatic_payment_methods") or {"enabled": True}
    redirects = given.get("allow_redirects") or "always"
    return {"enabled": given["enabled"], "allow_redirects": redirects}


def types(call: Call, default: list[str]) -> list[str]:
    """The payment method types that a new intent takes."""
    names = call.get("payment_method_types") or call.get("allowed_payment_method_types")
    return names or default


def given_method(call: Call) -> Json | None:
    """The payment method of the request, made from a token or from form data when needed."""
    if call.get("payment_method_data"):
        return payment_methods.from_data(call, call.params["payment_method_data"])
    name = call.get("payment_method")
    return payment_methods.named(call, name) if name else None


def check_customer(call: Call) -> None:
    """Raise ApiError for a customer that is unknown or deleted."""
    name = call.get("customer")
    if name is None:
        return
    customer = call.state.refer(call.account, "customer", name, "customer")
    if customer.get("deleted"):
        raise missing("customer", name, param="customer", status=400)


def held(call: Call, kind: str) -> Json:
    """The intent of the path. A publishable key sees it only with its client secret."""
    record = call.state.load(call.account, kind, call.ids["id"])
    given = call.get("client_secret")
    if call.publishable and given is None:
        raise required("client_secret")
    if given is not None and given != record["client_secret"]:
        raise missing(kind, record["id"], param="intent")
    return record


def unexpected(record: Json, message: str) -> ApiError:
    """The error of an operation that the intent's status does not allow; it carries the intent."""
    kind = record["object"]
    error = ApiError(400, message, code=f"{kind}_unexpected_state")
    error.error[kind] = copy(public(record))
    return error
