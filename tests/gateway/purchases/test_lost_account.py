"""An agency takes our permission back at Stripe, and no webhook says so: purchases end anyway."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from gateway.database import rows
from gateway.purchases.cancel import cancel_purchase
from gateway.purchases.reconcile import reconcile_purchases
from gateway.purchases.record import PurchaseFlag, PurchaseRecord, PurchaseStatus
from gateway.purchases.refresh import refresh_purchase
from stripe_sandbox.accounts import set_connected
from tests.gateway.purchases.shop import Shop

pytestmark = pytest.mark.anyio


async def is_disconnected(shop: Shop) -> bool:
    return await shop.count("stripe_connections", "status = 'DISCONNECTED'") == 1


async def reconnect(shop: Shop) -> None:
    """The agency connects the same account again."""
    set_connected(shop.box.state, shop.account, connected=True)
    await rows("UPDATE stripe_connections SET status = 'ACTIVE', disconnected_at = NULL")


async def unanswered(shop: Shop) -> PurchaseRecord:
    """A purchase whose intent was made without our hearing of it."""
    shop.box.faults.add("cut_after_success", "^/v1/payment_intents", count=None)
    started = await shop.buy()
    shop.box.faults.clear()
    assert started.purchase.payment_intent_id is None
    return started.purchase


async def test_an_unpaid_purchase_ends_when_its_time_is_over(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    shop.box.actions.deauthorize(shop.account)
    shop.clock.advance(seconds=121)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.PENDING
    assert await is_disconnected(shop)

    shop.clock.advance(seconds=3600)
    await reconcile_purchases(shop.rt)
    ended = await shop.purchase(purchase.id)
    assert (ended.status, ended.client_secret) == (PurchaseStatus.EXPIRED, None)
    assert ended.payment_intent_id == purchase.payment_intent_id
    assert await shop.available() == 0
    shop.clock.advance(seconds=3600)
    assert await reconcile_purchases(shop.rt) == 0


async def test_one_whose_intent_was_never_learned_of_ends_too(shop: Shop) -> None:
    purchase = await unanswered(shop)
    shop.box.actions.deauthorize(shop.account)
    shop.clock.advance(seconds=3700)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.EXPIRED
    assert await is_disconnected(shop)


@pytest.mark.parametrize("is_answered", [True, False])
async def test_its_buyer_can_cancel_it(shop: Shop, *, is_answered: bool) -> None:
    purchase = (await shop.buy()).purchase if is_answered else await unanswered(shop)
    shop.box.actions.deauthorize(shop.account)
    canceled = await cancel_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (canceled.status, canceled.client_secret) == (PurchaseStatus.CANCELED, None)
    assert await shop.purchase(purchase.id) == canceled
    assert await is_disconnected(shop)
    assert await shop.available() == 0


async def test_what_was_paid_before_is_issued_when_the_account_comes_back(shop: Shop) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase)
    shop.box.actions.deauthorize(shop.account)
    shop.clock.advance(seconds=3700)
    await reconcile_purchases(shop.rt)
    assert (await shop.purchase(purchase.id)).status is PurchaseStatus.EXPIRED

    await reconnect(shop)
    settled = await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    assert (settled.status, settled.flag) == (PurchaseStatus.COMPLETED, PurchaseFlag.LATE_SUCCESS)
    assert await shop.available() == 100


async def test_a_payment_that_the_bank_decides_on_is_a_persons_task_and_told_once(
    shop: Shop,
) -> None:
    purchase = (await shop.buy()).purchase
    await shop.confirm(purchase, "pm_usBankAccount_processing")
    await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    shop.box.actions.deauthorize(shop.account)
    told = await shop.events()
    with capture_logs() as logs:
        for _ in range(3):
            shop.clock.advance(days=1)
            assert await reconcile_purchases(shop.rt) == 1
    waiting = await shop.purchase(purchase.id)
    assert (waiting.status, waiting.flag) == (PurchaseStatus.PROCESSING, PurchaseFlag.ACCOUNT_LOST)
    alerts = [entry for entry in logs if entry["event"] == "alert_account_lost"]
    assert [entry["purchase"] for entry in alerts] == [purchase.id]
    assert await shop.events() == [*told, "CONNECTION_UPDATED", "PURCHASE_UPDATED"]
