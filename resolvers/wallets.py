from typing import Annotated

import strawberry

from resolvers.guards import READERS, require
from schema.context import Info
from schema.wallets import Wallet


@strawberry.type
class WalletQueries:
    @strawberry.field(description="A wallet; null when no such wallet is visible to you.")
    async def wallet(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which wallet.")],
    ) -> Wallet | None:
        require(info.context.viewer, READERS)
        return await Wallet.load(info, id)
