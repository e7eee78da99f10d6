"""PaymentIntents of one account. Source: Stripe API reference, "PaymentIntents"."""

from __future__ import annotations

from typing import Any, Final

from stripe_sandbox import intents, payment_methods, payment_rules, payments
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.currencies import check_amount
from stripe_sandbox.errors import ApiError, Json, invalid
from stripe_sandbox.events import emit
from stripe_sandbox.forms import Shape, merge_metadata
from stripe_sandbox.lists import CREATED, page
from stripe_sandbox.state import State, copy, public
from stripe_sandbox.storage import PLATFORM

_KIND: Final = "payment_intent"
_TRUE: Final = frozenset({"true", "one_off", "recurring"})
_PLAIN: Final = (
    "description", "receipt_email", "setup_future_usage", "shipping", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip


def create(call: Call) -> Json:
    """A new intent, confirmed at once when asked. Raises ApiError; a decline keeps the intent."""
    state, amount = call.state, call.params["amount"]
    currency = call.params["currency"].lower()
    payment_rules.check_confirm_options(call)
    check_amount(amount, currency)
    payment_rules.check_fee(call, amount)
    payment_rules.check_seller(call)
    intents.check_customer(call)
    method = intents.given_method(call)
    intent_id = state.new_id("pi")
    record = _blank(state, intent_id)
    record.update(
        amount=amount,
        currency=currency,
        customer=call.get("customer"),
        application_fee_amount=call.get("application_fee_amount"),
        automatic_payment_methods=intents.automatic(call),
        application=state.settings.client_id if call.account != PLATFORM else None,
        metadata=merge_metadata({}, call.params),
        capture_method=call.get("capture_method", "automatic_async"),
        payment_method_types=intents.types(call, ["card", "us_bank_account"]),
    )
    _change(call, record, method)
    emit(state, call.account, "payment_intent.created", record)
    return _confirm(call, record) if call.get("confirm") else record


def _blank(state: State, intent_id: str) -> Json:
    names = (
        "amount_details", "canceled_at", "cancellation_reason", "customer_account", "description",
        "excluded_payment_method_types", "last_payment_error", "latest_charge", "next_action",
        "on_behalf_of", "payment_method", "payment_method_configuration_details", "processing",
        "receipt_email", "review", "setup_future_usage", "shipping", "statement_descriptor",
        "statement_descriptor_suffix", "transfer_data", "transfer_group",
    )  # fmt: skip
    return {
        "id": intent_id,
        "object": _KIND,
        **dict.fromkeys(names),
        "amount_details": {"tip": {}},
        "amount_capturable": 0,
        "amount_received": 0,
        "client_secret": f"{intent_id}_secret_{state.token()}",
        "confirmation_method": "automatic",
        "created": state.now(),
        "livemode": False,
        "payment_method_options": {},
        "status": "requires_payment_method",
        "_return_url": None,
    }


def _change(call: Call, record: Json, method: Json | None) -> None:
    for name in _PLAIN:
        if name in call.params:
            record[name] = call.params[name]
    if method is not None:
        payment_methods.check_usable(method, record["customer"])
        record["payment_method"] = method["id"]
        if record["status"] in intents.OPEN:
            record.update(status="requires_confirmation", next_action=None)
    call.state.save(call.account, record)


def update(call: Call) -> Json:
    """Change an intent that is not on its way; description and metadata at any time."""
    record = retrieve(call)
    frozen = set(call.params) - {"description", "metadata", "expand", "receipt_email"}
    if frozen and record["status"] not in intents.OPEN:
        raise _too_late(record, "updated")
    intents.check_customer(call)
    amount, currency = call.get("amount", record["amount"]), call.get("currency")
    currency = (currency or record["currency"]).lower()
    check_amount(amount, currency)
    payment_rules.check_fee(call, amount)
    method = intents.given_method(call)
    record.update(amount=amount, currency=currency)
    record["customer"] = call.get("customer", record["customer"])
    if "application_fee_amount" in call.params:
        record["application_fee_amount"] = call.params["application_fee_amount"]
    record["metadata"] = merge_metadata(record["metadata"], call.params)
    _change(call, record, method)
    return record


def confirm(call: Call) -> Json:
    """Pay with the given or the held method. Raises ApiError: 402 when that fails."""
    record = retrieve(call)
    if record["status"] not in intents.OPEN:
        raise _too_late(record, "confirmed")
    payment_rules.check_seller(call)
    method = intents.given_method(call)
    _change(call, record, method)
    return _confirm(call, record)


def _confirm(call: Call, record: Json) -> Json:
    if record["payment_method"] is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. Update "
            "the PaymentIntent with a payment method and then confirm it again."
        )
        raise intents.unexpected(record, message)
    record["_return_url"] = call.get("return_url")
    automatic = record["automatic_payment_methods"] or {"enabled": False}
    redirects = automatic["enabled"] and automatic["allow_redirects"] == "always"
    if redirects and not record["_return_url"] and not call.publishable:
        message = (
            "This PaymentIntent is configured to accept payment methods that might redirect your "
            "customer: you must provide a `return_url`, or set `automatic_payment_methods"
            "[allow_redirects]` to `never`."
        )
        raise ApiError(400, message, payment_intent=copy(public(record)))
    method = call.state.load(call.account, "payment_method", record["payment_method"])
    if method["type"] not in record["payment_method_types"]:
        message = f"The payment method type {method['type']} is not allowed here."
        raise invalid("payment_method", message)
    payments.attempt(
        call.state,
        call.account,
        record,
        method,
        off_session=call.get("off_session") in _TRUE,
        no_action=call.get("error_on_requires_action", False),
    )
    return record


def cancel(call: Call) -> Json:
    """End an open intent. Raises ApiError payment_intent_unexpected_state when it is too late."""
    record = retrieve(call)
    if record["status"] not in intents.OPEN:
        raise _too_late(record, "canceled")
    record.update(
        status="canceled",
        canceled_at=call.state.now(),
        cancellation_reason=call.get("cancellation_reason"),
        next_action=None,
    )
    call.state.save(call.account, record)
    emit(call.state, call.account, "payment_intent.canceled", record)
    return record


def retrieve(call: Call) -> Json:
    """An intent; with a publishable key only by its client secret."""
    return intents.held(call, _KIND)


def _too_late(record: Json, verb: str) -> ApiError:
    status = record["status"]
    return intents.unexpected(
        record, f"This PaymentIntent could not be {verb} because it has a status of {status}."
    )


def _listing(call: Call) -> Json:
    return page(call, _KIND, equal=("customer",))


_CHANGE: Final[dict[str, Shape]] = {
    "customer": "str",
    "description": "str",
    "metadata": "meta",
    "payment_method": "str",
    "payment_method_data": payment_methods.DATA,
    "receipt_email": "str",
    "setup_future_usage": "off_session|on_session",
    "shipping": "any",
    "statement_descriptor": "str",
    "statement_descriptor_suffix": "str",
    "transfer_group": "str",
    "expand": "list",
}
_CONFIRM: Final[dict[str, Shape]] = {
    "error_on_requires_action": "bool",
    "mandate_data": "any",
    "off_session": "true|false|one_off|recurring",
    "payment_method_options": "any",
    "return_url": "str",
    "use_stripe_sdk": "bool",
}
_TYPES: Final[dict[str, Any]] = {
    "payment_method_types": "list",
    "allowed_payment_method_types": "list",
}
_PATH: Final = "/v1/payment_intents"
OPERATIONS: Final = (
    Operation(
        "POST",
        _PATH,
        create,
        {
            **_CHANGE,
            **_CONFIRM,
            **_TYPES,
            "amount": "int!",
            "currency": "str!",
            "application_fee_amount": "int",
            "automatic_payment_methods": {"enabled": "bool!", "allow_redirects": "always|never"},
            "capture_method": "automatic|automatic_async",
            "confirm": "bool",
        },
    ),
    Operation("GET", _PATH, _listing, {**CREATED, "customer": "str"}),
    Operation(
        "GET",
        _PATH + "/{id}",
        retrieve,
        {"client_secret": "str", "expand": "list"},
        publishable=True,
    ),
    Operation(
        "POST",
        _PATH + "/{id}",
        update,
        {**_CHANGE, "amount": "int", "currency": "str", "application_fee_amount": "int"},
    ),
    Operation(
        "POST",
        _PATH + "/{id}/confirm",
        confirm,
        {
            **_CONFIRM,
            "payment_method": "str",
            "payment_method_data": payment_methods.DATA,
            "receipt_email": "str",
            "setup_future_usage": "off_session|on_session",
            "shipping": "any",
            "client_secret": "str",
            "expand": "list",
        },
        publishable=True,
    ),
    Operation(
        "POST",
        _PATH + "/{id}/cancel",
        cancel,
        {
            "cancellation_reason": "abandoned|duplicate|fraudulent|requested_by_customer",
            "expand": "list",
        },
    ),
)
