from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from gateway.agencies.wholesale import WholesalePrice as WholesalePriceRecord
from gateway.pricing.floor import QuantityRules as QuantityRulesRecord
from gateway.pricing.floor import Terms
from gateway.pricing.preview import Preview
from schema.context import Info, require_agency_side
from schema.errors import UserError, to_user_error
from schema.money import Money
from schema.scalars import Credits, CurrencyCode

if TYPE_CHECKING:
    from schema.agencies import Agency
    from schema.sub_accounts import SubAccount


@strawberry.type(description="Which numbers of credits can be bought freely.")
class QuantityRules:
    min: Credits = strawberry.field(description="Smallest quantity.")
    max: Credits = strawberry.field(description="Largest quantity.")
    step: Credits = strawberry.field(description="Quantities are min + a multiple of this.")

    @classmethod
    def from_row(cls, rules: QuantityRulesRecord) -> Self:
        return cls(min=Credits(rules.minimum), max=Credits(rules.maximum), step=Credits(rules.step))


@strawberry.type(description="How an agency sells credits.")
class Rebilling:
    enabled: bool = strawberry.field(description="Whether the agency's clients may buy.")
    quantity: QuantityRules = strawberry.field(
        description="Which numbers of credits can be bought freely."
    )
    terms: strawberry.Private[Terms]

    @strawberry.field(
        description="The agency's price per credit in major units, without any client's own "
        "price; null while none is set. Clients read `SubAccount.pricePerCredit`."
    )
    def price_per_credit(self, info: Info) -> Decimal | None:
        require_agency_side(info)
        return self.terms.retail

    @strawberry.field(
        description="What the platform takes per credit, major units; null while none is set. For "
        "the agency and the platform."
    )
    def wholesale_per_credit(self, info: Info) -> Decimal | None:
        require_agency_side(info)
        return self.terms.wholesale

    @strawberry.field(
        description="Lowest price per credit that may be sold at, major units; null without a "
        "wholesale price. For the agency and the platform."
    )
    def floor(self, info: Info) -> Decimal | None:
        require_agency_side(info)
        return self.terms.floor

    @strawberry.field(
        description="Price less wholesale, major units per credit, before Stripe's fee; null "
        "while one of them is missing. For the agency and the platform."
    )
    def margin_per_credit(self, info: Info) -> Decimal | None:
        require_agency_side(info)
        return self._margin()

    @strawberry.field(
        description="Margin as percent of the price, rounded to 2 places; null while one of the "
        "prices is missing. For the agency and the platform."
    )
    def margin_percent(self, info: Info) -> Decimal | None:
        require_agency_side(info)
        margin, retail = self._margin(), self.terms.retail
        if margin is None or not retail:
            return None
        return (margin * 100 / retail).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    def _margin(self) -> Decimal | None:
        if self.terms.retail is None or self.terms.wholesale is None:
            return None
        return self.terms.retail - self.terms.wholesale


@strawberry.type(description="What a sale at a price would leave. A preview changes nothing.")
class PricePreview:
    price_per_credit: Decimal = strawberry.field(
        description="The price asked about, major units per paid credit."
    )
    credits: Credits = strawberry.field(description="Paid credits.")
    bonus_credits: Credits = strawberry.field(description="Credits on top.")
    floor: Decimal = strawberry.field(
        description="Lowest price per credit, bonus counted, that may be sold at; major units."
    )
    total: Money = strawberry.field(description="What the buyer would pay, before tax.")
    wholesale_total: Money = strawberry.field(
        description="What the platform would take, for bonus credits too."
    )
    margin: Money = strawberry.field(description="Total less wholesale, before Stripe's fee.")
    stripe_fee_estimate: Money = strawberry.field(
        description="Stripe's fee, estimated; the real one is known after a sale."
    )
    margin_after_stripe_fee: Money = strawberry.field(
        description="Margin less the estimated fee; it can be negative."
    )
    accepted: bool = strawberry.field(description="True when it could be sold so.")
    refusal: UserError | None = strawberry.field(
        description="Why it could not be sold; null when it could."
    )
    warning: str | None = strawberry.field(
        description="A sentence when the fee would eat the margin; null otherwise."
    )

    @classmethod
    def from_preview(cls, preview: Preview) -> Self:
        currency, refusal = preview.currency, preview.refusal
        return cls(
            price_per_credit=preview.price,
            credits=Credits(preview.credits),
            bonus_credits=Credits(preview.bonus_credits),
            floor=preview.floor,
            total=Money.of(preview.net_minor, currency),
            wholesale_total=Money.of(preview.wholesale_total_minor, currency),
            margin=Money.of(preview.margin_minor, currency),
            stripe_fee_estimate=Money.of(preview.stripe_fee_minor, currency),
            margin_after_stripe_fee=Money.of(preview.margin_after_fee_minor, currency),
            accepted=preview.accepted,
            refusal=to_user_error(refusal, agency_side=True) if refusal else None,
            warning=preview.warning,
        )


@strawberry.type(description="What the platform takes per credit, from an instant on.")
class WholesalePrice:
    id: strawberry.ID = strawberry.field(description="Opaque id of this version.")
    price_per_credit: Decimal = strawberry.field(description="Major units.")
    currency: CurrencyCode = strawberry.field(description="ISO 4217 code.")
    agency_id: strawberry.ID | None = strawberry.field(
        description="The one agency it is for; null for the default of the currency."
    )
    effective_at: datetime = strawberry.field(description="From when on it counts.")

    @classmethod
    def from_row(cls, price: WholesalePriceRecord) -> Self:
        return cls(
            id=strawberry.ID(price.id),
            price_per_credit=price.price,
            currency=CurrencyCode(price.currency),
            agency_id=strawberry.ID(price.agency_id) if price.agency_id else None,
            effective_at=price.effective_at,
        )


@strawberry.input(description="A wholesale price to set. Give either currency or agencyId.")
class SetWholesalePriceInput:
    currency: CurrencyCode | None = strawberry.field(
        default=None, description="Set the default of this currency."
    )
    agency_id: strawberry.ID | None = strawberry.field(
        default=None, description="Set it for this agency alone, in the agency's currency."
    )
    price_per_credit: Decimal = strawberry.field(description="Major units, up to 6 places.")
    effective_at: datetime | None = strawberry.field(
        default=None, description="From when on it counts; null: now. Never in the past."
    )


@strawberry.type(description="Answer of setWholesalePrice.")
class SetWholesalePricePayload:
    wholesale_price: WholesalePrice | None = strawberry.field(
        default=None, description="The new version; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.input(
    description="A price per credit. Give exactly one of pricePerCredit, markup and inherit."
)
class SetCreditPriceInput:
    agency_id: strawberry.ID = strawberry.field(description="Whose price.")
    sub_account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Set it for this client alone; null: for all."
    )
    price_per_credit: Decimal | None = strawberry.field(
        default=None, description="A fixed price, major units, up to 6 places."
    )
    markup: Decimal | None = strawberry.field(
        default=None, description="Follow the wholesale price, plus this; major units."
    )
    inherit: bool = strawberry.field(
        default=False, description="True to take a client's own price back."
    )


@strawberry.type(description="Answer of setCreditPrice.")
class SetCreditPricePayload:
    agency: Annotated["Agency", strawberry.lazy("schema.agencies")] | None = strawberry.field(
        default=None, description="The agency afterwards; null when it was refused."
    )
    sub_account: Annotated["SubAccount", strawberry.lazy("schema.sub_accounts")] | None = (
        strawberry.field(
            default=None, description="The client afterwards; null when none was named."
        )
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.input(description="Which numbers of credits clients may buy freely.")
class SetQuantityRulesInput:
    agency_id: strawberry.ID = strawberry.field(description="Whose rules.")
    min: Credits = strawberry.field(description="Smallest quantity, at least 1.")
    max: Credits = strawberry.field(description="Largest quantity, at least min.")
    step: Credits = strawberry.field(
        default=Credits(1), description="Quantities are min + a multiple of this."
    )


@strawberry.type(description="Answer of setQuantityRules.")
class SetQuantityRulesPayload:
    agency: Annotated["Agency", strawberry.lazy("schema.agencies")] | None = strawberry.field(
        default=None, description="The agency afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )
