from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from gateway.models import columns


class Wallet(Model):
    """The running state of one wallet. kind CLIENT: one per sub-account; POOL: one per agency.

    Written by `gateway.ledger.book` alone. `head_hash` is the hash of the newest transaction;
    `next_expiry_at` the earliest expiry of a lot that still holds credits."""

    id = columns.key()
    agency_id = columns.ref()
    sub_account_id = columns.ref(null=True)
    kind = columns.word()
    available = columns.count(default=0)
    held = columns.count(default=0)
    frozen = columns.count(default=0)
    reserved = columns.count(default=0)
    debt = columns.count(default=0)
    version = columns.count(default=0)
    head_hash = columns.digest()
    next_expiry_at = columns.instant(null=True)
    created_at = columns.instant()
    updated_at = columns.instant()

    class Meta:
        table = "wallets"


class Transaction(Model):
    """One committed change of one wallet. Append-only (trigger); hash-chained by wallet."""

    id = columns.key()
    agency_id = columns.ref()
    wallet_id = columns.ref()
    version = columns.count()
    kind = columns.word()
    credits = columns.count()
    available_after = columns.count()
    held_after = columns.count()
    frozen_after = columns.count()
    reserved_after = columns.count()
    debt_after = columns.count()
    cause_kind = columns.word()
    cause_id = columns.text(null=True)
    actor = columns.text()
    reference = columns.text(null=True)
    reason = columns.text(null=True)
    created_at = columns.instant()
    previous_hash = columns.digest()
    hash = columns.digest()

    class Meta:
        table = "ledger_transactions"


class Posting(Model):
    """A movement of credits between two accounts of one transaction. Append-only.

    One row names both sides, so it sums to zero by construction: `credits` leave
    `from_account` and arrive in `to_account`."""

    id = fields.BigIntField(primary_key=True)
    agency_id = columns.ref()
    transaction_id = columns.ref()
    line = columns.small()
    from_account = columns.word()
    to_account = columns.word()
    credits = columns.count()

    class Meta:
        table = "ledger_postings"


class Lot(Model):
    """Credits that came in together, and where they are now.

    credits = available + held + frozen + reserved + what was consumed, expired or clawed back."""

    id = columns.key()
    agency_id = columns.ref()
    wallet_id = columns.ref()
    transaction_id = columns.ref()
    kind = columns.word()
    credits = columns.count()
    available = columns.count()
    held = columns.count(default=0)
    frozen = columns.count(default=0)
    reserved = columns.count(default=0)
    purchase_id = columns.ref(null=True)
    currency = columns.currency(null=True)
    retail_unit = columns.unit_price(null=True)
    wholesale_unit = columns.unit_price(null=True)
    effective_at = columns.instant()
    expires_at = columns.instant(null=True)

    class Meta:
        table = "ledger_lots"


class Allocation(Model):
    """From which lot to where the credits of a transaction went. Append-only."""

    id = fields.BigIntField(primary_key=True)
    agency_id = columns.ref()
    transaction_id = columns.ref()
    line = columns.small()
    lot_id = columns.ref()
    from_account = columns.word()
    to_account = columns.word()
    credits = columns.count()

    class Meta:
        table = "ledger_allocations"


class IdempotencyKey(Model):
    """A key that a client sent with a wish, and what came of it.

    Written in the unit of work that makes the effect. The primary key in the database is
    (agency_id, tenant, operation, key)."""

    id = fields.BigIntField(primary_key=True)
    agency_id = columns.ref()
    tenant = columns.ref()
    operation = columns.word()
    key = columns.text()
    request_hash = columns.digest()
    subject_id = columns.ref()
    outcome = columns.json(null=True)
    created_at = columns.instant()

    class Meta:
        table = "idempotency_keys"


class OutboxEvent(Model):
    """What has to be told to others after the commit that wrote it."""

    id = fields.BigIntField(primary_key=True)
    agency_id = columns.ref()
    topic = columns.word()
    subject_id = columns.ref()
    version = columns.count()
    kind = columns.word()
    payload = columns.json()
    created_at = columns.instant()
    published_at = columns.instant(null=True)

    class Meta:
        table = "outbox_events"
