from __future__ import annotations

from tortoise.models import Model

from gateway.models import columns


class Plan(Model):
    """What an agency has bought from the platform. No agency_id: a table of the platform."""

    id = columns.key()
    name = columns.text()
    white_label = columns.flag(default=False)
    created_at = columns.instant()

    class Meta:
        table = "plans"


class Agency(Model):
    """A reseller. Its id is the `agency_id` of every other table.

    wallets_opened_at: when plan and Stripe first allowed wallets; never taken back.
    wholesale_told_at: wholesale prices that began by then were told of."""

    id = columns.key()
    plan_id = columns.ref()
    name = columns.text()
    currency = columns.currency()
    time_zone = columns.text()
    rebilling_enabled = columns.flag(default=False)
    quantity_min = columns.count(default=1)
    quantity_max = columns.count(default=1_000_000)
    quantity_step = columns.count(default=1)
    wallets_opened_at = columns.instant(null=True)
    wholesale_told_at = columns.instant(null=True)
    created_at = columns.instant()

    class Meta:
        table = "agencies"


class SubAccount(Model):
    """A client of an agency; owner of one wallet, once the agency's wallets are open."""

    id = columns.key()
    agency_id = columns.ref()
    name = columns.text()
    external_id = columns.text(null=True)
    status = columns.word(default="ACTIVE")
    wallet_access = columns.flag(default=True)
    created_at = columns.instant()

    class Meta:
        table = "sub_accounts"


class ApiKey(Model):
    """A long-lived token of a service or partner; only its hash is kept."""

    id = columns.key()
    agency_id = columns.ref()
    sub_account_id = columns.ref(null=True)
    name = columns.text()
    prefix = columns.text()
    secret_hash = columns.digest()
    scopes = columns.json()
    created_by = columns.text()
    created_at = columns.instant()
    last_used_at = columns.instant(null=True)
    expires_at = columns.instant(null=True)
    revoked_at = columns.instant(null=True)

    class Meta:
        table = "api_keys"
