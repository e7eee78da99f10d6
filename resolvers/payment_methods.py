import strawberry

from gateway.purchases.card_setups import start_card_setup
from gateway.purchases.cards import remove_payment_method, set_default_payment_method
from resolvers.guards import BUYERS, mutation
from schema.context import Info
from schema.payment_methods import (
    CardSetup,
    PaymentMethod,
    RemovePaymentMethodInput,
    RemovePaymentMethodPayload,
    SetDefaultPaymentMethodInput,
    SetDefaultPaymentMethodPayload,
    StartCardSetupInput,
    StartCardSetupPayload,
)


@strawberry.type
class PaymentMethodMutations:
    @mutation(
        StartCardSetupPayload,
        allow=BUYERS,
        description="Begin to save a card without buying. Confirm it on the buyer's device with "
        "Stripe's own library; the card is listed as soon as Stripe says that it is saved.",
    )
    async def start_card_setup(
        self, info: Info, input: StartCardSetupInput
    ) -> StartCardSetupPayload:
        context = info.context
        setup = await start_card_setup(
            context.runtime,
            context.viewer,
            wallet_id=input.wallet_id,
            make_default=input.make_default,
        )
        return StartCardSetupPayload(card_setup=CardSetup.from_row(info, setup))

    @mutation(
        SetDefaultPaymentMethodPayload,
        allow=BUYERS,
        description="Offer a saved card first from now on.",
    )
    async def set_default_payment_method(
        self, info: Info, input: SetDefaultPaymentMethodInput
    ) -> SetDefaultPaymentMethodPayload:
        context = info.context
        card = await set_default_payment_method(
            context.runtime, context.viewer, input.payment_method_id
        )
        return SetDefaultPaymentMethodPayload(payment_method=PaymentMethod.from_row(card))

    @mutation(
        RemovePaymentMethodPayload,
        allow=BUYERS,
        description="Forget a saved card, here and at Stripe. It is never charged again.",
    )
    async def remove_payment_method(
        self, info: Info, input: RemovePaymentMethodInput
    ) -> RemovePaymentMethodPayload:
        context = info.context
        card = await remove_payment_method(context.runtime, context.viewer, input.payment_method_id)
        return RemovePaymentMethodPayload(payment_method=PaymentMethod.from_row(card))
