from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from gateway.ledger.state import LotKind, TransactionKind
from gateway.wallets.lots import Lot as LotRecord
from gateway.wallets.lots import lots
from gateway.wallets.transactions import Allocation as AllocationRecord
from gateway.wallets.transactions import LedgerAccount, allocations_of, transactions
from gateway.wallets.transactions import Transaction as TransactionRecord
from schema.context import Info, require_agency_side
from schema.enums import described
from schema.late import late
from schema.node import Node
from schema.purchases import Purchase
from schema.scalars import Credits, Int64

if TYPE_CHECKING:
    from schema.wallets import Wallet

described(
    TransactionKind,
    "What a committed change was.",
    {
        TransactionKind.ISSUE: "Credits of a paid purchase came in.",
        TransactionKind.GRANT: "Credits were given without a sale.",
        TransactionKind.SPEND: "Credits were used.",
        TransactionKind.EXPIRE: "Credits reached their expiry.",
        TransactionKind.ADJUST: "A correction, up or down.",
        TransactionKind.POOL_IN: "Credits came into an agency's pool.",
        TransactionKind.POOL_OUT: "Credits left an agency's pool for a client.",
    },
)
described(
    LotKind,
    "Where the credits of a lot came from, in the order in which they are used.",
    {
        LotKind.ALLOWANCE: "The free allowance of a period.",
        LotKind.PROMO: "A present.",
        LotKind.BONUS: "Given on top of a bought package.",
        LotKind.POOL_GRANT: "Given by the agency from its pool.",
        LotKind.PURCHASED: "Bought.",
        LotKind.ADJUSTMENT: "A correction.",
    },
)
described(
    LedgerAccount,
    "Both sides of a movement: the wallet's buckets, then the accounts outside of it.",
    {
        LedgerAccount.AVAILABLE: "Bucket: can be used.",
        LedgerAccount.HELD: "Bucket: held for work that is under way.",
        LedgerAccount.FROZEN: "Bucket: frozen by a dispute.",
        LedgerAccount.RESERVED: "Bucket: reserved for a refund on its way.",
        LedgerAccount.DEBT: "Bucket: owed.",
        LedgerAccount.ISSUED_PAID: "Where bought credits come from.",
        LedgerAccount.ISSUED_FREE: "Where free credits come from.",
        LedgerAccount.POOL: "The agency's pool.",
        LedgerAccount.CONSUMED: "Used.",
        LedgerAccount.EXPIRED: "Expired.",
        LedgerAccount.CLAWED_BACK: "Taken back after a refund or a lost dispute.",
        LedgerAccount.ADJUSTED: "The other side of corrections.",
    },
)


@strawberry.type(description="Credits that came into a wallet together, and where they are now.")
class CreditLot(Node):
    kind: LotKind = strawberry.field(description="Where they came from.")
    credits: Credits = strawberry.field(description="How many came in.")
    available: Credits = strawberry.field(description="How many of them can be used.")
    held: Credits = strawberry.field(description="How many are held for work under way.")
    frozen: Credits = strawberry.field(description="How many are frozen by a dispute.")
    effective_at: datetime = strawberry.field(description="When they came in.")
    expires_at: datetime | None = strawberry.field(
        description="When they expire; null: they do not."
    )
    record: strawberry.Private[LotRecord]

    @strawberry.field(description="The purchase that brought them; null when they were given.")
    async def purchase(self, info: Info) -> Purchase | None:
        return await Purchase.load(info, self.record.purchase_id)

    @strawberry.field(
        description="What one credit was bought for, in major units; null when they were given."
    )
    def retail_per_credit(self) -> Decimal | None:
        return self.record.retail_unit

    @strawberry.field(
        description="What the platform took per credit, in major units; null when they were "
        "given. For the agency and the platform."
    )
    def wholesale_per_credit(self, info: Info) -> Decimal | None:
        require_agency_side(info)
        return self.record.wholesale_unit

    @classmethod
    def from_row(cls, lot: LotRecord) -> Self:
        return cls(
            id=strawberry.ID(lot.id),
            kind=lot.kind,
            credits=Credits(lot.credits),
            available=Credits(lot.available),
            held=Credits(lot.held),
            frozen=Credits(lot.frozen),
            effective_at=lot.effective_at,
            expires_at=lot.expires_at,
            record=lot,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(lots, id) if id else None
        return cls.from_row(found) if found else None


@strawberry.type(description="Credits of one lot that a transaction moved.")
class Allocation:
    credits: Credits = strawberry.field(description="How many credits moved.")
    from_account: LedgerAccount = strawberry.field(description="Where they were.")
    to_account: LedgerAccount = strawberry.field(description="Where they went.")
    lot_id: strawberry.Private[str]

    @strawberry.field(description="The lot that they belong to.")
    async def lot(self, info: Info) -> CreditLot:
        lot = await CreditLot.load(info, self.lot_id)
        assert lot is not None, "an allocation's lot belongs to the same wallet"
        return lot

    @classmethod
    def from_row(cls, allocation: AllocationRecord) -> Self:
        return cls(
            credits=Credits(allocation.credits),
            from_account=allocation.from_account,
            to_account=allocation.to_account,
            lot_id=allocation.lot_id,
        )


TransactionCause = Annotated[
    Purchase,
    strawberry.union("TransactionCause", description="What a transaction was made for."),
]


@strawberry.type(description="One committed change of a wallet. Never changed, never deleted.")
class Transaction(Node):
    kind: TransactionKind = strawberry.field(description="What it was.")
    credits: Credits = strawberry.field(
        description="By how much the available credits changed, with sign."
    )
    balance_after: Credits = strawberry.field(description="Available credits after it.")
    version: Int64 = strawberry.field(
        description="The wallet's version after it: 1 for the first change, then without gaps."
    )
    created_at: datetime = strawberry.field(description="When it was committed, or fell due.")
    description: str = strawberry.field(description="What happened, in a sentence.")
    reference: str | None = strawberry.field(
        description="The reference that the spender gave; null when there is none."
    )
    actor: str = strawberry.field(description="Subject of the token that asked for it.")
    record: strawberry.Private[TransactionRecord]

    @strawberry.field(description="The wallet that changed.")
    async def wallet(self, info: Info) -> Annotated["Wallet", strawberry.lazy("schema.wallets")]:
        wallet: Wallet | None = await late("schema.wallets", "Wallet").load(
            info, self.record.wallet_id
        )
        assert wallet is not None, "a visible transaction has a visible wallet"
        return wallet

    @strawberry.field(description="What it was made for; null when nothing is on record.")
    async def cause(self, info: Info) -> TransactionCause | None:
        if self.record.cause_kind != "PURCHASE":
            return None
        return await Purchase.load(info, self.record.cause_id)

    @strawberry.field(description="From which lots credits were taken, or to which they went.")
    async def allocations(self, info: Info) -> list[Allocation]:
        found = await info.context.loaders.load(allocations_of, self.record.id)
        return [Allocation.from_row(entry) for entry in found or ()]

    @classmethod
    def from_row(cls, transaction: TransactionRecord) -> Self:
        return cls(
            id=strawberry.ID(transaction.id),
            kind=transaction.kind,
            credits=Credits(transaction.credits),
            balance_after=Credits(transaction.available_after),
            version=Int64(transaction.version),
            created_at=transaction.created_at,
            description=transaction.description,
            reference=transaction.reference,
            actor=transaction.actor,
            record=transaction,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(transactions, id) if id else None
        return cls.from_row(found) if found else None
