from typing import Self

import strawberry

from gateway.agencies.live import Activity
from gateway.outbox.events import ActivityKind
from gateway.wallets.live import WalletUpdate as WalletUpdateRecord
from schema.context import Info
from schema.enums import described
from schema.purchases import Purchase
from schema.scalars import Int64
from schema.sub_accounts import SubAccount
from schema.wallets import Wallet

described(
    ActivityKind,
    "What changed at an agency.",
    {
        ActivityKind.PURCHASE_UPDATED: "A purchase began or moved on.",
        ActivityKind.CONNECTION_UPDATED: "Its Stripe account.",
        ActivityKind.WALLETS_OPENED: "Its clients got their wallets.",
        ActivityKind.BLOCKS_UPDATED: "Prices, packages, plan, clients or the sale: what can be "
        "bought may differ.",
        ActivityKind.ACCESS_CHANGED: "An API key was ended.",
        ActivityKind.MISSED: "You were too slow and missed some changes: read your lists again.",
    },
)


@strawberry.type(description="The state of a wallet after one or more changes.")
class WalletUpdate:
    wallet: Wallet = strawberry.field(description="The state after `version`.")
    from_version: Int64 = strawberry.field(
        description="First version that this message brings. It follows the last message's "
        "`version`, or repeats it when only blocks or pending credits changed."
    )
    version: Int64 = strawberry.field(description="Last version that this message brings.")
    reset: bool = strawberry.field(
        description="True when `afterVersion` could not be continued: replace what you had."
    )

    @classmethod
    def from_row(cls, update: WalletUpdateRecord) -> Self:
        return cls(
            wallet=Wallet.from_row(update.wallet),
            from_version=Int64(update.from_version),
            version=Int64(update.version),
            reset=update.reset,
        )


@strawberry.type(description="Something that changed at an agency.")
class AgencyActivity:
    kind: ActivityKind = strawberry.field(description="What changed.")
    purchase_id: strawberry.Private[str | None]
    sub_account_id: strawberry.Private[str | None]

    @strawberry.field(description="The purchase concerned; null when there is none.")
    async def purchase(self, info: Info) -> Purchase | None:
        return await Purchase.load(info, self.purchase_id)

    @strawberry.field(description="The client concerned; null when the whole agency is.")
    async def sub_account(self, info: Info) -> SubAccount | None:
        return await SubAccount.load(info, self.sub_account_id)

    @classmethod
    def from_row(cls, activity: Activity) -> Self:
        return cls(
            kind=activity.kind,
            purchase_id=activity.purchase_id,
            sub_account_id=activity.sub_account_id,
        )
