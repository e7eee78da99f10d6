from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from gateway.models import columns


class StripeConnection(Model):
    """An agency's Stripe account, as last read from Stripe. At most one is not DISCONNECTED.

    totals_before: days that ended by then were compared with Stripe's totals. totals_due_at: a
    lease of the worker that compares."""

    id = columns.key()
    agency_id = columns.ref()
    account_id = columns.outside_id(null=True)
    livemode = columns.flag(default=False)
    door = columns.word()
    status = columns.word()
    charges_enabled = columns.flag(default=False)
    card_payments_active = columns.flag(default=False)
    requirements_due = columns.json()
    disabled_reason = columns.text(null=True)
    checked_at = columns.instant(null=True)
    events_read_at = columns.instant(null=True)
    totals_before = columns.instant(null=True)
    totals_due_at = columns.instant(null=True)
    created_at = columns.instant()
    disconnected_at = columns.instant(null=True)

    class Meta:
        table = "stripe_connections"


class StripeOAuthState(Model):
    """The one-time `state` of an OAuth round trip; only its hash is kept."""

    id = columns.key()
    agency_id = columns.ref()
    state_hash = columns.digest()
    actor = columns.text()
    created_at = columns.instant()
    expires_at = columns.instant()
    used_at = columns.instant(null=True)

    class Meta:
        table = "stripe_oauth_states"


class StripeCustomer(Model):
    """A sub-account as a Customer of one Stripe account.

    customer_id is None until Stripe answered."""

    id = columns.key()
    agency_id = columns.ref()
    sub_account_id = columns.ref()
    stripe_account_id = columns.outside_id()
    livemode = columns.flag(default=False)
    customer_id = columns.outside_id(null=True)
    created_at = columns.instant()

    class Meta:
        table = "stripe_customers"


class PaymentMethod(Model):
    """A saved card, as Stripe describes it. Never a card number."""

    id = columns.key()
    agency_id = columns.ref()
    sub_account_id = columns.ref()
    stripe_account_id = columns.outside_id()
    livemode = columns.flag(default=False)
    stripe_payment_method_id = columns.outside_id()
    brand = columns.text()
    last4 = columns.text()
    exp_month = columns.small()
    exp_year = columns.small()
    fingerprint = columns.text(null=True)
    is_default = columns.flag(default=False)
    created_at = columns.instant()
    removed_at = columns.instant(null=True)

    class Meta:
        table = "payment_methods"


class CardSetup(Model):
    """A wish to save a card without buying: one SetupIntent."""

    id = columns.key()
    agency_id = columns.ref()
    sub_account_id = columns.ref()
    stripe_account_id = columns.outside_id()
    livemode = columns.flag(default=False)
    setup_intent_id = columns.outside_id(null=True)
    client_secret = columns.text(null=True)
    status = columns.word()
    last_error_reason = columns.word(null=True)
    make_default = columns.flag(default=False)
    created_at = columns.instant()
    checked_at = columns.instant()
    completed_at = columns.instant(null=True)

    class Meta:
        table = "card_setups"


class StripeEvent(Model):
    """The inbox: every event that Stripe sent, once. Its body is a hint to read again."""

    id = fields.CharField(max_length=255, primary_key=True)
    agency_id = columns.ref(null=True)
    account_id = columns.outside_id(null=True)
    type = columns.text()
    livemode = columns.flag(default=False)
    object_id = columns.outside_id(null=True)
    payload = columns.json()
    status = columns.word(default="RECEIVED")
    tries = columns.count(default=0)
    next_try_at = columns.instant()
    last_error = columns.text(null=True)
    received_at = columns.instant()
    done_at = columns.instant(null=True)

    class Meta:
        table = "stripe_events"
