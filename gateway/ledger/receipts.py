"""What a caller gives to the ledger beside a command, and what it gets back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Protocol, Self

import orjson

from gateway.database import Connection
from gateway.ledger.entries import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer to an accepted command.

    transaction_ids: what the command wrote, the caller's wallet first; expiries that had to be
    booked before it are not among them. Buckets, whole credits, are those of `wallet_id` right
    after the command, at `version`. credits: signed change of `available` by the command.
    replayed: the command had been accepted before, and this is its first answer again."""

    transaction_ids: tuple[str, ...]
    wallet_id: str
    version: int
    available: int
    held: int
    frozen: int
    reserved: int
    debt: int
    credits: int
    replayed: bool = False

    def to_json(self) -> str:
        """As stored with an idempotency key."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The stored answer again, marked as replayed."""
        stored = orjson.loads(text)
        stored["transaction_ids"] = tuple(stored["transaction_ids"])
        return cls(**{**stored, "replayed": True})

    @classmethod
    def of(cls, own: Sequence[Draft]) -> Self:
        """The answer of a command that wrote `own`; the caller's wallet is that of the first."""
        wallet = own[0].after
        mine = [draft for draft in own if draft.after.id == wallet.id]
        last = mine[-1].after
        return cls(
            transaction_ids=tuple(draft.id for draft in own),
            wallet_id=last.id,
            version=last.version,
            available=last.available,
            held=last.held,
            frozen=last.frozen,
            reserved=last.reserved,
            debt=last.debt,
            credits=sum(draft.credits for draft in mine),
        )

    def again(self) -> Receipt:
        """The same answer for somebody who asked a second time."""
        return replace(self, replayed=True)


class KeyName(NamedTuple):
    """Where an idempotency key counts."""

    agency_id: str
    tenant: str
    operation: str
    key: str


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's key for one wish: `tenant` and `operation` are its scope, `request_hash` is the
    SHA-256 of the wish itself (32 bytes)."""

    agency_id: str
    tenant: str
    operation: str
    key: str
    request_hash: bytes

    @property
    def name(self) -> KeyName:
        return KeyName(self.agency_id, self.tenant, self.operation, self.key)


class Rider(Protocol):
    """Rows of another noun that must stand or fall with a command.

    `apply` is called once per kind and unit of work, after the ledger's own statements and inside
    its transaction, with every accepted command's rider of that kind; never for a replay. It must
    be set-based, must not wait for the network, and may be called again when a unit of work is
    repeated. When it raises, its command fails and nothing of it is stored."""

    kind: ClassVar[str]

    @classmethod
    async def apply(
        cls, connection: Connection, riders: Sequence[tuple[Self, Receipt]]
    ) -> None: ...
