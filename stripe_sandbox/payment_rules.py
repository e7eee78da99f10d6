"""What must hold before a payment is made, changed or confirmed.

Source: Stripe API reference, "Create a PaymentIntent"; Stripe, "Direct charges".
"""

from __future__ import annotations

from stripe_sandbox import accounts
from stripe_sandbox.calls import Call
from stripe_sandbox.errors import ApiError, invalid
from stripe_sandbox.storage import PLATFORM


def check_confirm_options(call: Call) -> None:
    """Raise ApiError for what only a confirmation may say."""
    for name in ("off_session", "return_url", "error_on_requires_action"):
        if call.get(name) is not None and not call.get("confirm"):
            raise invalid(name, f"`{name}` can only be used when `confirm` is set to true.")


def check_fee(call: Call, amount_minor: int) -> None:
    """Raise ApiError for an application fee that the platform cannot take of this amount."""
    fee = call.get("application_fee_amount")
    if fee is None:
        return
    name = "application_fee_amount"
    if call.account == PLATFORM:
        message = (
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a "
            "direct payment (using an OAuth key or Stripe-Account header)."
        )
        raise invalid(name, message)
    if fee < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(name, message, code="parameter_invalid_integer")
    if fee > amount_minor:
        message = (
            f"Your application fee ({fee}) cannot be greater than the amount ({amount_minor})."
        )
        raise invalid(name, message)


def check_seller(call: Call) -> None:
    """Raise ApiError when the account is disconnected or may not charge."""
    if call.account == PLATFORM:
        return
    seller = accounts.connected(call.state, call.account)
    if not seller["charges_enabled"]:
        raise ApiError(400, "Your account cannot currently make charges.")
