"""What the ledger knows about a wallet, as plain values. Nothing here can be changed in place."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, NamedTuple


class WalletKind(StrEnum):
    """CLIENT: of one sub-account. POOL: the agency's own stock, changed by pool transactions."""

    CLIENT = "CLIENT"
    POOL = "POOL"


class LotKind(StrEnum):
    """Where the credits of a lot came from, in the order in which they burn."""

    ALLOWANCE = "ALLOWANCE"
    PROMO = "PROMO"
    BONUS = "BONUS"
    POOL_GRANT = "POOL_GRANT"
    PURCHASED = "PURCHASED"
    ADJUSTMENT = "ADJUSTMENT"


class TransactionKind(StrEnum):
    """What a committed change was."""

    ISSUE = "ISSUE"
    GRANT = "GRANT"
    SPEND = "SPEND"
    EXPIRE = "EXPIRE"
    ADJUST = "ADJUST"
    POOL_IN = "POOL_IN"
    POOL_OUT = "POOL_OUT"


Account = Literal[
    "available", "held", "frozen", "reserved", "debt",
    "issued_paid", "issued_free", "pool", "consumed", "expired", "clawed_back", "adjusted",
]  # fmt: skip
"""Both sides of a posting: the wallet's buckets (first line), the accounts outside of it.

Plain text, not an enum: the fold looks accounts up by the hundred thousand."""

LOT_BUCKETS: Final = ("available", "held", "frozen", "reserved")
"""Buckets in which a lot's credits can lie; `debt` belongs to a wallet and to no lot."""


class CostBasis(NamedTuple):
    """What a purchased credit cost: major units of `currency` per credit, exact to 6 places."""

    currency: str
    retail_unit: Decimal
    wholesale_unit: Decimal


class LotState(NamedTuple):
    """Credits that came in together, and in which buckets they lie now (whole credits)."""

    id: str
    kind: LotKind
    credits: int
    available: int
    held: int
    frozen: int
    reserved: int
    purchase_id: str | None
    effective_at: datetime
    expires_at: datetime | None

    @property
    def remaining(self) -> int:
        return self.available + self.held + self.frozen + self.reserved


class WalletState(NamedTuple):
    """A wallet's buckets (whole credits), its version and its lots that still hold credits.

    debt is what the wallet owes, as a positive number. lots stand in burn order. suspended: its
    client may not spend; read under the wallet's lock, so that no spend slips past."""

    id: str
    agency_id: str
    kind: WalletKind
    available: int
    held: int
    frozen: int
    reserved: int
    debt: int
    version: int
    lots: tuple[LotState, ...]
    suspended: bool = False

    @property
    def total(self) -> int:
        return self.available + self.held + self.frozen + self.reserved

    @property
    def next_expiry_at(self) -> datetime | None:
        """The earliest instant at which available credits of this wallet expire."""
        return min(
            (lot.expires_at for lot in self.lots if lot.expires_at and lot.available), default=None
        )


_PRIORITY: Final = {kind: number for number, kind in enumerate(LotKind)}
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def burn_key(lot: LotState) -> tuple[int, datetime, datetime, str]:
    """Sorts lots in burn order: kind, soonest expiry (none last), then oldest, then id."""
    return _PRIORITY[lot.kind], lot.expires_at or _NEVER, lot.effective_at, lot.id
