from __future__ import annotations

from tortoise.models import Model

from gateway.models import columns


class Purchase(Model):
    """One wish to buy credits, with the prices of that moment. See `gateway/purchases/`.

    `revision` rises with every change that came from Stripe, so that an older reading of the
    intent never overwrites a newer one."""

    id = columns.key()
    agency_id = columns.ref()
    sub_account_id = columns.ref()
    wallet_id = columns.ref()
    status = columns.word()
    refund_state = columns.word(default="NONE")
    dispute_state = columns.word(default="NONE")
    flag = columns.word(null=True)

    credits = columns.count()
    bonus_credits = columns.count()
    package_id = columns.ref(null=True)
    validity_days = columns.count(null=True)
    currency = columns.currency()
    currency_exponent = columns.small()
    retail_unit = columns.unit_price()
    wholesale_unit = columns.unit_price()
    floor_unit = columns.unit_price()
    net_minor = columns.count()
    tax_minor = columns.count(default=0)
    gross_minor = columns.count()
    wholesale_total_minor = columns.count()
    margin_minor = columns.count()
    stripe_fee_minor = columns.count(null=True)

    stripe_account_id = columns.outside_id()
    livemode = columns.flag(default=False)
    payment_method_id = columns.ref(null=True)
    save_payment_method = columns.flag(default=False)
    payment_intent_id = columns.outside_id(null=True)
    client_secret = columns.text(null=True)
    next_action = columns.json(null=True)
    charge_id = columns.outside_id(null=True)
    application_fee_id = columns.outside_id(null=True)
    balance_transaction_id = columns.outside_id(null=True)
    receipt_url = columns.text(null=True)
    card_fingerprint = columns.text(null=True)
    last_error_reason = columns.word(null=True)
    last_error_message = columns.text(null=True)
    last_error_charge_id = columns.outside_id(null=True)
    attempts = columns.count(default=0)
    revision = columns.count(default=0)

    actor = columns.text()
    created_at = columns.instant()
    updated_at = columns.instant()
    expires_at = columns.instant()
    checked_at = columns.instant()
    completed_at = columns.instant(null=True)

    class Meta:
        table = "purchases"
