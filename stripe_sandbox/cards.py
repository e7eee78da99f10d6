"""Stripe's test cards as data: what a payment, a setup and a refund with each of them does.

Source: Stripe, "Test card numbers". The bank debits at the end are this sandbox's own: Stripe's
delayed methods need a mandate and days; these need neither.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal

Authentication = Literal["never", "always", "until_set_up", "on_session"]


@dataclass(frozen=True, kw_only=True)
class Decline:
    """Why the issuer refuses."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class TestMethod:
    """One test card or test bank account."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    token: str
    number: str
    label: str
    _: KW_ONLY
    brand: str = "visa"
    decline: Decline | None = None
    attachable: bool = True
    authentication: Authentication = "never"
    dispute: str | None = None
    refund: Literal["pending", "fails"] | None = None
    debit: Literal["succeeds", "fails", "waits"] | None = None
    """Set for a bank debit: it is processing first, and this is how it ends."""

    @property
    def type(self) -> str:
        """Stripe's payment method type."""
        return "us_bank_account" if self.debit else "card"


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline(code="card_declined", decline_code=decline_code, message=message)


AUTHENTICATION_REQUIRED: Final = Decline(
    code="authentication_required",
    decline_code="authentication_required",
    message="Your card was declined. This transaction requires authentication.",
)
NOT_A_TEST_CARD: Final = _declined(
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test card.",
)
_NO_FUNDS = _declined("insufficient_funds", "Your card has insufficient funds.")
_EXPIRED = Decline(code="expired_card", decline_code=None, message="Your card has expired.")
_CVC = Decline(
    code="incorrect_cvc", decline_code=None, message="Your card's security code is incorrect."
)
_PROCESSING = Decline(
    code="processing_error",
    decline_code=None,
    message="An error occurred while processing your card. Try again in a little bit.",
)
_BANK_NO_FUNDS = Decline(
    code="payment_intent_payment_attempt_failed",
    decline_code=None,
    message="The customer's account has insufficient funds to cover this payment.",
)


def _refusing(token: str, number: str, label: str, decline: Decline) -> TestMethod:
    return TestMethod(token, number, label, decline=decline, attachable=False)


_T = TestMethod
METHODS: Final[tuple[TestMethod, ...]] = (
    _T("pm_card_visa", "4242424242424242", "succeeds"),
    _T("pm_card_mastercard", "5555555555554444", "succeeds", brand="mastercard"),
    _T("pm_card_amex", "378282246310005", "succeeds", brand="amex"),
    _refusing(
        "pm_card_visa_chargeDeclined", "4000000000000002", "declined", _declined("generic_decline")
    ),
    _refusing(
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "4000000000009995",
        "insufficient funds",
        _NO_FUNDS,
    ),
    _refusing(
        "pm_card_visa_chargeDeclinedLostCard",
        "4000000000009987",
        "lost card",
        _declined("lost_card"),
    ),
    _refusing(
        "pm_card_visa_chargeDeclinedStolenCard",
        "4000000000009979",
        "stolen card",
        _declined("stolen_card"),
    ),
    _refusing("pm_card_chargeDeclinedExpiredCard", "4000000000000069", "expired card", _EXPIRED),
    _refusing("pm_card_chargeDeclinedIncorrectCvc", "4000000000000127", "wrong CVC", _CVC),
    _refusing(
        "pm_card_chargeDeclinedProcessingError", "4000000000000119", "processing error", _PROCESSING
    ),
    _refusing(
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "4000000000006975",
        "too many attempts",
        _declined("card_velocity_exceeded"),
    ),
    _T(
        "pm_card_chargeCustomerFail",
        "4000000000000341",
        "can be saved, then declines",
        decline=_declined("generic_decline"),
    ),
    _T(
        "pm_card_authenticationRequired",
        "4000002760003184",
        "3-D Secure every time",
        authentication="always",
    ),
    _T(
        "pm_card_authenticationRequiredOnSetup",
        "4000002500003155",
        "3-D Secure until set up",
        authentication="until_set_up",
    ),
    _T(
        "pm_card_authenticationRequiredSetupForOffSession",
        "4000003800000446",
        "3-D Secure on-session only",
        authentication="on_session",
    ),
    _T(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        "3-D Secure, then insufficient funds",
        authentication="always",
        decline=_NO_FUNDS,
    ),
    _T(
        "pm_card_threeDSecure2Required",
        "4000000000003220",
        "3-D Secure 2 every time",
        authentication="always",
    ),
    _T(
        "pm_card_createDispute",
        "4000000000000259",
        "succeeds, then disputed as fraud",
        dispute="fraudulent",
    ),
    _T(
        "pm_card_createDisputeProductNotReceived",
        "4000000000002685",
        "succeeds, then disputed as not received",
        dispute="product_not_received",
    ),
    _T(
        "pm_card_createDisputeInquiry",
        "4000000000001976",
        "succeeds, then an inquiry",
        dispute="inquiry",
    ),
    _T("pm_card_refundFail", "4000000000005126", "refunds fail later", refund="fails"),
    _T("pm_card_pendingRefund", "4000000000007726", "refunds wait first", refund="pending"),
    _T(
        "pm_usBankAccount_success",
        "000123456789",
        "bank debit, succeeds later",
        brand="",
        debit="succeeds",
    ),
    _T(
        "pm_usBankAccount_insufficientFunds",
        "000222222227",
        "bank debit, fails later",
        brand="",
        debit="fails",
        decline=_BANK_NO_FUNDS,
    ),
    _T(
        "pm_usBankAccount_processing",
        "000000000009",
        "bank debit, processing until told",
        brand="",
        debit="waits",
    ),
)
BY_TOKEN: Final = {method.token: method for method in METHODS}
BY_NUMBER: Final = {method.number: method for method in METHODS if method.type == "card"}


def passes_luhn(number: str) -> bool:
    """Whether the check digit of a card number fits."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = (digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
