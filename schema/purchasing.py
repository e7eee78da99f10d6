from decimal import Decimal
from typing import Self

import strawberry

from gateway.errors import DuplicateSuspected, PriceChanged, Refusal
from gateway.pricing.quote import Quote
from gateway.purchases.start import Started
from gateway.purchases.wish import Wish
from schema.context import Info, require_agency_side
from schema.errors import Shared, UserError, explain, to_user_error
from schema.money import Money
from schema.packages import CreditPackage
from schema.purchases import Purchase
from schema.scalars import Credits


@strawberry.type(
    description="What credits cost now. A quote promises nothing: send its total back "
    "as `expectedTotal`."
)
class PurchaseQuote:
    credits: Credits | None = strawberry.field(
        description="Credits that are paid for; null when it cannot be sold."
    )
    bonus_credits: Credits | None = strawberry.field(
        description="Credits given on top; null when it cannot be sold."
    )
    total: Money | None = strawberry.field(
        description="What the buyer would pay, tax included; null when it cannot be sold."
    )
    tax: Money | None = strawberry.field(
        description="The tax in `total`; null when it cannot be sold."
    )
    retail_unit: Decimal | None = strawberry.field(
        description="What one credit would cost in major units, bonus credits counted; null when "
        "it cannot be sold."
    )
    validity_days: int | None = strawberry.field(
        description="Days from the payment until the credits expire; null: they do not expire."
    )
    refusal: UserError | None = strawberry.field(
        description="Why it cannot be sold; null when it can."
    )
    quote: strawberry.Private[Quote | None]

    @strawberry.field(description="The package that was asked for; null for a free quantity.")
    async def package(self, info: Info) -> CreditPackage | None:
        return await CreditPackage.load(info, self.quote.package_id if self.quote else None)

    @strawberry.field(
        description="What the platform would take; null when it cannot be sold. For the agency "
        "and the platform; null with FORBIDDEN otherwise."
    )
    def wholesale_total(self, info: Info) -> Money | None:
        require_agency_side(info)
        quote = self.quote
        return Money.of(quote.wholesale_total_minor, quote.currency) if quote else None

    @strawberry.field(
        description="What would be left above wholesale, before Stripe's own fee; null when it "
        "cannot be sold. For the agency and the platform; null with FORBIDDEN otherwise."
    )
    def margin(self, info: Info) -> Money | None:
        require_agency_side(info)
        quote = self.quote
        return Money.of(quote.margin_minor, quote.currency) if quote else None

    @classmethod
    def of(cls, quote: Quote) -> Self:
        return cls(
            credits=Credits(quote.credits),
            bonus_credits=Credits(quote.bonus_credits),
            total=Money.of(quote.gross_minor, quote.currency),
            tax=Money.of(quote.tax_minor, quote.currency),
            retail_unit=quote.retail_unit,
            validity_days=quote.validity_days,
            refusal=None,
            quote=quote,
        )

    @classmethod
    def answer(cls, info: Info, quoted: Quote | Refusal) -> Self:
        return cls.of(quoted) if isinstance(quoted, Quote) else cls.refused(info, quoted)

    @classmethod
    def refused(cls, info: Info, refusal: Refusal) -> Self:
        agency_side = info.context.viewer.sees_agency_side
        return cls(
            credits=None,
            bonus_credits=None,
            total=None,
            tax=None,
            retail_unit=None,
            validity_days=None,
            refusal=to_user_error(refusal, agency_side=agency_side),
            quote=None,
        )


@strawberry.type(description="The total shown to the buyer is no longer right.")
class PriceChangedError(UserError):
    quote: PurchaseQuote = strawberry.field(description="The quote to show now.")


@strawberry.type(description="The same purchase is already open.")
class DuplicateSuspectedError(UserError):
    purchase_id: strawberry.Private[str]

    @strawberry.field(description="The open purchase.")
    async def purchase(self, info: Info) -> Purchase:
        purchase = await Purchase.load(info, self.purchase_id)
        assert purchase is not None, "a purchase of the buyer's own wallet"
        return purchase


def _price_changed(refusal: PriceChanged, shared: Shared) -> UserError:
    assert isinstance(refusal.quote, Quote)
    return PriceChangedError(**shared, quote=PurchaseQuote.of(refusal.quote))


def _duplicate_suspected(refusal: DuplicateSuspected, shared: Shared) -> UserError:
    return DuplicateSuspectedError(**shared, purchase_id=refusal.purchase_id)


explain(PriceChanged, _price_changed)
explain(DuplicateSuspected, _duplicate_suspected)


@strawberry.input(
    description="Credits to buy: exactly one of `credits` and `packageId`. With a saved card the "
    "charge is tried at once; without one the answer has what the buyer's device confirms with."
)
class PurchaseCreditsInput:
    wallet_id: strawberry.ID = strawberry.field(description="The wallet that gets the credits.")
    credits: Credits | None = strawberry.field(
        default=None, description="A free number of credits; null when a package is bought."
    )
    package_id: strawberry.ID | None = strawberry.field(
        default=None, description="A package; null when a free number is bought."
    )
    payment_method_id: strawberry.ID | None = strawberry.field(
        default=None, description="A saved card to charge now; null for a new card."
    )
    save_payment_method: bool = strawberry.field(
        default=False, description="True to keep a new card for later purchases."
    )
    expected_total: Decimal | None = strawberry.field(
        default=None,
        description='The total that the buyer was shown, in major units: "25.00". Another price '
        "is then refused with PRICE_CHANGED; null accepts any price.",
    )
    confirm_duplicate: bool = strawberry.field(
        default=False, description="True to buy although the same purchase is open."
    )
    idempotency_key: str = strawberry.field(
        description="Your own name for this wish, 1 to 255 characters; the same key never buys "
        "twice, and carries on with what it began."
    )

    def wish(self) -> Wish:
        return Wish(
            wallet_id=self.wallet_id,
            credits=self.credits,
            package_id=self.package_id,
            payment_method_id=self.payment_method_id,
            save_payment_method=self.save_payment_method,
            expected_total=self.expected_total,
            confirm_duplicate=self.confirm_duplicate,
            idempotency_key=self.idempotency_key,
        )


@strawberry.type(description="Answer of purchaseCredits.")
class PurchaseCreditsPayload:
    purchase: Purchase | None = strawberry.field(
        default=None,
        description="The purchase, also when its card was declined (CARD_DECLINED) or Stripe did "
        "not answer (PAYMENT_UNAVAILABLE); null when it was refused.",
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="What went wrong; empty on success."
    )

    @classmethod
    def of(cls, info: Info, started: Started) -> Self:
        agency_side = info.context.viewer.sees_agency_side
        refusals = [started.refusal] if started.refusal else []
        return cls(
            purchase=Purchase.from_row(started.purchase),
            user_errors=[to_user_error(found, agency_side=agency_side) for found in refusals],
        )


@strawberry.input(description="A purchase to read from Stripe again.")
class RefreshPurchaseInput:
    purchase_id: strawberry.ID = strawberry.field(description="Which purchase.")


@strawberry.type(description="Answer of refreshPurchase.")
class RefreshPurchasePayload:
    purchase: Purchase | None = strawberry.field(
        default=None, description="The purchase as Stripe says; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.input(description="An unpaid purchase to end.")
class CancelPurchaseInput:
    purchase_id: strawberry.ID = strawberry.field(description="Which purchase.")


@strawberry.type(description="Answer of cancelPurchase.")
class CancelPurchasePayload:
    purchase: Purchase | None = strawberry.field(
        default=None, description="The purchase afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )
