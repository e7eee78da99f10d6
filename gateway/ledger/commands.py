"""What can be asked of the ledger. Each command is one wish about one or two wallets.

`credits` are whole credits, 1 to 2^53 - 1. `actor` says who asked, for the record. Whether the
caller may ask, and whether the wallet is blocked, is judged before a command is posted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.ledger.state import CostBasis


class GrantSource(StrEnum):
    """Who gives the credits: the agency's pool, nobody (a present), or the period's allowance."""

    POOL = "POOL"
    PROMO = "PROMO"
    ALLOWANCE = "ALLOWANCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """agency_id and wallet_id name the wallet whose answer the caller wants."""

    agency_id: str
    wallet_id: str
    actor: str

    def wallet_ids(self) -> tuple[str, ...]:
        """Every wallet that the command may change, the caller's first."""
        return (self.wallet_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue(Command):
    """Put the credits of a paid purchase into the client's wallet: a PURCHASED lot and, when
    `bonus_credits` > 0, a BONUS lot. Debt is paid first. Once per purchase, however often asked."""

    purchase_id: str
    credits: int
    bonus_credits: int = 0
    basis: CostBasis
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Command):
    """Give credits without a sale. Debt is paid first.

    source POOL moves them from `pool_wallet_id`, which must have them; the others make them."""

    credits: int
    source: GrantSource
    pool_wallet_id: str | None = None
    reason: str
    expires_at: datetime | None = None

    def wallet_ids(self) -> tuple[str, ...]:
        if self.pool_wallet_id is None:
            return (self.wallet_id,)
        return (self.wallet_id, self.pool_wallet_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FundPool(Command):
    """The platform gives credits to an agency's pool (`wallet_id` is the pool)."""

    credits: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend(Command):
    """Use credits up, in burn order. cause_kind and cause_id name what they were used for."""

    credits: int
    cause_kind: str = "SPEND"
    cause_id: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Command):
    """Book the expiry of every lot that is due. Nothing due: accepted, and nothing changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(Command):
    """Correct a client's wallet by a signed number of credits, with the reason in words.

    Up makes an ADJUSTMENT lot (debt is paid first); down burns, never below zero."""

    credits: int
    reason: str
