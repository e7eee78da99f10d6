"""SetupIntents: save a card without paying. Source: Stripe API reference, "SetupIntents"."""

from __future__ import annotations

from typing import Final

from stripe_sandbox import intents, payment_methods, payments
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.declines import refused
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.events import emit
from stripe_sandbox.forms import Shape, merge_metadata
from stripe_sandbox.lists import CREATED, page
from stripe_sandbox.state import State, copy, public
from stripe_sandbox.storage import PLATFORM

_KIND: Final = "setup_intent"


def create(call: Call) -> Json:
    """A new intent, confirmed at once when asked."""
    state = call.state
    intents.check_customer(call)
    method = intents.given_method(call)
    intent_id = state.new_id("seti")
    names = (
        "cancellation_reason", "customer_account", "description", "last_setup_error",
        "latest_attempt", "mandate", "next_action", "on_behalf_of", "payment_method",
        "payment_method_configuration_details", "single_use_mandate", "flow_directions",
        "excluded_payment_method_types",
    )  # fmt: skip
    record: Json = {
        "id": intent_id,
        "object": _KIND,
        **dict.fromkeys(names),
        "application": state.settings.client_id if call.account != PLATFORM else None,
        "automatic_payment_methods": intents.automatic(call),
        "client_secret": f"{intent_id}_secret_{state.token()}",
        "created": state.now(),
        "customer": call.get("customer"),
        "description": call.get("description"),
        "livemode": False,
        "metadata": merge_metadata({}, call.params),
        "payment_method_options": {},
        "payment_method_types": intents.types(call, ["card"]),
        "status": "requires_payment_method",
        "usage": call.get("usage", "off_session"),
        "_return_url": None,
    }
    _hold(call, record, method)
    emit(state, call.account, "setup_intent.created", record)
    return _confirm(call, record) if call.get("confirm") else record


def _hold(call: Call, record: Json, method: Json | None) -> None:
    if method is not None:
        payment_methods.check_usable(method, record["customer"])
        record.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
    call.state.save(call.account, record)


def confirm(call: Call) -> Json:
    """Save the given or held card. Raises ApiError: 402 when the issuer refuses."""
    record = _held(call)
    if record["status"] not in intents.OPEN:
        raise _too_late(record)
    _hold(call, record, intents.given_method(call))
    return _confirm(call, record)


def _confirm(call: Call, record: Json) -> Json:
    state = call.state
    if record["payment_method"] is None:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise intents.unexpected(record, message)
    record["_return_url"] = call.get("return_url")
    method = state.load(call.account, "payment_method", record["payment_method"])
    record["last_setup_error"] = None
    source = payment_methods.behaviour(method)
    if source.decline and not source.attachable:
        error = refused(source.decline, method)
        _back_to_start(state, call.account, record, error)
        error.error["setup_intent"] = copy(public(record))
        raise error
    if source.authentication in ("always", "until_set_up"):
        payments.ask(state, call.account, record)
    else:
        _succeed(state, call.account, record, method)
    return record


def _succeed(state: State, account: str, record: Json, method: Json) -> None:
    method["_authenticated"] = True
    state.save(account, method)
    if record["customer"] and method["customer"] is None:
        payment_methods.bind(state, account, method, record["customer"])
    record.update(status="succeeded", next_action=None)
    state.save(account, record)
    emit(state, account, "setup_intent.succeeded", record)


def _back_to_start(state: State, account: str, record: Json, error: ApiError) -> None:
    record.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_setup_error=copy(error.error),
    )
    state.save(account, record)
    emit(state, account, "setup_intent.setup_failed", record)


def answer_3ds(state: State, account: str, record: Json, *, approved: bool) -> None:
    """The person passed 3-D Secure or not. Raises ApiError when the intent does not wait for it."""
    if record["status"] != "requires_action":
        raise ApiError(400, f"The setup is {record['status']}; nothing to authenticate.")
    method = state.load(account, "payment_method", record["payment_method"])
    if approved:
        _succeed(state, account, record, method)
        return
    message = (
        "The latest attempt to set up the payment method has failed because authentication failed."
    )
    code = "setup_intent_authentication_failure"
    shown = copy(public(method))
    _back_to_start(state, account, record, ApiError(400, message, code=code, payment_method=shown))


def cancel(call: Call) -> Json:
    """End an open intent."""
    record = _held(call)
    if record["status"] not in intents.OPEN:
        raise _too_late(record)
    record.update(
        status="canceled",
        cancellation_reason=call.get("cancellation_reason"),
        next_action=None,
    )
    call.state.save(call.account, record)
    emit(call.state, call.account, "setup_intent.canceled", record)
    return record


def _too_late(record: Json) -> ApiError:
    message = f"This SetupIntent has a status of {record['status']}; that cannot be done now."
    return intents.unexpected(record, message)


def _held(call: Call) -> Json:
    return intents.held(call, _KIND)


def _update(call: Call) -> Json:
    record = _held(call)
    if record["status"] not in intents.OPEN and set(call.params) - {
        "description",
        "metadata",
        "expand",
    }:
        raise _too_late(record)
    if "description" in call.params:
        record["description"] = call.params["description"]
    record["metadata"] = merge_metadata(record["metadata"], call.params)
    _hold(call, record, intents.given_method(call))
    return record


def _listing(call: Call) -> Json:
    return page(call, _KIND, equal=("customer", "payment_method"))


_METHOD: Final[dict[str, Shape]] = {
    "payment_method": "str",
    "payment_method_data": payment_methods.DATA,
    "return_url": "str",
    "use_stripe_sdk": "bool",
    "mandate_data": "any",
    "payment_method_options": "any",
    "expand": "list",
}
_PATH: Final = "/v1/setup_intents"
OPERATIONS: Final = (
    Operation(
        "POST",
        _PATH,
        create,
        {
            **_METHOD,
            "allowed_payment_method_types": "list",
            "payment_method_types": "list",
            "automatic_payment_methods": {"enabled": "bool!", "allow_redirects": "always|never"},
            "confirm": "bool",
            "customer": "str",
            "description": "str",
            "metadata": "meta",
            "usage": "off_session|on_session",
        },
    ),
    Operation("GET", _PATH, _listing, {**CREATED, "customer": "str", "payment_method": "str"}),
    Operation(
        "GET", _PATH + "/{id}", _held, {"client_secret": "str", "expand": "list"}, publishable=True
    ),
    Operation(
        "POST",
        _PATH + "/{id}",
        _update,
        {"payment_method": "str", "description": "str", "metadata": "meta", "expand": "list"},
    ),
    Operation(
        "POST",
        _PATH + "/{id}/confirm",
        confirm,
        {**_METHOD, "client_secret": "str"},
        publishable=True,
    ),
    Operation(
        "POST",
        _PATH + "/{id}/cancel",
        cancel,
        {
            "cancellation_reason": "abandoned|duplicate|requested_by_customer",
            "expand": "list",
        },
    ),
)
