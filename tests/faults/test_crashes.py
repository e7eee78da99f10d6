"""kill -9 at every named point of the sale: after a restart, one charge, one issue, no person."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.crash_points import POINTS
from gateway.database import row
from gateway.endpoints.stripe_webhook import PATH
from gateway.purchases.record import PurchaseRecord, PurchaseStatus
from tests.faults.gateway_process import free_port, gateway_process
from tests.gateway.purchases.shop import WEBHOOK_SECRET, Shop, open_shop

pytestmark = pytest.mark.anyio

IN_THE_REQUEST = [
    "purchase_row_committed",
    "stripe_answered",
    "before_issue_commit",
    "issue_committed",
]
BY_WEBHOOK = ["webhook_stored", "webhook_worker_before_commit", "webhook_worker_after_commit"]
SOON = {"REBILL_RECONCILE_AFTER_S": "2"}


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with open_shop(database) as opened:
        yield opened


def test_every_point_has_its_story() -> None:
    assert sorted(IN_THE_REQUEST + BY_WEBHOOK) == sorted(POINTS)


async def the_purchase(shop: Shop) -> PurchaseRecord:
    found = await row("SELECT * FROM purchases")
    assert found is not None
    return PurchaseRecord.of(found)


async def assert_sold_once(shop: Shop) -> None:
    assert await shop.count("purchases") == 1
    assert len(shop.at_stripe("payment_intent")) == 1
    assert len(shop.paid_charges()) == 1
    assert await shop.available() == 100
    assert await shop.count("ledger_transactions") == 1


@pytest.mark.parametrize("point", IN_THE_REQUEST)
@pytest.mark.parametrize("client_repeats", [True, False], ids=["same-key", "nobody-asks"])
async def test_killed_while_a_saved_card_is_charged(
    shop: Shop, point: str, *, client_repeats: bool
) -> None:
    card = await shop.save_card()
    port = free_port()
    async with gateway_process(shop, port=port, crash_at=point) as doomed:
        with pytest.raises(aiohttp.ClientError):
            await doomed.buy("the-key", payment_method_id=card)
        await doomed.killed()

    patience = {} if client_repeats else SOON
    async with gateway_process(shop, port=port, **patience) as restarted:
        if not client_repeats:
            purchase = await the_purchase(shop)
            await shop.settled(purchase.id, PurchaseStatus.COMPLETED, within_s=60)
        payload = await restarted.buy("the-key", payment_method_id=card)
        assert payload["userErrors"] == []
        assert payload["purchase"]["status"] == "COMPLETED"
        assert payload["purchase"]["id"] == (await the_purchase(shop)).id
    await assert_sold_once(shop)


async def test_killed_and_nobody_asks_it_ends_within_a_minute_as_the_settings_come(
    shop: Shop,
) -> None:
    """No webhook either. The point at which least is stored of what Stripe did."""
    card = await shop.save_card()
    port = free_port()
    async with gateway_process(shop, port=port, crash_at="stripe_answered") as doomed:
        with pytest.raises(aiohttp.ClientError):
            await doomed.buy("the-key", payment_method_id=card)
        await doomed.killed()
    purchase = await the_purchase(shop)
    assert (purchase.status, purchase.payment_intent_id) == (PurchaseStatus.PENDING, None)
    async with gateway_process(shop, port=port):
        await shop.settled(purchase.id, PurchaseStatus.COMPLETED, within_s=60)
    await assert_sold_once(shop)


@pytest.mark.parametrize("point", BY_WEBHOOK)
async def test_killed_while_a_webhook_is_taken_care_of(shop: Shop, point: str) -> None:
    port = free_port()
    shop.box.actions.set_webhook(
        url=f"http://127.0.0.1:{port}{PATH}",
        secret=WEBHOOK_SECRET,
        connect=True,
        enabled_events=["payment_intent.succeeded"],
    )
    async with gateway_process(shop, port=port, crash_at=point) as doomed:
        purchase_id = (await doomed.buy("the-key"))["purchase"]["id"]
        await shop.confirm(await shop.purchase(purchase_id))
        await doomed.killed()

    async with gateway_process(shop, port=port) as restarted:
        await shop.settled(purchase_id, PurchaseStatus.COMPLETED, within_s=60)
        payload = await restarted.buy("the-key")
        assert payload["purchase"]["id"] == purchase_id
        assert payload["purchase"]["status"] == "COMPLETED"
    await assert_sold_once(shop)


async def test_killed_without_webhooks_the_reconciler_ends_it(shop: Shop) -> None:
    port = free_port()
    async with gateway_process(shop, port=port) as doomed:
        purchase_id = (await doomed.buy("the-key"))["purchase"]["id"]
        doomed.process.kill()
        await doomed.killed()
    await shop.confirm(await shop.purchase(purchase_id))
    async with gateway_process(shop, port=port, **SOON):
        await shop.settled(purchase_id, PurchaseStatus.COMPLETED, within_s=60)
    await assert_sold_once(shop)
