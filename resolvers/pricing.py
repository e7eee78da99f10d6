from decimal import Decimal
from typing import Annotated, Final

import strawberry

from gateway.agencies.prices import (
    price_preview,
    price_rule,
    set_credit_price,
    set_quantity_rules,
)
from gateway.agencies.wholesale import set_wholesale_price
from resolvers.guards import AGENCY, PLATFORM, mutation, require
from schema.agencies import Agency
from schema.context import Info
from schema.pricing import (
    PricePreview,
    SetCreditPriceInput,
    SetCreditPricePayload,
    SetQuantityRulesInput,
    SetQuantityRulesPayload,
    SetWholesalePriceInput,
    SetWholesalePricePayload,
    WholesalePrice,
)
from schema.scalars import Credits
from schema.sub_accounts import SubAccount

_NO_CREDITS: Final = Credits(0)


@strawberry.type
class PricingQueries:
    @strawberry.field(
        description="What a sale at a price would leave, before and after Stripe's estimated fee, "
        "and whether the floor allows it. Changes nothing."
    )
    async def price_preview(
        self,
        info: Info,
        price_per_credit: Annotated[
            Decimal, strawberry.argument(description="Per paid credit, major units.")
        ],
        credits: Annotated[Credits, strawberry.argument(description="Paid credits, at least 1.")],
        bonus_credits: Annotated[
            Credits, strawberry.argument(description="Credits on top, 0 or more.")
        ] = _NO_CREDITS,
        agency_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Which agency; null: the viewer's own."),
        ] = None,
    ) -> PricePreview:
        context = info.context
        require(context.viewer, AGENCY)
        seen = await price_preview(
            context.runtime,
            context.viewer,
            agency_id=agency_id,
            price=price_per_credit,
            credits=credits,
            bonus_credits=bonus_credits,
        )
        return PricePreview.from_preview(seen)


@strawberry.type
class PricingMutations:
    @mutation(
        SetWholesalePricePayload,
        allow=PLATFORM,
        description="Set what the platform takes per credit, from an instant on. Items under the "
        "new floor are no longer sold; nothing is raised silently.",
    )
    async def set_wholesale_price(
        self, info: Info, input: SetWholesalePriceInput
    ) -> SetWholesalePricePayload:
        price = await set_wholesale_price(
            info.context.runtime,
            info.context.viewer,
            currency=input.currency,
            agency_id=input.agency_id,
            price=input.price_per_credit,
            effective_at=input.effective_at,
        )
        return SetWholesalePricePayload(wholesale_price=WholesalePrice.from_row(price))

    @mutation(
        SetCreditPricePayload,
        allow=AGENCY,
        description="Set what a credit costs all clients, or one of them. Refused under the floor.",
    )
    async def set_credit_price(
        self, info: Info, input: SetCreditPriceInput
    ) -> SetCreditPricePayload:
        context = info.context
        agency = await set_credit_price(
            context.runtime,
            context.viewer,
            agency_id=input.agency_id,
            sub_account_id=input.sub_account_id,
            rule=price_rule(
                price=input.price_per_credit, markup=input.markup, inherit=input.inherit
            ),
        )
        return SetCreditPricePayload(
            agency=Agency.from_row(agency),
            sub_account=await SubAccount.load(info, input.sub_account_id),
        )

    @mutation(
        SetQuantityRulesPayload,
        allow=AGENCY,
        description="Set which numbers of credits clients may buy freely.",
    )
    async def set_quantity_rules(
        self, info: Info, input: SetQuantityRulesInput
    ) -> SetQuantityRulesPayload:
        agency = await set_quantity_rules(
            info.context.runtime,
            info.context.viewer,
            agency_id=input.agency_id,
            minimum=input.min,
            maximum=input.max,
            step=input.step,
        )
        return SetQuantityRulesPayload(agency=Agency.from_row(agency))
