"""One correct row for every table, so that a test can change one thing and see it refused.

`fill` lays down two agencies of the same shape: `a` and `b`. A row's id is its letter and its
table's name, so the other agency's row is easy to name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg

Row = dict[str, Any]

NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HASH: Final = b"h" * 32
TABLES: Final = (
    "plans",
    "agencies",
    "sub_accounts",
    "api_keys",
    "wholesale_prices",
    "retail_prices",
    "credit_packages",
    "wallets",
    "stripe_connections",
    "stripe_oauth_states",
    "stripe_customers",
    "payment_methods",
    "card_setups",
    "purchases",
    "ledger_transactions",
    "ledger_postings",
    "ledger_lots",
    "ledger_allocations",
    "idempotency_keys",
    "outbox_events",
    "stripe_events",
)
"""In the order in which foreign keys let them be filled."""


def correct_row(table: str, who: str, number: str = "") -> Row:
    """A row that the database takes. who: `a` or `b`; number: another one of the same owner."""
    own = f"{who}{number}"
    row: Row = {"id": f"{own}_{table}", "agency_id": f"{who}_agencies", "created_at": NOW}
    row |= _PLAIN.get(table, {})
    row |= {
        column: value.format(who=who, own=own) for column, value in _NAMES.get(table, {}).items()
    }
    for column in _WITHOUT.get(table, ()):
        del row[column]
    return row


async def insert(connection: asyncpg.Connection, table: str, row: Row) -> None:
    """Write one row as it is. Raises what the database says."""
    columns = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *row.values())


async def fill(connection: asyncpg.Connection) -> None:
    """Both agencies' correct rows, in every table."""
    for who in ("a", "b"):
        for table in TABLES:
            await insert(connection, table, correct_row(table, who))


_WITHOUT: Final = {
    "plans": ("agency_id",),
    "agencies": ("agency_id",),
    "ledger_postings": ("id", "created_at"),
    "ledger_allocations": ("id", "created_at"),
    "ledger_lots": ("created_at",),
    "idempotency_keys": ("id",),
    "outbox_events": ("id",),
    "stripe_events": ("created_at",),
}

# Texts in which {who} is the agency's letter, and {own} makes a second row differ from the first.
_NAMES: Final[dict[str, dict[str, str]]] = {
    "plans": {"name": "plan {own}"},
    "agencies": {"name": "agency {own}", "plan_id": "{who}_plans"},
    "sub_accounts": {"name": "client {own}", "external_id": "client {own}"},
    "api_keys": {"sub_account_id": "{who}_sub_accounts", "name": "key {own}"},
    "retail_prices": {"sub_account_id": "{who}_sub_accounts"},
    "credit_packages": {"name": "package {own}"},
    "wallets": {"sub_account_id": "{who}_sub_accounts"},
    "stripe_connections": {"account_id": "acct_{own}"},
    "stripe_customers": {
        "sub_account_id": "{who}_sub_accounts",
        "stripe_account_id": "acct_{own}",
    },
    "payment_methods": {
        "sub_account_id": "{who}_sub_accounts",
        "stripe_account_id": "acct_{who}",
        "stripe_payment_method_id": "pm_{own}",
    },
    "card_setups": {
        "sub_account_id": "{who}_sub_accounts",
        "stripe_account_id": "acct_{who}",
        "setup_intent_id": "seti_{own}",
    },
    "purchases": {
        "sub_account_id": "{who}_sub_accounts",
        "wallet_id": "{who}_wallets",
        "package_id": "{who}_credit_packages",
        "payment_method_id": "{who}_payment_methods",
        "stripe_account_id": "acct_{who}",
        "payment_intent_id": "pi_{own}",
    },
    "ledger_transactions": {"wallet_id": "{who}_wallets", "cause_id": "{own}_purchases"},
    "ledger_postings": {"transaction_id": "{who}_ledger_transactions"},
    "ledger_lots": {
        "wallet_id": "{who}_wallets",
        "transaction_id": "{who}_ledger_transactions",
        "purchase_id": "{who}_purchases",
    },
    "ledger_allocations": {
        "transaction_id": "{who}_ledger_transactions",
        "lot_id": "{who}_ledger_lots",
    },
    "idempotency_keys": {"tenant": "{who}_sub_accounts", "key": "key {own}"},
    "outbox_events": {"subject_id": "{who}_wallets"},
    "stripe_events": {"account_id": "acct_{who}"},
}

_PLAIN: Final[dict[str, Row]] = {
    "agencies": {"currency": "USD", "time_zone": "UTC"},
    "api_keys": {"prefix": "rbk_", "secret_hash": HASH, "scopes": '["READ"]', "created_by": "o"},
    "wholesale_prices": {
        "currency": "USD",
        "price": Decimal("0.12"),
        "effective_at": NOW,
        "actor": "admin",
    },
    "retail_prices": {
        "version": 1,
        "mode": "FIXED",
        "price": Decimal("0.25"),
        "floor": Decimal("0.1201"),
        "actor": "owner",
    },
    "credit_packages": {
        "credits": 1000,
        "bonus_credits": 150,
        "price_minor": 15000,
        "currency": "USD",
        "currency_exponent": 2,
        "floor": Decimal("0.1201"),
        "updated_at": NOW,
    },
    "wallets": {"kind": "CLIENT", "head_hash": HASH, "updated_at": NOW},
    "stripe_connections": {"door": "LINK", "status": "ACTIVE", "requirements_due": "[]"},
    "stripe_oauth_states": {
        "state_hash": HASH,
        "actor": "owner",
        "expires_at": NOW + timedelta(hours=1),
    },
    "payment_methods": {
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2030,
        "is_default": True,
    },
    "card_setups": {"status": "PENDING", "checked_at": NOW},
    "purchases": {
        "status": "PENDING",
        "credits": 100,
        "bonus_credits": 0,
        "currency": "USD",
        "currency_exponent": 2,
        "retail_unit": Decimal("0.25"),
        "wholesale_unit": Decimal("0.12"),
        "floor_unit": Decimal("0.1201"),
        "net_minor": 2500,
        "tax_minor": 0,
        "gross_minor": 2500,
        "wholesale_total_minor": 1200,
        "margin_minor": 1300,
        "actor": "buyer",
        "updated_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "checked_at": NOW,
    },
    "ledger_transactions": {
        "version": 1,
        "kind": "ISSUE",
        "credits": 100,
        "available_after": 100,
        "held_after": 0,
        "frozen_after": 0,
        "reserved_after": 0,
        "debt_after": 0,
        "cause_kind": "PURCHASE",
        "actor": "buyer",
        "previous_hash": HASH,
        "hash": HASH,
    },
    "ledger_postings": {
        "line": 0,
        "from_account": "issued_paid",
        "to_account": "available",
        "credits": 100,
    },
    "ledger_lots": {
        "kind": "PURCHASED",
        "credits": 100,
        "available": 100,
        "effective_at": NOW,
        "expires_at": NOW + timedelta(days=1),
    },
    "ledger_allocations": {
        "line": 0,
        "from_account": "issued_paid",
        "to_account": "available",
        "credits": 100,
    },
    "idempotency_keys": {
        "operation": "purchaseCredits",
        "request_hash": HASH,
        "subject_id": "pur",
    },
    "outbox_events": {"topic": "wallet", "version": 1, "kind": "CHANGED", "payload": "{}"},
    "stripe_events": {
        "type": "payment_intent.succeeded",
        "payload": "{}",
        "next_try_at": NOW,
        "received_at": NOW,
    },
}
