from datetime import datetime
from typing import Self

import strawberry

from gateway.purchases.card_setups import CardSetupRecord, CardSetupStatus
from gateway.purchases.cards import SavedCardRecord, payment_methods
from schema.context import Info
from schema.enums import described
from schema.errors import UserError
from schema.node import Node

described(
    CardSetupStatus,
    "Where the saving of a card stands.",
    {
        CardSetupStatus.PENDING: "The buyer's device has to confirm a card.",
        CardSetupStatus.REQUIRES_ACTION: "The bank wants to see the buyer (3-D Secure).",
        CardSetupStatus.PROCESSING: "The bank is deciding.",
        CardSetupStatus.SUCCEEDED: "The card is saved.",
        CardSetupStatus.CANCELED: "It came to nothing.",
    },
)


@strawberry.type(description="A saved card. Its number is known to Stripe alone.")
class PaymentMethod(Node):
    brand: str = strawberry.field(description='The card\'s network as Stripe names it: "visa".')
    last4: str = strawberry.field(description="The last four digits of its number.")
    exp_month: int = strawberry.field(description="Month of its expiry, 1 to 12.")
    exp_year: int = strawberry.field(description="Year of its expiry, four digits.")
    is_default: bool = strawberry.field(description="True for the card that is offered first.")
    removed: bool = strawberry.field(description="True when it can no longer be charged.")
    created_at: datetime = strawberry.field(description="When it was saved.")

    @classmethod
    def from_row(cls, card: SavedCardRecord) -> Self:
        return cls(
            id=strawberry.ID(card.id),
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            is_default=card.is_default,
            removed=card.removed_at is not None,
            created_at=card.created_at,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(payment_methods, id) if id else None
        return cls.from_row(found) if found else None


@strawberry.type(description="A card that is being saved without a purchase.")
class CardSetup:
    id: strawberry.ID = strawberry.field(description="Opaque; name it when you ask for help.")
    status: CardSetupStatus = strawberry.field(description="Where it stands.")
    client_secret: str | None = strawberry.field(
        description="What Stripe's own library confirms the card with, on the buyer's device; "
        "null once nothing is left to confirm. Keep it to the buyer."
    )
    publishable_key: str = strawberry.field(description="The key for Stripe's own library.")
    stripe_account_id: str = strawberry.field(
        description="The Stripe account to name to Stripe's own library."
    )

    @classmethod
    def from_row(cls, info: Info, setup: CardSetupRecord) -> Self:
        return cls(
            id=strawberry.ID(setup.id),
            status=setup.status,
            client_secret=setup.client_secret,
            publishable_key=info.context.runtime.settings.stripe_publishable_key,
            stripe_account_id=setup.stripe_account_id,
        )


@strawberry.input(description="A card to save for later purchases.")
class StartCardSetupInput:
    wallet_id: strawberry.ID = strawberry.field(description="Whose card.")
    make_default: bool = strawberry.field(
        default=False, description="True to offer it first from then on."
    )


@strawberry.input(description="A saved card to offer first from now on.")
class SetDefaultPaymentMethodInput:
    payment_method_id: strawberry.ID = strawberry.field(description="Which card.")


@strawberry.input(description="A saved card to forget, here and at Stripe.")
class RemovePaymentMethodInput:
    payment_method_id: strawberry.ID = strawberry.field(description="Which card.")


@strawberry.type(description="Answer of startCardSetup.")
class StartCardSetupPayload:
    card_setup: CardSetup | None = strawberry.field(
        default=None, description="What to confirm; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.type(description="Answer of setDefaultPaymentMethod.")
class SetDefaultPaymentMethodPayload:
    payment_method: PaymentMethod | None = strawberry.field(
        default=None, description="The card afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.type(description="Answer of removePaymentMethod.")
class RemovePaymentMethodPayload:
    payment_method: PaymentMethod | None = strawberry.field(
        default=None, description="The card afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )
