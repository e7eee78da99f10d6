"""SQL of `verify`: pages of wallets with all that hangs on them, and the ties to other nouns."""

from __future__ import annotations

from typing import Final

WALLETS: Final = """
SELECT agency_id, id, kind, available, held, frozen, reserved, debt, version, head_hash,
       next_expiry_at
FROM wallets WHERE (agency_id, id) > ($1, $2) ORDER BY agency_id, id LIMIT $3
"""

# The columns of chain.Facts in its order, then the two hashes.
TRANSACTIONS: Final = """
SELECT id, agency_id, wallet_id, version, kind, credits, available_after, held_after,
       frozen_after, reserved_after, debt_after, cause_kind, cause_id, actor, reference, reason,
       created_at, previous_hash, hash
FROM ledger_transactions
WHERE (agency_id, wallet_id, version) > ($1, $2, $3) AND (agency_id, wallet_id) <= ($4, $5)
ORDER BY agency_id, wallet_id, version LIMIT $6
"""

_OF_TRANSACTIONS: Final = """
FROM unnest($1::text[], $2::text[]) AS wanted (agency_id, id)
JOIN {table} r ON r.agency_id = wanted.agency_id AND r.transaction_id = wanted.id
ORDER BY r.transaction_id, r.{order}
"""

POSTINGS: Final = (
    "SELECT r.transaction_id, r.from_account, r.to_account, r.credits"
    + _OF_TRANSACTIONS.format(table="ledger_postings", order="line")
)
ALLOCATIONS: Final = (
    "SELECT r.transaction_id, r.lot_id, r.from_account, r.to_account, r.credits"
    + _OF_TRANSACTIONS.format(table="ledger_allocations", order="line")
)
NEW_LOTS: Final = "SELECT r.transaction_id, r.*" + _OF_TRANSACTIONS.format(
    table="ledger_lots", order="id"
)

LOTS: Final = """
SELECT * FROM ledger_lots
WHERE (agency_id, wallet_id) > ($1, $2) AND (agency_id, wallet_id) <= ($3, $4)
"""

# (table, statement, what is wrong). Each statement answers the wrong rows' id and wallet.
TIES: Final = (
    (
        "purchases",
        """
        SELECT p.id, p.wallet_id FROM purchases p
        LEFT JOIN ledger_transactions t
          ON t.agency_id = p.agency_id AND t.cause_id = p.id AND t.kind = 'ISSUE'
        WHERE p.status = 'COMPLETED' AND t.id IS NULL ORDER BY p.id LIMIT 100
        """,
        "it is completed, but its credits were not issued",
    ),
    (
        "ledger_transactions",
        """
        SELECT t.id, t.wallet_id FROM ledger_transactions t
        LEFT JOIN purchases p
          ON p.agency_id = t.agency_id AND p.id = t.cause_id AND p.wallet_id = t.wallet_id
          AND p.status = 'COMPLETED'
        WHERE t.kind = 'ISSUE' AND p.id IS NULL ORDER BY t.id LIMIT 100
        """,
        "it issues a purchase that is not completed, or not of this wallet",
    ),
    (
        "ledger_lots",
        """
        SELECT min(l.id) AS id, min(l.wallet_id) AS wallet_id FROM ledger_lots l
        JOIN purchases p ON p.agency_id = l.agency_id AND p.id = l.purchase_id
        GROUP BY p.agency_id, p.id
        HAVING sum(l.credits) <> min(p.credits + p.bonus_credits) ORDER BY 1 LIMIT 100
        """,
        "the lots of its purchase are not the credits and bonus that were bought",
    ),
    (
        "idempotency_keys",
        """
        SELECT k.operation || ' ' || k.key AS id, k.outcome->>'wallet_id' AS wallet_id
        FROM idempotency_keys k
        LEFT JOIN ledger_transactions t ON t.agency_id = k.agency_id AND t.id = k.subject_id
        WHERE starts_with(k.subject_id, 'txn_') AND t.id IS NULL ORDER BY k.id LIMIT 100
        """,
        "the transaction that it points at is not there",
    ),
    *(
        (
            table,
            f"""
            SELECT r.transaction_id AS id, NULL AS wallet_id FROM {table} r
            LEFT JOIN ledger_transactions t
              ON t.agency_id = r.agency_id AND t.id = r.transaction_id
            WHERE t.id IS NULL ORDER BY r.transaction_id LIMIT 100
            """,
            "its transaction is not there",
        )
        for table in ("ledger_postings", "ledger_allocations")
    ),
)
