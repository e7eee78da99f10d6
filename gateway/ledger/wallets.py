"""Opening of wallets. Their balances are written by `gateway.ledger.book` alone."""

from __future__ import annotations

from datetime import datetime

from gateway.database import Connection
from gateway.ids import new_id
from gateway.ledger.chain import first_hash
from gateway.ledger.state import WalletKind

_OPEN = """
INSERT INTO wallets (id, agency_id, sub_account_id, kind, head_hash, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
"""


async def open_wallet(
    connection: Connection,
    *,
    agency_id: str,
    sub_account_id: str | None,
    kind: WalletKind,
    now: datetime,
) -> str:
    """Make an empty wallet inside the caller's transaction and answer its id.

    kind CLIENT belongs to `sub_account_id`; POOL belongs to the agency, without a sub-account.
    A second wallet of the same owner is refused by the database (unique)."""
    wallet_id = new_id("wallet")
    values = [wallet_id, agency_id, sub_account_id, kind.value, first_hash(wallet_id), now]
    await connection.execute_query(_OPEN, values)
    return wallet_id
