from __future__ import annotations

from tortoise.models import Model

from gateway.models import columns


class WholesalePrice(Model):
    """What the platform takes per credit, from `effective_at` on. Append-only.

    agency_id: None for the default of a currency; an agency's own row goes before it."""

    id = columns.key()
    agency_id = columns.ref(null=True)
    currency = columns.currency()
    price = columns.unit_price()
    effective_at = columns.instant()
    actor = columns.text()
    created_at = columns.instant()

    class Meta:
        table = "wholesale_prices"


class RetailPrice(Model):
    """What an agency's clients pay per credit. Append-only; the newest version stands.

    mode FIXED uses `price`, COST_PLUS adds `markup` to the wholesale price of the moment,
    INHERIT (sub-account only) takes an override back. `floor` is the floor when it was set."""

    id = columns.key()
    agency_id = columns.ref()
    sub_account_id = columns.ref(null=True)
    version = columns.count()
    mode = columns.word()
    price = columns.unit_price(null=True)
    markup = columns.unit_price(null=True)
    floor = columns.unit_price()
    actor = columns.text()
    created_at = columns.instant()

    class Meta:
        table = "retail_prices"


class CreditPackage(Model):
    """A fixed offer: credits and bonus credits for one price."""

    id = columns.key()
    agency_id = columns.ref()
    name = columns.text()
    credits = columns.count()
    bonus_credits = columns.count(default=0)
    price_minor = columns.count()
    currency = columns.currency()
    currency_exponent = columns.small()
    floor = columns.unit_price()
    validity_days = columns.count(null=True)
    position = columns.count(default=0)
    visibility = columns.word(default="PUBLIC")
    archived_at = columns.instant(null=True)
    created_at = columns.instant()
    updated_at = columns.instant()

    class Meta:
        table = "credit_packages"
