"""The ledger's SQL. Each statement takes a whole unit of work as arrays, so that the number of
statements does not depend on how many commands it holds."""

from __future__ import annotations

from typing import Final

# NO KEY UPDATE: rows that only point at a wallet (a new purchase) need not wait for the ledger.
# In id order, so that two units of work never wait for each other in a ring.
# Both settings end with the transaction. Planning WRITE anew each time costs a single caller half
# a millisecond; and a plan that was kept from when a table was small must still use its index.
LOCK_WALLETS: Final = """
SELECT w.id, w.agency_id, w.kind, w.available, w.held, w.frozen, w.reserved, w.debt, w.version,
       w.head_hash, coalesce(s.status = 'SUSPENDED', FALSE) AS suspended
FROM set_config('plan_cache_mode', 'force_generic_plan', true) AS keep_plans,
     set_config('enable_seqscan', 'off', true) AS by_index,
     unnest($1::text[], $2::text[]) AS wanted (agency_id, id)
JOIN wallets w ON w.agency_id = wanted.agency_id AND w.id = wanted.id
LEFT JOIN sub_accounts s ON s.agency_id = w.agency_id AND s.id = w.sub_account_id
ORDER BY w.id
FOR NO KEY UPDATE OF w
"""

# Its own statement, after the lock: at READ COMMITTED a statement sees what was committed before
# it began, so one that had waited for a lock would read the lots of before the wait.
# OFFSET 0 keeps LATERAL a loop over the index. A join could be planned while the table was empty
# and then read all of it, each time, until the next ANALYZE.
OPEN_LOTS: Final = """
SELECT l.*
FROM unnest($1::text[], $2::text[]) AS wanted (agency_id, wallet_id)
CROSS JOIN LATERAL (
  SELECT l.wallet_id, l.id, l.kind, l.credits, l.available, l.held, l.frozen, l.reserved,
         l.purchase_id, l.effective_at, l.expires_at
  FROM ledger_lots l
  WHERE l.agency_id = wanted.agency_id AND l.wallet_id = wanted.wallet_id AND l.open
  OFFSET 0
) AS l
"""

TAKEN_KEYS: Final = """
SELECT k.*
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     AS wanted (agency_id, tenant, operation, key)
CROSS JOIN LATERAL (
  SELECT k.agency_id, k.tenant, k.operation, k.key, k.request_hash, k.outcome
  FROM idempotency_keys k
  WHERE k.agency_id = wanted.agency_id AND k.tenant = wanted.tenant
    AND k.operation = wanted.operation AND k.key = wanted.key
  OFFSET 0
) AS k
"""

EARLIER_ISSUES: Final = """
SELECT t.*
FROM unnest($1::text[], $2::text[]) AS wanted (agency_id, purchase_id)
CROSS JOIN LATERAL (
  SELECT t.agency_id, t.cause_id, t.id, t.wallet_id, t.version, t.credits, t.available_after,
         t.held_after, t.frozen_after, t.reserved_after, t.debt_after
  FROM ledger_transactions t
  WHERE t.agency_id = wanted.agency_id AND t.cause_id = wanted.purchase_id AND t.kind = 'ISSUE'
  OFFSET 0
) AS t
"""

ISSUE_ONCE: Final = "ledger_transactions_issue_once"
"""The index that lets a purchase be issued once."""

IS_STORED: Final = "SELECT 1 FROM ledger_transactions WHERE agency_id = $1 AND id = $2"

# One array of rows for each table, of the types that the migrations made for it: an array per
# column (65 of them) costs both sides more than the rows themselves.
# version: the wallet was locked and read at `version_before`, so anything else is a fault.
WRITE: Final = """
WITH changed_wallets AS (
  UPDATE wallets w
  SET available = new.available, held = new.held, frozen = new.frozen, reserved = new.reserved,
      debt = new.debt, version = new.version, head_hash = new.head_hash,
      next_expiry_at = new.next_expiry_at, updated_at = new.updated_at
  FROM unnest($1::ledger_wallet_change[]) AS new
  WHERE w.agency_id = new.agency_id AND w.id = new.id AND w.version = new.version_before
  RETURNING 1
), changed_lots AS (
  UPDATE ledger_lots l
  SET available = new.available, held = new.held, frozen = new.frozen, reserved = new.reserved
  FROM unnest($2::ledger_lot_change[]) AS new
  WHERE l.agency_id = new.agency_id AND l.id = new.id
  RETURNING 1
), new_lots AS (
  INSERT INTO ledger_lots (id, agency_id, wallet_id, transaction_id, kind, credits, available,
    held, frozen, reserved, purchase_id, currency, retail_unit, wholesale_unit, effective_at,
    expires_at)
  SELECT * FROM unnest($3::ledger_new_lot[])
), new_transactions AS (
  INSERT INTO ledger_transactions (id, agency_id, wallet_id, version, kind, credits,
    available_after, held_after, frozen_after, reserved_after, debt_after, cause_kind, cause_id,
    actor, reference, reason, created_at, previous_hash, hash)
  SELECT * FROM unnest($4::ledger_new_transaction[])
), new_postings AS (
  INSERT INTO ledger_postings (agency_id, transaction_id, line, from_account, to_account, credits)
  SELECT * FROM unnest($5::ledger_new_posting[])
), new_allocations AS (
  INSERT INTO ledger_allocations (agency_id, transaction_id, line, lot_id, from_account,
    to_account, credits)
  SELECT * FROM unnest($6::ledger_new_allocation[])
), new_events AS (
  INSERT INTO outbox_events (agency_id, topic, subject_id, version, kind, payload, created_at)
  SELECT new.agency_id, 'wallet', new.wallet_id, new.version, new.kind, new.payload::jsonb,
         new.created_at
  FROM unnest($7::ledger_new_event[]) AS new
), new_keys AS (
  INSERT INTO idempotency_keys (agency_id, tenant, operation, key, request_hash, subject_id,
    outcome, created_at)
  SELECT new.agency_id, new.tenant, new.operation, new.key, new.request_hash, new.subject_id,
         new.outcome::jsonb, new.created_at
  FROM unnest($8::ledger_new_key[]) AS new
  ON CONFLICT DO NOTHING
  RETURNING 1
)
SELECT (SELECT count(*) FROM changed_wallets) AS wallets,
       (SELECT count(*) FROM changed_lots) AS lots,
       (SELECT count(*) FROM new_keys) AS keys
"""
