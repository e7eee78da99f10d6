"""The ledger's rules once more, as simply as they can be said: wallets are lists of lots.

Written without a look at the ledger's own code; the property tests compare the two."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

BURN_ORDER = ["ALLOWANCE", "PROMO", "BONUS", "POOL_GRANT", "PURCHASED", "ADJUSTMENT"]


class Refused(Exception):
    """The reference says no."""


@dataclass
class Lot:
    kind: str
    left: int
    made: datetime
    expires: datetime | None = None


@dataclass
class Wallet:
    """changes: how many transactions it has seen."""

    lots: list[Lot] = field(default_factory=list)
    debt: int = 0
    changes: int = 0

    def available(self, now: datetime) -> int:
        return sum(lot.left for lot in self.lots if not self._due(lot, now))

    def expire(self, now: datetime) -> None:
        for lot in self.lots:
            if lot.left and self._due(lot, now):
                lot.left = 0
                self.changes += 1

    def add(self, *lots: Lot, now: datetime) -> None:
        self.expire(now)
        for lot in sorted(lots, key=lambda lot: BURN_ORDER.index(lot.kind)):
            paid = min(self.debt, lot.left)
            self.debt -= paid
            lot.left -= paid
            self.lots.append(lot)
        self.changes += 1

    def take(self, credits: int, *, now: datetime) -> None:
        if credits > self.available(now):
            raise Refused
        self.expire(now)
        for lot in self.in_order():
            taken = min(lot.left, credits)
            lot.left -= taken
            credits -= taken
        self.changes += 1

    def in_order(self) -> list[Lot]:
        """The lots that hold credits, the next to burn first."""
        never = datetime.max.replace(tzinfo=UTC)
        return sorted(
            (lot for lot in self.lots if lot.left),
            key=lambda lot: (BURN_ORDER.index(lot.kind), lot.expires or never, lot.made),
        )

    @staticmethod
    def _due(lot: Lot, now: datetime) -> bool:
        return lot.expires is not None and lot.expires <= now
