from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from gateway.purchases.declines import RETRYABLE
from gateway.purchases.read import PurchaseFilter as PurchaseFilterValue
from gateway.purchases.read import purchases, purchases_of_agency, secret_for, sort_keys
from gateway.purchases.record import PurchaseRecord
from schema.connection import Connection, page_of
from schema.context import Info, require_agency_side
from schema.late import late
from schema.money import Money
from schema.node import Node
from schema.packages import CreditPackage
from schema.payment_methods import PaymentMethod
from schema.purchase_states import (
    DeclineReason,
    DisputeState,
    PurchaseFlag,
    PurchaseStatus,
    RefundState,
)
from schema.scalars import Credits

if TYPE_CHECKING:
    from schema.wallets import Wallet


@strawberry.type(description="What the buyer has to do at the bank.")
class NextAction:
    type: str = strawberry.field(
        description="Stripe's name of the step: `use_stripe_sdk` (hand the client secret to "
        "Stripe's own library) or `redirect_to_url`."
    )
    url: str | None = strawberry.field(
        description="The page to open; null when Stripe's own library takes care of it."
    )


@strawberry.type(description="Why the last attempt to pay did not pass.")
class PurchaseError:
    reason: DeclineReason = strawberry.field(description="Why.")
    message: str = strawberry.field(description="A sentence for the buyer: what, and what next.")
    retryable: bool = strawberry.field(description="True when the same card may pass later.")


@strawberry.type(description="One wish to buy credits, with the prices of that moment.")
class Purchase(Node):
    status: PurchaseStatus = strawberry.field(description="Where it stands.")
    refund_state: RefundState = strawberry.field(description="How much of the money went back.")
    dispute_state: DisputeState = strawberry.field(
        description="Whether the cardholder's bank takes the money back."
    )
    flag: PurchaseFlag | None = strawberry.field(
        description="Something that a person should look at; null: nothing."
    )
    credits: Credits = strawberry.field(description="Credits that are paid for.")
    bonus_credits: Credits = strawberry.field(description="Credits given on top.")
    validity_days: int | None = strawberry.field(
        description="Days from the payment until the credits expire; null: they do not expire."
    )
    total: Money = strawberry.field(description="What the buyer pays, tax included.")
    tax: Money = strawberry.field(description="The tax in `total`.")
    retail_unit: Decimal = strawberry.field(
        description="What one credit costs in major units, bonus credits counted."
    )
    next_action: NextAction | None = strawberry.field(
        description="What the buyer has to do at the bank; null: nothing."
    )
    last_error: PurchaseError | None = strawberry.field(
        description="Why the last attempt did not pass; null: none has failed."
    )
    receipt_url: str | None = strawberry.field(
        description="Stripe's receipt; null before the payment."
    )
    attempts: int = strawberry.field(description="How many attempts to pay have failed.")
    stripe_account_id: str = strawberry.field(
        description="The Stripe account to name to Stripe's own library."
    )
    created_at: datetime = strawberry.field(description="When it began.")
    expires_at: datetime = strawberry.field(description="When it ends if it is not paid.")
    completed_at: datetime | None = strawberry.field(
        description="When it was paid and the credits were issued; null before."
    )
    record: strawberry.Private[PurchaseRecord]

    @strawberry.field(description="The wallet that gets the credits.")
    async def wallet(self, info: Info) -> Annotated["Wallet", strawberry.lazy("schema.wallets")]:
        wallet: Wallet | None = await late("schema.wallets", "Wallet").load(
            info, self.record.wallet_id
        )
        assert wallet is not None, "a visible purchase has a visible wallet"
        return wallet

    @strawberry.field(description="The package that was bought; null for a free quantity.")
    async def package(self, info: Info) -> CreditPackage | None:
        return await CreditPackage.load(info, self.record.package_id)

    @strawberry.field(
        description="The saved card that it was started with; null when the buyer's device "
        "confirms a card."
    )
    async def payment_method(self, info: Info) -> PaymentMethod | None:
        return await PaymentMethod.load(info, self.record.payment_method_id)

    @strawberry.field(
        description="What Stripe's own library confirms the payment with, on the buyer's device. "
        "Null once nothing is left to confirm, and for viewers who do not pay."
    )
    def client_secret(self, info: Info) -> str | None:
        return secret_for(info.context.viewer, self.record)

    @strawberry.field(description="The key for Stripe's own library.")
    def publishable_key(self, info: Info) -> str:
        return info.context.runtime.settings.stripe_publishable_key

    @strawberry.field(
        description="What the platform takes per credit, in major units. For the agency and the "
        "platform; null with FORBIDDEN otherwise."
    )
    def wholesale_unit(self, info: Info) -> Decimal | None:
        require_agency_side(info)
        return self.record.wholesale_unit

    @strawberry.field(
        description="What the platform takes, bonus credits counted: the application fee of the "
        "charge. For the agency and the platform; null with FORBIDDEN otherwise."
    )
    def wholesale_total(self, info: Info) -> Money | None:
        require_agency_side(info)
        return Money.of(self.record.wholesale_total_minor, self.record.currency)

    @strawberry.field(
        description="What is left of the price above wholesale, before Stripe's own fee. For the "
        "agency and the platform; null with FORBIDDEN otherwise."
    )
    def margin(self, info: Info) -> Money | None:
        require_agency_side(info)
        return Money.of(self.record.margin_minor, self.record.currency)

    @strawberry.field(
        description="What Stripe took from the agency beside the application fee; null until "
        "Stripe has booked it. For the agency and the platform; null with FORBIDDEN otherwise."
    )
    def stripe_fee(self, info: Info) -> Money | None:
        require_agency_side(info)
        fee = self.record.stripe_fee_minor
        return None if fee is None else Money.of(fee, self.record.currency)

    @strawberry.field(
        description="Stripe's id of the payment; null until Stripe has answered. For the agency "
        "and the platform; null with FORBIDDEN otherwise."
    )
    def stripe_payment_intent_id(self, info: Info) -> str | None:
        require_agency_side(info)
        return self.record.payment_intent_id

    @strawberry.field(
        description="Stripe's id of the charge; null before the payment. For the agency and the "
        "platform; null with FORBIDDEN otherwise."
    )
    def stripe_charge_id(self, info: Info) -> str | None:
        require_agency_side(info)
        return self.record.charge_id

    @strawberry.field(
        description="Stripe's id of the platform's application fee; null before the payment, or "
        "when wholesale is 0. For the agency and the platform; null with FORBIDDEN otherwise."
    )
    def stripe_application_fee_id(self, info: Info) -> str | None:
        require_agency_side(info)
        return self.record.application_fee_id

    @classmethod
    def from_row(cls, purchase: PurchaseRecord) -> Self:
        currency, action = purchase.currency, purchase.next_action
        return cls(
            id=strawberry.ID(purchase.id),
            status=purchase.status,
            refund_state=purchase.refund_state,
            dispute_state=purchase.dispute_state,
            flag=purchase.flag,
            credits=Credits(purchase.credits),
            bonus_credits=Credits(purchase.bonus_credits),
            validity_days=purchase.validity_days,
            total=Money.of(purchase.gross_minor, currency),
            tax=Money.of(purchase.tax_minor, currency),
            retail_unit=purchase.retail_unit,
            next_action=NextAction(type=action["type"], url=action["url"]) if action else None,
            last_error=_last_error(purchase),
            receipt_url=purchase.receipt_url,
            attempts=purchase.attempts,
            stripe_account_id=purchase.stripe_account_id,
            created_at=purchase.created_at,
            expires_at=purchase.expires_at,
            completed_at=purchase.completed_at,
            record=purchase,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(purchases, id) if id else None
        return cls.from_row(found) if found else None


@strawberry.input(description="Which purchases to show; what is left out does not restrict.")
class PurchaseFilter:
    statuses: list[PurchaseStatus] | None = strawberry.field(
        default=None, description="Only with one of these; null or empty: any."
    )
    sub_account_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only of this client; null: of all."
    )
    created_from: datetime | None = strawberry.field(
        default=None, description="Only begun at this instant or later; null: any time."
    )
    created_before: datetime | None = strawberry.field(
        default=None, description="Only begun before this instant; null: any time."
    )

    def value(self) -> PurchaseFilterValue:
        return PurchaseFilterValue(
            statuses=tuple(self.statuses or ()),
            sub_account_id=self.sub_account_id,
            created_from=self.created_from,
            created_before=self.created_before,
        )


async def agency_purchases(
    info: Info, agency_id: str, wanted: PurchaseFilter | None, *, first: int, after: str | None
) -> Connection[Purchase]:
    """A page of an agency's purchases for `Agency.purchases`, newest first."""
    page = page_of(first, after, keys=2)
    found = await purchases_of_agency(
        info.context.viewer,
        agency_id,
        wanted.value() if wanted else PurchaseFilterValue(),
        limit=page.limit,
        after=page.after,
    )
    connection: Connection[Purchase] = Connection.of(
        found, page, node=Purchase.from_row, keys=sort_keys
    )
    return connection


def _last_error(purchase: PurchaseRecord) -> PurchaseError | None:
    if purchase.last_error_reason is None:
        return None
    reason = DeclineReason(purchase.last_error_reason)
    return PurchaseError(
        reason=reason,
        message=purchase.last_error_message or "",
        retryable=reason in RETRYABLE,
    )
