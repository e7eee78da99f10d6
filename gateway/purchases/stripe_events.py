"""What the inbox has read again and settled when Stripe says that something happened."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.crash_points import crash_point
from gateway.purchases import store
from gateway.purchases.card_setups import find_card_setup, read_and_settle
from gateway.purchases.cards import forget_card
from gateway.purchases.decide import PURCHASE_KEY
from gateway.purchases.settle import settle
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import NotFoundAtStripe


async def settle_payment(
    rt: Runtime, *, account_id: str, intent_id: str, metadata: Mapping[str, str]
) -> bool:
    """Read a PaymentIntent and settle its purchase. False when it is not of one of ours.

    metadata: what the event said; it only helps to find the purchase whose intent's id we have
    not stored yet. Raises StripeFailure."""
    named = metadata.get(PURCHASE_KEY)
    purchase = await store.find_for_intent(account_id=account_id, intent_id=intent_id, named=named)
    if purchase is None:
        return False
    try:
        intent = await rt.stripe.payment_intent(account=account_id, id=intent_id)
    except NotFoundAtStripe:
        return False
    crash_point("webhook_worker_before_commit")
    await settle(rt, purchase, intent)
    return True


async def settle_setup(rt: Runtime, *, account_id: str, setup_intent_id: str) -> bool:
    """Read a SetupIntent and settle its card setup. False when it is not of one of ours.
    Raises StripeFailure."""
    setup = await find_card_setup(account_id=account_id, setup_intent_id=setup_intent_id)
    if setup is None:
        return False
    await read_and_settle(rt, setup)
    return True


async def settle_detached(rt: Runtime, *, account_id: str, payment_method: str) -> bool:
    """Forget a card that Stripe has detached, wherever that was done. False when it is not one
    of ours. Raises StripeFailure."""
    try:
        card = await rt.stripe.payment_method(account=account_id, payment_method=payment_method)
    except NotFoundAtStripe:
        card = None
    if card is not None and card.customer is not None:
        return False
    return await forget_card(
        account=account_id, stripe_payment_method_id=payment_method, now=rt.clock()
    )
