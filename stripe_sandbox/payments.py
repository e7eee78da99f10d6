"""What happens when an intent is confirmed: authentication, the charge, its success or failure.

Source: Stripe, "How PaymentIntents work", "Test card numbers", "Save a card and charge it later".
"""

from __future__ import annotations

from stripe_sandbox import charges, disputes, payment_methods
from stripe_sandbox.cards import AUTHENTICATION_REQUIRED, Decline, TestMethod
from stripe_sandbox.declines import card_error, refused
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.events import emit
from stripe_sandbox.state import State, copy, public
from stripe_sandbox.timers import later


def must_authenticate(source: TestMethod, method: Json, *, off_session: bool) -> bool:
    """Whether the issuer insists on 3-D Secure for this payment."""
    if source.authentication == "until_set_up":
        return not method["_authenticated"]
    if source.authentication == "on_session":
        return not off_session
    return source.authentication == "always"


def attempt(
    state: State,
    account: str,
    intent: Json,
    method: Json,
    *,
    off_session: bool = False,
    no_action: bool = False,
    authenticated: bool = False,
) -> None:
    """Try to pay. After: the intent is succeeded, processing or requires_action; or it is back at
    requires_payment_method and ApiError 402 says why.

    no_action: fail instead of asking for 3-D Secure (`error_on_requires_action`).
    """
    source = payment_methods.behaviour(method)
    intent.update(payment_method=method["id"], next_action=None, last_payment_error=None)
    if not authenticated and must_authenticate(source, method, off_session=off_session):
        if off_session:
            _refuse(state, account, intent, method, AUTHENTICATION_REQUIRED)
        elif no_action:
            _refuse_action(state, account, intent, method)
        else:
            ask(state, account, intent)
        return
    if source.debit:
        _debit(state, account, intent, method)
    elif source.decline:
        _refuse(state, account, intent, method, source.decline)
    else:
        charge = charges.begin(state, account, intent, method, three_d_secure=authenticated)
        succeed(state, account, intent, charge, method)


def ask(state: State, account: str, intent: Json) -> None:
    """Ask the person for 3-D Secure. After: requires_action with the page in `next_action`."""
    page = f"{state.base_url}/3ds/{intent['id']}"
    if intent.get("_return_url"):
        back = {"url": page, "return_url": intent["_return_url"]}
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": back}
    else:
        sdk = {"type": "three_d_secure_redirect", "stripe_js": page}
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    intent["status"] = "requires_action"
    state.save(account, intent)
    emit(state, account, f"{intent['object']}.requires_action", intent)


def succeed(state: State, account: str, intent: Json, charge: Json, method: Json) -> None:
    """Take the money. After: charge and intent succeeded, the card is saved when that was asked."""
    if intent["setup_future_usage"]:
        method["_authenticated"] = True
        if intent["customer"] and method["customer"] is None:
            payment_methods.bind(state, account, method, intent["customer"])
    method["_spent"] = method["customer"] is None
    state.save(account, method)
    charges.succeed(state, account, charge)
    intent.update(
        status="succeeded",
        latest_charge=charge["id"],
        amount_received=charge["amount"],
        next_action=None,
    )
    state.save(account, intent)
    emit(state, account, "payment_intent.succeeded", intent)
    emit(state, account, "charge.updated", charge, previous={"balance_transaction": None})
    reason = payment_methods.behaviour(method).dispute
    if reason:
        disputes.open_dispute(state, account, charge, reason=reason)


def _debit(state: State, account: str, intent: Json, method: Json) -> None:
    charge = charges.begin(state, account, intent, method, three_d_secure=False)
    intent.update(status="processing", latest_charge=charge["id"])
    state.save(account, intent)
    emit(state, account, "payment_intent.processing", intent)
    emit(state, account, "charge.pending", charge)
    if payment_methods.behaviour(method).debit != "waits":
        later(state, "finish_payment", intent["id"])


def finish(state: State, account: str, intent: Json, *, succeeds: bool) -> None:
    """Decide a payment that is processing. Raises ApiError when it is not."""
    if intent["status"] != "processing":
        raise ApiError(400, f"The payment is {intent['status']}, not processing.")
    charge = state.load(account, "charge", intent["latest_charge"])
    method = state.load(account, "payment_method", intent["payment_method"])
    if succeeds:
        succeed(state, account, intent, charge, method)
        return
    decline = payment_methods.behaviour(method).decline or _BANK_DECLINE
    charges.fail(state, account, charge, decline)
    _back_to_start(state, account, intent, refused(decline, method, charge["id"]))


_BANK_DECLINE = Decline(
    code="payment_intent_payment_attempt_failed",
    decline_code=None,
    message="The payment attempt failed.",
)


def _refuse(state: State, account: str, intent: Json, method: Json, decline: Decline) -> None:
    charge = charges.begin(state, account, intent, method, three_d_secure=False)
    intent["latest_charge"] = charge["id"]
    charges.fail(state, account, charge, decline)
    error = refused(decline, method, charge["id"])
    _back_to_start(state, account, intent, error)
    error.error["payment_intent"] = copy(public(intent))
    raise error


def _refuse_action(state: State, account: str, intent: Json, method: Json) -> None:
    error = card_error(
        "authentication_required",
        "This payment required an authentication action to complete.",
        payment_method=method,
    )
    _back_to_start(state, account, intent, error)
    error.error["payment_intent"] = copy(public(intent))
    raise error


def _back_to_start(state: State, account: str, intent: Json, error: ApiError) -> None:
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_payment_error=copy(error.error),
    )
    state.save(account, intent)
    emit(state, account, "payment_intent.payment_failed", intent)


def answer_3ds(state: State, account: str, intent: Json, *, approved: bool) -> None:
    """The person passed 3-D Secure or not. Raises ApiError when the payment does not wait for it.

    After: paid; or back at requires_payment_method, with the reason in `last_payment_error`. A card
    that declines after 3-D Secure leaves the intent failed too, and nothing is raised.
    """
    if intent["status"] != "requires_action":
        raise ApiError(400, f"The payment is {intent['status']}; nothing to authenticate.")
    method = state.load(account, "payment_method", intent["payment_method"])
    if approved:
        try:
            attempt(state, account, intent, method, authenticated=True)
        except ApiError as error:
            if error.status != 402:
                raise
        return
    message = (
        "The provided PaymentMethod has failed authentication. "
        "You can provide a new PaymentMethod to attempt to fulfill this PaymentIntent again."
    )
    code = "payment_intent_authentication_failure"
    shown = copy(public(method))
    _back_to_start(state, account, intent, ApiError(400, message, code=code, payment_method=shown))
