"""Client secrets are handed to buyers and written nowhere else."""

from __future__ import annotations

import pytest

from gateway.purchases.card_setups import start_card_setup
from gateway.purchases.decide import progress_of
from gateway.purchases.refresh import refresh_purchase
from tests.gateway.purchases.shop import Shop

pytestmark = pytest.mark.anyio


async def test_no_value_that_may_be_logged_shows_a_client_secret(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    purchase = (await shop.buy()).purchase
    setup = await start_card_setup(
        shop.rt, shop.client.viewer, wallet_id=shop.client.wallet_id, make_default=False
    )
    assert purchase.payment_intent_id is not None
    intent = await shop.rt.stripe.payment_intent(
        account=shop.account, id=purchase.payment_intent_id
    )
    shop.box.faults.add("status_before", count=None)
    with pytest.raises(Exception, match="Stripe did not answer") as failed:
        await refresh_purchase(shop.rt, shop.client.viewer, purchase.id)
    secrets = [purchase.client_secret, setup.client_secret]
    captured = capsys.readouterr()
    shown = repr((purchase, progress_of(purchase), setup, intent, failed.value))
    for secret in secrets:
        assert secret is not None
        assert secret not in shown + captured.out + captured.err
