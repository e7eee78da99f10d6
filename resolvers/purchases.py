from typing import Annotated

import strawberry

from gateway.purchases.cancel import cancel_purchase
from gateway.purchases.quote import quote_purchase
from gateway.purchases.refresh import refresh_purchase
from gateway.purchases.start import purchase_credits
from resolvers.guards import BUYERS, READERS, mutation, require
from schema.context import Info
from schema.purchases import Purchase
from schema.purchasing import (
    CancelPurchaseInput,
    CancelPurchasePayload,
    PurchaseCreditsInput,
    PurchaseCreditsPayload,
    PurchaseQuote,
    RefreshPurchaseInput,
    RefreshPurchasePayload,
)
from schema.scalars import Credits


@strawberry.type
class PurchaseQueries:
    @strawberry.field(description="One purchase; null when no such purchase is visible to you.")
    async def purchase(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which purchase.")],
    ) -> Purchase | None:
        require(info.context.viewer, READERS)
        return await Purchase.load(info, id)

    @strawberry.field(
        description="What `credits` or a package would cost now; give exactly one of them. Says "
        "why when it cannot be sold. Null when no such wallet is visible to you."
    )
    async def quote_purchase(
        self,
        info: Info,
        wallet_id: Annotated[strawberry.ID, strawberry.argument(description="Who would buy.")],
        credits: Annotated[
            Credits | None, strawberry.argument(description="A free number of credits.")
        ] = None,
        package_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="A package.")
        ] = None,
    ) -> PurchaseQuote | None:
        context = info.context
        require(context.viewer, READERS)
        quoted = await quote_purchase(
            context.runtime,
            context.viewer,
            wallet_id=wallet_id,
            credits=credits,
            package_id=package_id,
        )
        return None if quoted is None else PurchaseQuote.answer(info, quoted)


@strawberry.type
class PurchaseMutations:
    @mutation(
        PurchaseCreditsPayload,
        allow=BUYERS,
        description="Buy credits on the agency's Stripe account. With a saved card the charge is "
        "tried at once. Without one, confirm on the buyer's device with `clientSecret`, "
        "`publishableKey` and `stripeAccountId` in Stripe's own library; the credits arrive when "
        "Stripe says that they are paid.",
    )
    async def purchase_credits(
        self, info: Info, input: PurchaseCreditsInput
    ) -> PurchaseCreditsPayload:
        context = info.context
        started = await purchase_credits(context.runtime, context.viewer, input.wish())
        return PurchaseCreditsPayload.of(info, started)

    @mutation(
        RefreshPurchasePayload,
        allow=READERS,
        description="Read a purchase from Stripe now instead of waiting for its webhook.",
    )
    async def refresh_purchase(
        self, info: Info, input: RefreshPurchaseInput
    ) -> RefreshPurchasePayload:
        context = info.context
        purchase = await refresh_purchase(context.runtime, context.viewer, input.purchase_id)
        return RefreshPurchasePayload(purchase=Purchase.from_row(purchase))

    @mutation(
        CancelPurchasePayload,
        allow=BUYERS,
        description="End an unpaid purchase. A payment that was faster is kept.",
    )
    async def cancel_purchase(
        self, info: Info, input: CancelPurchaseInput
    ) -> CancelPurchasePayload:
        context = info.context
        purchase = await cancel_purchase(context.runtime, context.viewer, input.purchase_id)
        return CancelPurchasePayload(purchase=Purchase.from_row(purchase))
