"""Wallets as their viewers see them: balances of this moment, and the blocks that stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, Row, rows
from gateway.ids import is_id
from gateway.ledger.state import WalletKind
from gateway.pricing.terms import WHOLESALE, current_retail
from gateway.runtime import Runtime
from gateway.wallets.blocks import Block, Standing, blocks_of

# Lots that are due but not booked yet no longer count; only a wallet that has one looks at lots.
_DUE: Final = """
    coalesce((
        SELECT sum(l.available)::bigint FROM ledger_lots l
        WHERE w.next_expiry_at <= $2 AND l.agency_id = w.agency_id AND l.wallet_id = w.id
            AND l.available > 0 AND l.expires_at <= $2
    ), 0)
"""
_PENDING: Final = """
    coalesce((
        SELECT sum(u.credits + u.bonus_credits)::bigint FROM purchases u
        WHERE u.agency_id = w.agency_id AND u.wallet_id = w.id AND u.status = 'PROCESSING'
    ), 0)
"""
_PACKAGE_SELLABLE: Final = """
    EXISTS (
        SELECT 1 FROM credit_packages k
        WHERE k.agency_id = w.agency_id AND k.archived_at IS NULL AND k.visibility = 'PUBLIC'
            AND k.price_minor >= (k.credits + k.bonus_credits) * (wholesale.price + $3::numeric)
                * power(10::numeric, k.currency_exponent)
    )
"""
_SELECT: Final = f"""
    SELECT w.id, w.agency_id, w.sub_account_id, w.kind, w.available - {_DUE} AS available, w.held,
        {_PENDING} AS pending, w.frozen, w.debt, w.version, w.created_at,
        p.name AS plan, p.white_label, a.rebilling_enabled, s.wallet_access, s.status,
        coalesce(connection.status, 'NONE') AS stripe_status,
        retail.price >= wholesale.price + $3::numeric AS unit_sellable,
        {_PACKAGE_SELLABLE} AS package_sellable
    FROM wallets w
    JOIN agencies a ON a.id = w.agency_id
    JOIN plans p ON p.id = a.plan_id
    LEFT JOIN sub_accounts s ON s.agency_id = w.agency_id AND s.id = w.sub_account_id
    LEFT JOIN LATERAL (
        SELECT status FROM stripe_connections
        WHERE agency_id = w.agency_id ORDER BY status = 'DISCONNECTED', created_at DESC LIMIT 1
    ) connection ON TRUE
    {WHOLESALE.format(agency="a", now="$2")}
    LEFT JOIN LATERAL ({current_retail("w.agency_id", "w.sub_account_id")}) retail ON TRUE
"""


@dataclass(frozen=True, slots=True)
class Wallet:
    """Credits, whole, at the moment of reading.

    available never counts credits past their expiry. pending: paid by a method that is still
    processing. debt: credits owed, a positive number. version: rises by 1 with every committed
    change. sub_account_id is None for an agency's pool, whose blocks are empty."""

    id: str
    agency_id: str
    sub_account_id: str | None
    kind: WalletKind
    available: int
    held: int
    pending: int
    frozen: int
    debt: int
    version: int
    blocks: tuple[Block, ...]
    created_at: datetime

    @property
    def purchasable(self) -> bool:
        """True when a client could start a purchase now."""
        return self.kind is WalletKind.CLIENT and not any(b.stops_buying for b in self.blocks)


async def wallets(rt: Runtime, viewer: Viewer, ids: Sequence[str]) -> dict[str, Wallet]:
    """These wallets, as far as the viewer may see them."""
    found = await _read(rt, viewer, "w.id = ANY($1)", [id for id in ids if is_id(id, "wallet")])
    return {wallet.id: wallet for wallet in found}


async def wallets_of_sub_accounts(
    rt: Runtime, viewer: Viewer, sub_account_ids: Sequence[str]
) -> dict[str, Wallet]:
    """The wallet of each of these sub-accounts; none before the agency's wallets were opened."""
    wanted = [id for id in sub_account_ids if is_id(id, "sub_account")]
    found = await _read(rt, viewer, "w.sub_account_id = ANY($1)", wanted)
    return {wallet.sub_account_id: wallet for wallet in found if wallet.sub_account_id}


async def pools(rt: Runtime, viewer: Viewer, agency_ids: Sequence[str]) -> dict[str, Wallet]:
    """The pool of each of these agencies; nothing for a client's viewer."""
    wanted = [id for id in agency_ids if is_id(id, "agency")]
    found = await _read(rt, viewer, "w.agency_id = ANY($1) AND w.kind = 'POOL'", wanted)
    return {wallet.agency_id: wallet for wallet in found}


async def standing_of(
    rt: Runtime, viewer: Viewer, wallet_id: str, *, on: Connection | None = None
) -> Standing | None:
    """The facts that decide what a client's wallet may do. None for a wallet that the viewer does
    not see, and for a pool. `on`: read inside an open transaction."""
    if not is_id(wallet_id, "wallet"):
        return None
    found = await _rows(rt, viewer, "w.id = ANY($1) AND w.kind = 'CLIENT'", [wallet_id], on)
    return _standing(found[0]) if found else None


async def _read(rt: Runtime, viewer: Viewer, wanted: str, ids: list[str]) -> list[Wallet]:
    return [_wallet(row) for row in await _rows(rt, viewer, wanted, ids, None)]


async def _rows(
    rt: Runtime, viewer: Viewer, wanted: str, ids: list[str], on: Connection | None
) -> list[Row]:
    scope = visible(viewer, first=4, agency="w.agency_id", sub_account="w.sub_account_id")
    return await rows(
        f"{_SELECT} WHERE {wanted} AND {scope.sql}",
        ids,
        rt.clock(),
        rt.settings.minimum_margin,
        *scope.values,
        on=on,
    )


def _wallet(row: Row) -> Wallet:
    client = row["kind"] == WalletKind.CLIENT
    return Wallet(
        id=row["id"],
        agency_id=row["agency_id"],
        sub_account_id=row["sub_account_id"],
        kind=WalletKind(row["kind"]),
        available=row["available"],
        held=row["held"],
        pending=row["pending"],
        frozen=row["frozen"],
        debt=row["debt"],
        version=row["version"],
        blocks=blocks_of(_standing(row)) if client else (),
        created_at=row["created_at"],
    )


def _standing(row: Row) -> Standing:
    return Standing(
        plan=row["plan"],
        white_label=row["white_label"],
        stripe_status=row["stripe_status"],
        rebilling_enabled=row["rebilling_enabled"],
        wallet_access=row["wallet_access"],
        suspended=row["status"] == "SUSPENDED",
        debt=row["debt"],
        # NULL: one of the two prices is missing.
        unit_sellable=bool(row["unit_sellable"]),
        package_sellable=bool(row["package_sellable"]),
    )
