"""Everything the database itself must refuse. Hand-written, because the ORM drops CHECKs declared
on new models, knows no composite keys, and cannot say "append-only"."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# The rows of one agency share a key prefix, so that every table can be distributed by agency.
TENANT_TABLES = (
    "sub_accounts", "api_keys", "retail_prices", "credit_packages", "wallets",
    "ledger_transactions", "ledger_lots", "purchases", "stripe_connections",
    "stripe_oauth_states", "stripe_customers", "payment_methods", "card_setups",
)  # fmt: skip

# (table, columns, target table, target columns)
FOREIGN_KEYS = (
    ("agencies", "plan_id", "plans", "id"),
    # Ledger rows reach their agency through the wallet; keys and outbox events are written beside
    # a row that does. Checking each of them again is a tenth of what a spend costs.
    *(
        (table, "agency_id", "agencies", "id")
        for table in TENANT_TABLES
        if table not in ("ledger_transactions", "ledger_lots")
    ),
    ("wholesale_prices", "agency_id", "agencies", "id"),
    ("stripe_events", "agency_id", "agencies", "id"),
    *(
        (table, "agency_id, sub_account_id", "sub_accounts", "agency_id, id")
        for table in (
            "api_keys", "retail_prices", "wallets", "purchases", "stripe_customers",
            "payment_methods", "card_setups",
        )
    ),
    *(
        (table, "agency_id, wallet_id", "wallets", "agency_id, id")
        for table in ("ledger_transactions", "ledger_lots", "purchases")
    ),
    *(
        (table, "agency_id, transaction_id", "ledger_transactions", "agency_id, id")
        for table in ("ledger_lots", "ledger_postings", "ledger_allocations")
    ),
    ("ledger_allocations", "agency_id, lot_id", "ledger_lots", "agency_id, id"),
    ("ledger_lots", "agency_id, purchase_id", "purchases", "agency_id, id"),
    ("purchases", "agency_id, package_id", "credit_packages", "agency_id, id"),
    ("purchases", "agency_id, payment_method_id", "payment_methods", "agency_id, id"),
)  # fmt: skip

BUCKETS = "'available', 'held', 'frozen', 'reserved', 'debt'"
ACCOUNTS = (
    f"{BUCKETS}, 'issued_paid', 'issued_free', 'pool', 'consumed', 'expired', 'clawed_back', "
    "'adjusted'"
)

# (table, name, condition)
CHECKS = (
    ("agencies", "quantity", "1 <= quantity_min AND quantity_min <= quantity_max "
     "AND quantity_step >= 1"),
    ("agencies", "currency", "currency ~ '^[A-Z]{3}$'"),
    ("sub_accounts", "status", "status IN ('ACTIVE', 'SUSPENDED')"),
    ("wholesale_prices", "price", "price >= 0"),
    ("retail_prices", "mode", "CASE mode "
     "WHEN 'FIXED' THEN price IS NOT NULL AND markup IS NULL AND price >= floor "
     "WHEN 'COST_PLUS' THEN markup IS NOT NULL AND price IS NULL AND markup > 0 "
     "WHEN 'INHERIT' THEN price IS NULL AND markup IS NULL AND sub_account_id IS NOT NULL "
     "ELSE FALSE END"),
    ("credit_packages", "credits", "credits >= 1 AND bonus_credits >= 0"),
    ("credit_packages", "validity", "validity_days >= 1"),
    ("credit_packages", "visibility", "visibility IN ('PUBLIC', 'HIDDEN')"),
    ("credit_packages", "floor", "price_minor >= "
     "(credits + bonus_credits) * floor * power(10::numeric, currency_exponent)"),
    ("wallets", "kind", "CASE kind WHEN 'CLIENT' THEN sub_account_id IS NOT NULL "
     "WHEN 'POOL' THEN sub_account_id IS NULL ELSE FALSE END"),
    ("wallets", "buckets", "available >= 0 AND held >= 0 AND frozen >= 0 AND reserved >= 0 "
     "AND debt >= 0"),
    ("wallets", "no_credits_beside_debt", "available = 0 OR debt = 0"),
    ("wallets", "version", "version >= 0"),
    ("wallets", "head_hash", "length(head_hash) = 32"),
    ("ledger_transactions", "kind", "kind IN ('ISSUE', 'GRANT', 'SPEND', 'EXPIRE', 'ADJUST', "
     "'HOLD', 'CAPTURE', 'RELEASE', 'FREEZE', 'UNFREEZE', 'RESERVE', 'UNRESERVE', 'CLAW_BACK', "
     "'POOL_OUT', 'POOL_IN')"),
    ("ledger_transactions", "version", "version >= 1"),
    ("ledger_transactions", "buckets", "available_after >= 0 AND held_after >= 0 "
     "AND frozen_after >= 0 AND reserved_after >= 0 AND debt_after >= 0"),
    ("ledger_transactions", "hash", "length(hash) = 32 AND length(previous_hash) = 32"),
    ("ledger_postings", "accounts", f"from_account IN ({ACCOUNTS}) "
     f"AND to_account IN ({ACCOUNTS}) AND from_account <> to_account"),
    ("ledger_postings", "credits", "credits >= 1"),
    ("ledger_lots", "kind", "kind IN ('ALLOWANCE', 'PROMO', 'BONUS', 'POOL_GRANT', 'PURCHASED', "
     "'ADJUSTMENT')"),
    ("ledger_lots", "buckets", "credits >= 1 AND available >= 0 AND held >= 0 AND frozen >= 0 "
     "AND reserved >= 0 AND available + held + frozen + reserved <= credits"),
    ("ledger_lots", "purchased", "(kind IN ('PURCHASED', 'BONUS')) = (purchase_id IS NOT NULL)"),
    ("ledger_lots", "expiry", "expires_at > effective_at"),
    ("ledger_allocations", "accounts", f"from_account IN ({ACCOUNTS}) "
     f"AND to_account IN ({ACCOUNTS}) AND from_account <> to_account"),
    ("ledger_allocations", "credits", "credits >= 1"),
    ("idempotency_keys", "key", "length(key) BETWEEN 1 AND 255"),
    ("idempotency_keys", "request_hash", "length(request_hash) = 32"),
    ("outbox_events", "topic", "topic IN ('wallet', 'agency')"),
    ("purchases", "status", "status IN ('PENDING', 'REQUIRES_ACTION', 'PROCESSING', 'COMPLETED', "
     "'FAILED', 'CANCELED', 'EXPIRED', 'QUARANTINED')"),
    ("purchases", "refund_state", "refund_state IN ('NONE', 'PARTIAL', 'FULL')"),
    ("purchases", "dispute_state", "dispute_state IN ('NONE', 'INQUIRY', 'OPEN', 'WON', 'LOST')"),
    ("purchases", "credits", "credits >= 1 AND bonus_credits >= 0"),
    ("purchases", "amounts", "net_minor >= 1 AND tax_minor >= 0 "
     "AND gross_minor = net_minor + tax_minor AND wholesale_total_minor >= 0 "
     "AND margin_minor = net_minor - wholesale_total_minor"),
    ("purchases", "floor", "floor_unit > wholesale_unit AND net_minor >= "
     "(credits + bonus_credits) * floor_unit * power(10::numeric, currency_exponent)"),
    ("purchases", "wholesale", "wholesale_total_minor = round("
     "(credits + bonus_credits) * wholesale_unit * power(10::numeric, least(currency_exponent, 2)))"
     " * power(10::numeric, greatest(currency_exponent - 2, 0))"),
    ("purchases", "completed", "(status = 'COMPLETED') = (completed_at IS NOT NULL)"),
    ("stripe_connections", "status", "status IN ('NONE', 'ONBOARDING', 'ACTIVE', 'RESTRICTED', "
     "'DISCONNECTED')"),
    ("stripe_connections", "door", "door IN ('LINK', 'OAUTH')"),
    ("stripe_events", "status", "status IN ('RECEIVED', 'DONE', 'UNMATCHED', 'FAILED')"),
    ("payment_methods", "expiry", "exp_month BETWEEN 1 AND 12"),
    ("card_setups", "status", "status IN ('PENDING', 'REQUIRES_ACTION', 'PROCESSING', "
     "'SUCCEEDED', 'CANCELED')"),
)  # fmt: skip

# (name, table, columns, condition): each says "at most one".
UNIQUE = (
    ("plans_name", "plans", "name", None),
    ("agencies_name", "agencies", "name", None),
    ("sub_accounts_external_id", "sub_accounts", "agency_id, external_id", None),
    ("api_keys_secret_hash", "api_keys", "agency_id, secret_hash", None),
    ("retail_prices_version", "retail_prices",
     "agency_id, coalesce(sub_account_id, ''), version", None),
    ("wallets_sub_account", "wallets", "agency_id, sub_account_id", None),
    ("wallets_pool", "wallets", "agency_id", "kind = 'POOL'"),
    ("ledger_transactions_version", "ledger_transactions", "agency_id, wallet_id, version", None),
    ("ledger_transactions_issue_once", "ledger_transactions", "agency_id, cause_id",
     "kind = 'ISSUE'"),
    ("purchases_payment_intent", "purchases", "agency_id, payment_intent_id", None),
    ("stripe_connections_current", "stripe_connections", "agency_id", "status <> 'DISCONNECTED'"),
    ("stripe_connections_account", "stripe_connections", "account_id",
     "status <> 'DISCONNECTED'"),
    ("stripe_oauth_states_hash", "stripe_oauth_states", "agency_id, state_hash", None),
    ("stripe_customers_owner", "stripe_customers",
     "agency_id, sub_account_id, stripe_account_id, livemode", None),
    ("payment_methods_stripe_id", "payment_methods",
     "agency_id, stripe_account_id, stripe_payment_method_id", None),
    ("payment_methods_default", "payment_methods", "agency_id, sub_account_id, stripe_account_id",
     "is_default AND removed_at IS NULL"),
    ("card_setups_setup_intent", "card_setups", "agency_id, setup_intent_id", None),
)  # fmt: skip

# (name, table, columns, condition)
INDEXES = (
    ("wholesale_prices_current", "wholesale_prices", "currency, agency_id, effective_at", None),
    ("wholesale_prices_start", "wholesale_prices", "effective_at", None),
    ("agencies_wholesale_told", "agencies", "coalesce(wholesale_told_at, created_at)", None),
    ("credit_packages_position", "credit_packages", "agency_id, position, id", None),
    # The platform looks rows up without naming their agency; the primary key begins with it.
    ("sub_accounts_id", "sub_accounts", "id", None),
    ("wallets_id", "wallets", "id", None),
    ("purchases_id", "purchases", "id", None),
    ("wallets_expiry", "wallets", "next_expiry_at", "next_expiry_at IS NOT NULL"),
    ("ledger_lots_open", "ledger_lots", "agency_id, wallet_id", "open"),
    ("outbox_events_unpublished", "outbox_events", "id", "published_at IS NULL"),
    ("purchases_newest", "purchases", "agency_id, created_at DESC, id DESC", None),
    ("purchases_wallet", "purchases", "agency_id, wallet_id, created_at DESC, id DESC", None),
    ("purchases_open", "purchases", "checked_at",
     "status IN ('PENDING', 'REQUIRES_ACTION', 'PROCESSING')"),
    ("purchases_processing", "purchases", "agency_id, wallet_id", "status = 'PROCESSING'"),
    ("purchases_completed", "purchases", "agency_id, completed_at", "status = 'COMPLETED'"),
    ("purchases_intent", "purchases", "payment_intent_id", None),
    ("payment_methods_standing", "payment_methods", "agency_id, sub_account_id",
     "removed_at IS NULL"),
    ("card_setups_open", "card_setups", "checked_at",
     "status IN ('PENDING', 'REQUIRES_ACTION', 'PROCESSING')"),
    ("stripe_connections_accounts", "stripe_connections", "account_id", None),
    ("stripe_events_due", "stripe_events", "next_try_at", "status = 'RECEIVED'"),
    ("api_keys_hash", "api_keys", "secret_hash", None),
)  # fmt: skip

LOT_BUCKETS = "available bigint, held bigint, frozen bigint, reserved bigint"
# Rows on their way in: the ledger hands over a whole unit of work as one array for each table.
# (name, attributes). Another shape is another name, so that two versions can run side by side.
ROW_TYPES = (
    ("ledger_wallet_change", "agency_id text, id text, version_before bigint, "
     f"{LOT_BUCKETS}, debt bigint, version bigint, head_hash bytea, "
     "next_expiry_at timestamptz, updated_at timestamptz"),
    ("ledger_lot_change", f"agency_id text, id text, {LOT_BUCKETS}"),
    ("ledger_new_lot", "id text, agency_id text, wallet_id text, transaction_id text, kind text, "
     f"credits bigint, {LOT_BUCKETS}, purchase_id text, currency text, retail_unit numeric, "
     "wholesale_unit numeric, effective_at timestamptz, expires_at timestamptz"),
    ("ledger_new_transaction", "id text, agency_id text, wallet_id text, version bigint, "
     "kind text, credits bigint, available_after bigint, held_after bigint, frozen_after bigint, "
     "reserved_after bigint, debt_after bigint, cause_kind text, cause_id text, actor text, "
     "reference text, reason text, created_at timestamptz, previous_hash bytea, hash bytea"),
    ("ledger_new_posting", "agency_id text, transaction_id text, line smallint, "
     "from_account text, to_account text, credits bigint"),
    ("ledger_new_allocation", "agency_id text, transaction_id text, line smallint, lot_id text, "
     "from_account text, to_account text, credits bigint"),
    ("ledger_new_event", "agency_id text, wallet_id text, version bigint, kind text, "
     "payload text, created_at timestamptz"),
    ("ledger_new_key", "agency_id text, tenant text, operation text, key text, "
     "request_hash bytea, subject_id text, outcome text, created_at timestamptz"),
)  # fmt: skip

APPEND_ONLY = (
    "ledger_transactions", "ledger_postings", "ledger_allocations", "retail_prices",
    "wholesale_prices",
)  # fmt: skip


def _unique(name: str, table: str, columns: str, condition: str | None, *, unique: bool) -> str:
    kind = "UNIQUE INDEX" if unique else "INDEX"
    where = f" WHERE {condition}" if condition else ""
    return f"CREATE {kind} {name} ON {table} ({columns}){where}"


def _statements() -> list[str]:
    return [
        *(f"ALTER TABLE {t} DROP CONSTRAINT {t}_pkey" for t in TENANT_TABLES),
        *(f"ALTER TABLE {t} ADD PRIMARY KEY (agency_id, id)" for t in TENANT_TABLES),
        *(
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, "
            f"ADD PRIMARY KEY (agency_id, transaction_id, line)"
            for table in ("ledger_postings", "ledger_allocations")
        ),
        "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey, "
        "ADD PRIMARY KEY (agency_id, tenant, operation, key)",
        "ALTER TABLE outbox_events DROP CONSTRAINT outbox_events_pkey, "
        "ADD PRIMARY KEY (agency_id, id)",
        # A column of its own, so that a spend does not touch what the index looks at: such an
        # update stays in its page (HOT) and enters no index.
        "ALTER TABLE ledger_lots ADD COLUMN open boolean NOT NULL "
        "GENERATED ALWAYS AS (available + held + frozen + reserved > 0) STORED",
        *(_unique(*entry, unique=True) for entry in UNIQUE),
        *(_unique(*entry, unique=False) for entry in INDEXES),
        *(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{name}_check CHECK ({condition})"
            for table, name, condition in CHECKS
        ),
        *(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{_name(columns)}_fkey "
            f"FOREIGN KEY ({columns}) REFERENCES {target} ({keys}) ON DELETE RESTRICT"
            for table, columns, target, keys in FOREIGN_KEYS
        ),
        *(f"CREATE TYPE {name} AS ({attributes})" for name, attributes in ROW_TYPES),
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME "
        "USING ERRCODE = 'restrict_violation'; END $$",
        *(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            for table in APPEND_ONLY
        ),
        # A hot wallet is updated in place; room in the page keeps those updates off the indexes.
        "ALTER TABLE wallets SET (fillfactor = 50)",
        "ALTER TABLE ledger_lots SET (fillfactor = 70)",
    ]


def _name(columns: str) -> str:
    return columns.rsplit(", ", maxsplit=1)[-1].removesuffix("_id")


class Migration(migrations.Migration):
    dependencies = [("rebill", "0001_initial")]  # noqa: RUF012 - the base class declares it so
    operations = [ops.RunSQL(_statements())]  # noqa: RUF012
