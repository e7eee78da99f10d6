"""When the wallets of an agency's clients come into being (decision record 0011)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.database import Connection, row, rows
from gateway.ledger.state import WalletKind
from gateway.ledger.wallets import open_wallet
from gateway.outbox.events import ActivityKind, record_agency_event

_OPEN: Final = """
    UPDATE agencies a SET wallets_opened_at = $2
    FROM plans p
    WHERE a.id = $1 AND p.id = a.plan_id AND p.white_label AND a.wallets_opened_at IS NULL
        AND EXISTS (SELECT 1 FROM stripe_connections c
                    WHERE c.agency_id = a.id AND c.status = 'ACTIVE')
    RETURNING a.id
"""


async def open_wallets_if_ready(connection: Connection, *, agency_id: str, now: datetime) -> None:
    """Open a wallet for every client of the agency, once its plan includes white-label and its
    Stripe account can take charges. Once opened they stay, whatever happens to either later.

    The caller holds the agency's lock (`lock_agency`) and has just changed plan or connection."""
    if await row(_OPEN, agency_id, now, on=connection) is None:
        return
    clients = await rows(
        "SELECT id FROM sub_accounts WHERE agency_id = $1 ORDER BY id", agency_id, on=connection
    )
    for client in clients:
        await open_client_wallet(
            connection, agency_id=agency_id, sub_account_id=client["id"], now=now
        )
    await record_agency_event(
        connection, agency_id=agency_id, kind=ActivityKind.WALLETS_OPENED, payload={}, now=now
    )


async def open_client_wallet(
    connection: Connection, *, agency_id: str, sub_account_id: str, now: datetime
) -> str:
    """An empty wallet for one client. → its id."""
    return await open_wallet(
        connection,
        agency_id=agency_id,
        sub_account_id=sub_account_id,
        kind=WalletKind.CLIENT,
        now=now,
    )
