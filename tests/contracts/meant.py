"""What the database is meant to refuse, written by hand: the other side of the comparison.

A new constraint belongs here, with one write for each of its clauses that it must refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tests.contracts.rows import NOW, Row

PRIMARY_KEYS: Final = {
    "plans": "id",
    "agencies": "id",
    "wholesale_prices": "id",
    "stripe_events": "id",
    "idempotency_keys": "agency_id, tenant, operation, key",
    "ledger_postings": "agency_id, transaction_id, line",
    "ledger_allocations": "agency_id, transaction_id, line",
    **dict.fromkeys(
        (
            "sub_accounts",
            "api_keys",
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
            "ledger_lots",
            "outbox_events",
        ),
        "agency_id, id",
    ),
}

NOT_KEYED_BY_AGENCY: Final = {
    "plans": "belongs to the platform",
    "agencies": "its own id is the agency's",
    "wholesale_prices": "a row without agency is the default of a currency",
    "stripe_events": "Stripe's id is the key; an event may fit no agency",
}

NULLABLE: Final = {
    "agencies": {"wallets_opened_at", "wholesale_told_at"},
    "sub_accounts": {"external_id"},
    "api_keys": {"sub_account_id", "last_used_at", "expires_at", "revoked_at"},
    "wholesale_prices": {"agency_id"},
    "retail_prices": {"sub_account_id", "price", "markup"},
    "credit_packages": {"validity_days", "archived_at"},
    "wallets": {"sub_account_id", "next_expiry_at"},
    "stripe_connections": {
        "account_id",
        "disabled_reason",
        "checked_at",
        "disconnected_at",
        "events_read_at",
        "totals_before",
        "totals_due_at",
    },
    "stripe_oauth_states": {"used_at"},
    "stripe_customers": {"customer_id"},
    "payment_methods": {"fingerprint", "removed_at"},
    "card_setups": {"setup_intent_id", "client_secret", "last_error_reason", "completed_at"},
    "purchases": {
        "flag",
        "package_id",
        "validity_days",
        "stripe_fee_minor",
        "payment_method_id",
        "payment_intent_id",
        "client_secret",
        "next_action",
        "charge_id",
        "application_fee_id",
        "balance_transaction_id",
        "receipt_url",
        "card_fingerprint",
        "last_error_reason",
        "last_error_message",
        "last_error_charge_id",
        "completed_at",
    },
    "ledger_transactions": {"cause_id", "reference", "reason"},
    "ledger_lots": {"purchase_id", "currency", "retail_unit", "wholesale_unit", "expires_at"},
    "idempotency_keys": {"outcome"},
    "outbox_events": {"published_at"},
    "stripe_events": {"agency_id", "account_id", "object_id", "last_error", "done_at"},
}

# Rows of the ledger reach their agency through the wallet; idempotency keys and outbox events are
# written beside a row that does. Checking each of them again is a tenth of what a spend costs.
_WITH_AGENCY: Final = (
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
    "stripe_events",
)
_WITH_SUB_ACCOUNT: Final = (
    "api_keys",
    "retail_prices",
    "wallets",
    "stripe_customers",
    "payment_methods",
    "card_setups",
    "purchases",
)

# Name → (table, columns, target). The target's columns are its primary key.
FOREIGN_KEYS: Final = {
    "agencies_plan_fkey": ("agencies", "plan_id", "plans"),
    **{f"{table}_agency_fkey": (table, "agency_id", "agencies") for table in _WITH_AGENCY},
    **{
        f"{table}_sub_account_fkey": (table, "agency_id, sub_account_id", "sub_accounts")
        for table in _WITH_SUB_ACCOUNT
    },
    **{
        f"{table}_wallet_fkey": (table, "agency_id, wallet_id", "wallets")
        for table in ("purchases", "ledger_transactions", "ledger_lots")
    },
    **{
        f"{table}_transaction_fkey": (table, "agency_id, transaction_id", "ledger_transactions")
        for table in ("ledger_lots", "ledger_postings", "ledger_allocations")
    },
    "ledger_lots_purchase_fkey": ("ledger_lots", "agency_id, purchase_id", "purchases"),
    "ledger_allocations_lot_fkey": ("ledger_allocations", "agency_id, lot_id", "ledger_lots"),
    "purchases_package_fkey": ("purchases", "agency_id, package_id", "credit_packages"),
    "purchases_payment_method_fkey": (
        "purchases",
        "agency_id, payment_method_id",
        "payment_methods",
    ),
}

_OPEN: Final = "status = ANY (ARRAY['PENDING', 'REQUIRES_ACTION', 'PROCESSING'])"

# Name → (table, columns, condition), as PostgreSQL prints them without its casts.
UNIQUE: Final = {
    "plans_name": ("plans", "name", ""),
    "agencies_name": ("agencies", "name", ""),
    "sub_accounts_external_id": ("sub_accounts", "agency_id, external_id", ""),
    "api_keys_secret_hash": ("api_keys", "agency_id, secret_hash", ""),
    "retail_prices_version": (
        "retail_prices",
        "agency_id, COALESCE(sub_account_id, ''), version",
        "",
    ),
    "wallets_sub_account": ("wallets", "agency_id, sub_account_id", ""),
    "wallets_pool": ("wallets", "agency_id", "kind = 'POOL'"),
    "ledger_transactions_version": ("ledger_transactions", "agency_id, wallet_id, version", ""),
    "ledger_transactions_issue_once": (
        "ledger_transactions",
        "agency_id, cause_id",
        "kind = 'ISSUE'",
    ),
    "purchases_payment_intent": ("purchases", "agency_id, payment_intent_id", ""),
    "stripe_connections_current": (
        "stripe_connections",
        "agency_id",
        "status <> 'DISCONNECTED'",
    ),
    "stripe_connections_account": (
        "stripe_connections",
        "account_id",
        "status <> 'DISCONNECTED'",
    ),
    "stripe_oauth_states_hash": ("stripe_oauth_states", "agency_id, state_hash", ""),
    "stripe_customers_owner": (
        "stripe_customers",
        "agency_id, sub_account_id, stripe_account_id, livemode",
        "",
    ),
    "payment_methods_stripe_id": (
        "payment_methods",
        "agency_id, stripe_account_id, stripe_payment_method_id",
        "",
    ),
    "payment_methods_default": (
        "payment_methods",
        "agency_id, sub_account_id, stripe_account_id",
        "is_default AND removed_at IS NULL",
    ),
    "card_setups_setup_intent": ("card_setups", "agency_id, setup_intent_id", ""),
}

# Indexes that only make reading fast: name → (table, columns, condition), printed in the same way.
INDEXES: Final = {
    "wholesale_prices_current": ("wholesale_prices", "currency, agency_id, effective_at", ""),
    "wholesale_prices_start": ("wholesale_prices", "effective_at", ""),
    "agencies_wholesale_told": ("agencies", "COALESCE(wholesale_told_at, created_at)", ""),
    "credit_packages_position": ("credit_packages", 'agency_id, "position", id', ""),
    "sub_accounts_id": ("sub_accounts", "id", ""),
    "wallets_id": ("wallets", "id", ""),
    "purchases_id": ("purchases", "id", ""),
    "wallets_expiry": ("wallets", "next_expiry_at", "next_expiry_at IS NOT NULL"),
    "ledger_lots_open": ("ledger_lots", "agency_id, wallet_id", "open"),
    "outbox_events_unpublished": ("outbox_events", "id", "published_at IS NULL"),
    "purchases_newest": ("purchases", "agency_id, created_at, id", ""),
    "purchases_wallet": ("purchases", "agency_id, wallet_id, created_at, id", ""),
    "purchases_open": ("purchases", "checked_at", _OPEN),
    "purchases_processing": ("purchases", "agency_id, wallet_id", "status = 'PROCESSING'"),
    "purchases_completed": ("purchases", "agency_id, completed_at", "status = 'COMPLETED'"),
    "purchases_intent": ("purchases", "payment_intent_id", ""),
    "payment_methods_standing": (
        "payment_methods",
        "agency_id, sub_account_id",
        "removed_at IS NULL",
    ),
    "card_setups_open": ("card_setups", "checked_at", _OPEN),
    "stripe_connections_accounts": ("stripe_connections", "account_id", ""),
    "stripe_events_due": ("stripe_events", "next_try_at", "status = 'RECEIVED'"),
    "api_keys_hash": ("api_keys", "secret_hash", ""),
}

# What makes a second row of the same owner collide with the first in this one index only.
COLLISIONS: Final[dict[str, Row]] = {
    "plans_name": {"name": "plan a"},
    "agencies_name": {"name": "agency a"},
    "sub_accounts_external_id": {"external_id": "client a"},
    "api_keys_secret_hash": {},
    "retail_prices_version": {},
    "wallets_sub_account": {},
    "wallets_pool": {"kind": "POOL", "sub_account_id": None},
    "ledger_transactions_version": {},
    "ledger_transactions_issue_once": {"version": 2, "cause_id": "a_purchases"},
    "purchases_payment_intent": {"payment_intent_id": "pi_a"},
    "stripe_connections_current": {},
    "stripe_connections_account": {"account_id": "acct_a", "agency_id": "b_agencies"},
    "stripe_oauth_states_hash": {},
    "stripe_customers_owner": {"stripe_account_id": "acct_a"},
    "payment_methods_stripe_id": {"stripe_payment_method_id": "pm_a", "is_default": False},
    "payment_methods_default": {},
    "card_setups_setup_intent": {"setup_intent_id": "seti_a"},
}

# A second row of the same owner that every unique index lets pass.
ALLOWED: Final[tuple[tuple[str, Row], ...]] = (
    ("sub_accounts", {"external_id": None}),
    ("api_keys", {"secret_hash": b"i" * 32, "sub_account_id": None}),
    ("wholesale_prices", {"price": Decimal(0)}),
    ("retail_prices", {"sub_account_id": None}),
    ("retail_prices", {"version": 2, "price": Decimal("0.1201")}),
    ("retail_prices", {"version": 2, "mode": "COST_PLUS", "price": None, "markup": Decimal("0.1")}),
    ("retail_prices", {"version": 2, "mode": "INHERIT", "price": None}),
    # 100 credits at a floor of 0.1201 are 12.01.
    ("credit_packages", {"credits": 90, "bonus_credits": 10, "price_minor": 1201}),
    ("wallets", {"kind": "POOL", "sub_account_id": None, "available": 0, "debt": 5}),
    ("stripe_connections", {"status": "DISCONNECTED", "account_id": "acct_a"}),
    ("stripe_customers", {"livemode": True, "stripe_account_id": "acct_a"}),
    ("payment_methods", {"is_default": False}),
    ("payment_methods", {"removed_at": NOW}),
    ("purchases", {"payment_intent_id": None, "status": "COMPLETED", "completed_at": NOW}),
    ("ledger_transactions", {"version": 2, "kind": "SPEND", "cause_id": "a_purchases"}),
    ("ledger_lots", {"kind": "PROMO", "purchase_id": None, "expires_at": None}),
)

APPEND_ONLY: Final = (
    "ledger_transactions",
    "ledger_postings",
    "ledger_allocations",
    "retail_prices",
    "wholesale_prices",
)

# (constraint, table, what makes a correct row wrong)
FORBIDDEN: Final[tuple[tuple[str, str, Row], ...]] = (
    ("agencies_quantity_check", "agencies", {"quantity_min": 0}),
    ("agencies_quantity_check", "agencies", {"quantity_min": 10, "quantity_max": 9}),
    ("agencies_quantity_check", "agencies", {"quantity_step": 0}),
    ("agencies_currency_check", "agencies", {"currency": "usd"}),
    ("agencies_currency_check", "agencies", {"currency": "US"}),
    ("sub_accounts_status_check", "sub_accounts", {"status": "GONE"}),
    ("wholesale_prices_price_check", "wholesale_prices", {"price": Decimal("-0.01")}),
    ("retail_prices_mode_check", "retail_prices", {"price": Decimal("0.1200")}),
    ("retail_prices_mode_check", "retail_prices", {"price": None}),
    ("retail_prices_mode_check", "retail_prices", {"markup": Decimal("0.1")}),
    ("retail_prices_mode_check", "retail_prices", {"mode": "COST_PLUS"}),
    ("retail_prices_mode_check", "retail_prices", {"mode": "COST_PLUS", "price": None}),
    (
        "retail_prices_mode_check",
        "retail_prices",
        {"mode": "COST_PLUS", "price": None, "markup": Decimal(0)},
    ),
    ("retail_prices_mode_check", "retail_prices", {"mode": "INHERIT"}),
    (
        "retail_prices_mode_check",
        "retail_prices",
        {"mode": "INHERIT", "price": None, "sub_account_id": None},
    ),
    ("retail_prices_mode_check", "retail_prices", {"mode": "FREE"}),
    ("credit_packages_credits_check", "credit_packages", {"credits": 0}),
    ("credit_packages_credits_check", "credit_packages", {"bonus_credits": -1}),
    ("credit_packages_validity_check", "credit_packages", {"validity_days": 0}),
    ("credit_packages_visibility_check", "credit_packages", {"visibility": "SECRET"}),
    # 1,150 credits at a floor of 0.1201 are 138.115.
    ("credit_packages_floor_check", "credit_packages", {"price_minor": 13811}),
    ("wallets_kind_check", "wallets", {"kind": "CLIENT", "sub_account_id": None}),
    ("wallets_kind_check", "wallets", {"kind": "POOL"}),
    ("wallets_kind_check", "wallets", {"kind": "OTHER"}),
    ("wallets_buckets_check", "wallets", {"available": -1}),
    ("wallets_buckets_check", "wallets", {"held": -1}),
    ("wallets_buckets_check", "wallets", {"frozen": -1}),
    ("wallets_buckets_check", "wallets", {"reserved": -1}),
    ("wallets_buckets_check", "wallets", {"debt": -1}),
    ("wallets_no_credits_beside_debt_check", "wallets", {"available": 1, "debt": 1}),
    ("wallets_version_check", "wallets", {"version": -1}),
    ("wallets_head_hash_check", "wallets", {"head_hash": b"short"}),
    ("ledger_transactions_kind_check", "ledger_transactions", {"kind": "GIFT"}),
    ("ledger_transactions_version_check", "ledger_transactions", {"version": 0}),
    ("ledger_transactions_buckets_check", "ledger_transactions", {"available_after": -1}),
    ("ledger_transactions_buckets_check", "ledger_transactions", {"held_after": -1}),
    ("ledger_transactions_buckets_check", "ledger_transactions", {"frozen_after": -1}),
    ("ledger_transactions_buckets_check", "ledger_transactions", {"reserved_after": -1}),
    ("ledger_transactions_buckets_check", "ledger_transactions", {"debt_after": -1}),
    ("ledger_transactions_hash_check", "ledger_transactions", {"hash": b"short"}),
    ("ledger_transactions_hash_check", "ledger_transactions", {"previous_hash": b"short"}),
    *(
        entry
        for table in ("ledger_postings", "ledger_allocations")
        for entry in (
            (f"{table}_accounts_check", table, {"from_account": "pocket"}),
            (f"{table}_accounts_check", table, {"to_account": "pocket"}),
            (f"{table}_accounts_check", table, {"to_account": "issued_paid"}),
            (f"{table}_credits_check", table, {"credits": 0}),
        )
    ),
    ("ledger_lots_kind_check", "ledger_lots", {"kind": "GIFT", "purchase_id": None}),
    ("ledger_lots_buckets_check", "ledger_lots", {"credits": 0, "available": 0}),
    ("ledger_lots_buckets_check", "ledger_lots", {"available": -1}),
    ("ledger_lots_buckets_check", "ledger_lots", {"held": -1}),
    ("ledger_lots_buckets_check", "ledger_lots", {"frozen": -1}),
    ("ledger_lots_buckets_check", "ledger_lots", {"reserved": -1}),
    ("ledger_lots_buckets_check", "ledger_lots", {"available": 101}),
    ("ledger_lots_buckets_check", "ledger_lots", {"held": 1}),
    ("ledger_lots_buckets_check", "ledger_lots", {"frozen": 1}),
    ("ledger_lots_buckets_check", "ledger_lots", {"reserved": 1}),
    ("ledger_lots_purchased_check", "ledger_lots", {"purchase_id": None}),
    ("ledger_lots_purchased_check", "ledger_lots", {"kind": "BONUS", "purchase_id": None}),
    ("ledger_lots_purchased_check", "ledger_lots", {"kind": "PROMO"}),
    ("ledger_lots_expiry_check", "ledger_lots", {"expires_at": NOW}),
    ("idempotency_keys_key_check", "idempotency_keys", {"key": ""}),
    ("idempotency_keys_key_check", "idempotency_keys", {"key": "k" * 256}),
    ("idempotency_keys_request_hash_check", "idempotency_keys", {"request_hash": b"short"}),
    ("outbox_events_topic_check", "outbox_events", {"topic": "weather"}),
    ("purchases_status_check", "purchases", {"status": "PAID"}),
    ("purchases_refund_state_check", "purchases", {"refund_state": "SOME"}),
    ("purchases_dispute_state_check", "purchases", {"dispute_state": "MAYBE"}),
    (
        "purchases_credits_check",
        "purchases",
        {"credits": 0, "bonus_credits": 100},
    ),
    ("purchases_credits_check", "purchases", {"credits": 101, "bonus_credits": -1}),
    ("purchases_amounts_check", "purchases", {"gross_minor": 2499}),
    ("purchases_amounts_check", "purchases", {"tax_minor": -1, "gross_minor": 2499}),
    ("purchases_amounts_check", "purchases", {"margin_minor": 1301}),
    # 100 credits at a floor of 0.1201 are 12.01.
    (
        "purchases_floor_check",
        "purchases",
        {"net_minor": 1200, "gross_minor": 1200, "margin_minor": 0},
    ),
    ("purchases_floor_check", "purchases", {"floor_unit": Decimal("0.12")}),
    (
        "purchases_wholesale_check",
        "purchases",
        {"wholesale_total_minor": 1199, "margin_minor": 1301},
    ),
    # The platform's share is due on bonus credits too.
    ("purchases_wholesale_check", "purchases", {"bonus_credits": 10}),
    ("purchases_completed_check", "purchases", {"status": "COMPLETED"}),
    ("purchases_completed_check", "purchases", {"completed_at": NOW}),
    ("stripe_connections_status_check", "stripe_connections", {"status": "FINE"}),
    ("stripe_connections_door_check", "stripe_connections", {"door": "WINDOW"}),
    ("stripe_events_status_check", "stripe_events", {"status": "LOST"}),
    ("payment_methods_expiry_check", "payment_methods", {"exp_month": 0}),
    ("payment_methods_expiry_check", "payment_methods", {"exp_month": 13}),
    ("card_setups_status_check", "card_setups", {"status": "DONE"}),
)
