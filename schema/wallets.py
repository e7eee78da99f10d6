from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from gateway.ledger.state import WalletKind
from gateway.pages import PageRequest
from gateway.pricing.packages import packages_of_agencies
from gateway.purchases.cards import cards_of_wallets
from gateway.purchases.read import purchase_pages, sort_keys
from gateway.wallets.blocks import Block
from gateway.wallets.lots import next_expiries, open_lot_pages
from gateway.wallets.read import Wallet as WalletRecord
from gateway.wallets.read import wallets
from gateway.wallets.transactions import transaction_pages
from schema.connection import DEFAULT_FIRST, After, Connection, First, page_of
from schema.context import Info
from schema.enums import described
from schema.late import late
from schema.node import Node
from schema.packages import CreditPackage
from schema.payment_methods import PaymentMethod
from schema.purchases import Purchase
from schema.scalars import Credits, Int64
from schema.standing import BlockReason
from schema.transactions import CreditLot, Transaction

if TYPE_CHECKING:
    from schema.agencies import Agency
    from schema.sub_accounts import SubAccount

described(
    WalletKind,
    "Whose wallet it is.",
    {
        WalletKind.CLIENT: "A client's.",
        WalletKind.POOL: "An agency's own stock, from which it may give credits to clients.",
    },
)

WalletOwner = Annotated[
    Annotated["SubAccount", strawberry.lazy("schema.sub_accounts")]
    | Annotated["Agency", strawberry.lazy("schema.agencies")],
    strawberry.union("WalletOwner", description="A client, or an agency for its pool."),
]


@strawberry.type(description="Something that stands between a client and its wallet.")
class WalletBlock:
    reason: BlockReason = strawberry.field(description="Why.")
    stops_buying: bool = strawberry.field(description="True when nothing can be bought.")
    stops_spending: bool = strawberry.field(description="True when nothing can be spent.")
    message: str = strawberry.field(description="A sentence for the wallet's owner.")

    @classmethod
    def from_row(cls, block: Block) -> Self:
        return cls(
            reason=block.reason,
            stops_buying=block.stops_buying,
            stops_spending=block.stops_spending,
            message=block.message,
        )


@strawberry.type(description="Credits that expire together.")
class CreditExpiry:
    at: datetime = strawberry.field(description="When they expire.")
    credits: Credits = strawberry.field(description="How many, if none is used before.")


@strawberry.type(description="The credits of a client, or of an agency's pool.")
class Wallet(Node):
    kind: WalletKind = strawberry.field(description="Whose wallet it is.")
    available: Credits = strawberry.field(
        description="Credits that can be used now; expired ones never count."
    )
    held: Credits = strawberry.field(description="Credits held for work that is under way.")
    pending: Credits = strawberry.field(
        description="Credits whose payment is still processing; not usable yet."
    )
    frozen: Credits = strawberry.field(description="Credits frozen by a dispute.")
    debt: Credits = strawberry.field(description="Credits owed, as a positive number.")
    version: Int64 = strawberry.field(description="Rises by 1 with every committed change.")
    blocks: list[WalletBlock] = strawberry.field(
        description="What stands between the client and its wallet; empty when nothing does."
    )
    purchasable: bool = strawberry.field(description="True when a purchase could be started now.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    record: strawberry.Private[WalletRecord]

    @strawberry.field(description="Whose it is.")
    async def owner(self, info: Info) -> WalletOwner:
        client_id = self.record.sub_account_id
        if client_id is None:
            kind, id = late("schema.agencies", "Agency"), self.record.agency_id
        else:
            kind, id = late("schema.sub_accounts", "SubAccount"), client_id
        owner: Agency | SubAccount | None = await kind.load(info, id)
        assert owner is not None, "a visible wallet has a visible owner"
        return owner

    @strawberry.field(
        description="What is offered beside a free number of credits, in the seller's order."
    )
    async def packages(self, info: Info) -> list[CreditPackage]:
        found = await info.context.loaders.load(packages_of_agencies, self.record.agency_id)
        return [CreditPackage.from_row(package) for package in found or () if package.on_sale]

    @strawberry.field(description="The next credits to expire; null when none will.")
    async def next_expiry(self, info: Info) -> CreditExpiry | None:
        found = await info.context.loaders.load(next_expiries, self.record.id)
        return CreditExpiry(at=found.at, credits=Credits(found.credits)) if found else None

    @strawberry.field(description="Lots that hold credits now, oldest first.")
    async def lots(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[CreditLot]:
        page = page_of(first, after, keys=1)
        request = PageRequest(self.record.id, page.after, page.limit)
        found = await info.context.loaders.load(open_lot_pages, request)
        return Connection.of(found or [], page, node=CreditLot.from_row, keys=lambda row: (row.id,))

    @strawberry.field(description="Every committed change, newest first.")
    async def transactions(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[Transaction]:
        page = page_of(first, after, keys=1)
        request = PageRequest(self.record.id, page.after, page.limit)
        found = await info.context.loaders.load(transaction_pages, request)
        return Connection.of(
            found or [], page, node=Transaction.from_row, keys=lambda row: (row.version,)
        )

    @strawberry.field(description="Every attempt to buy credits for it, newest first.")
    async def purchases(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[Purchase]:
        page = page_of(first, after, keys=2)
        request = PageRequest(self.record.id, page.after, page.limit)
        found = await info.context.loaders.load(purchase_pages, request)
        return Connection.of(found or [], page, node=Purchase.from_row, keys=sort_keys)

    @strawberry.field(description="Saved cards that can pay for it, the default first.")
    async def payment_methods(self, info: Info) -> list[PaymentMethod]:
        found = await info.context.loaders.load(cards_of_wallets, self.record.id)
        return [PaymentMethod.from_row(card) for card in found or ()]

    @classmethod
    def from_row(cls, wallet: WalletRecord) -> Self:
        return cls(
            id=strawberry.ID(wallet.id),
            kind=wallet.kind,
            available=Credits(wallet.available),
            held=Credits(wallet.held),
            pending=Credits(wallet.pending),
            frozen=Credits(wallet.frozen),
            debt=Credits(wallet.debt),
            version=Int64(wallet.version),
            blocks=[WalletBlock.from_row(block) for block in wallet.blocks],
            purchasable=wallet.purchasable,
            created_at=wallet.created_at,
            record=wallet,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(wallets, id) if id else None
        return cls.from_row(found) if found else None
