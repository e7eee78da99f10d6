from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from gateway.agencies.live import agency_activity
from gateway.wallets.live import wallet_updates
from resolvers.guards import AGENCY_READERS, READERS, require
from schema.context import Info
from schema.live import AgencyActivity, WalletUpdate
from schema.scalars import Int64


@strawberry.type
class LiveSubscriptions:
    @strawberry.subscription(
        description="The state of a wallet now, then after every committed change, in order and "
        "without gaps. A slow reader gets the newest state."
    )
    async def wallet_updated(
        self,
        info: Info,
        wallet_id: Annotated[strawberry.ID, strawberry.argument(description="Which wallet.")],
        after_version: Annotated[
            Int64 | None,
            strawberry.argument(description="Resume: the last version that you have seen."),
        ] = None,
    ) -> AsyncGenerator[WalletUpdate, None]:
        context = info.context
        require(context.viewer, READERS)
        updates = wallet_updates(
            context.runtime, context.viewer, wallet_id=wallet_id, after_version=after_version
        )
        async with aclosing(updates):
            async for update in updates:
                yield WalletUpdate.from_row(update)

    @strawberry.subscription(
        description="Changes of an agency's purchases, Stripe connection and clients, from now on."
    )
    async def agency_activity(
        self,
        info: Info,
        agency_id: Annotated[strawberry.ID, strawberry.argument(description="Which agency.")],
    ) -> AsyncGenerator[AgencyActivity, None]:
        context = info.context
        require(context.viewer, AGENCY_READERS)
        activity = agency_activity(context.runtime, context.viewer, agency_id=agency_id)
        async with aclosing(activity):
            async for change in activity:
                yield AgencyActivity.from_row(change)
