"""The story of the first five minutes: 100 credits at 0.25 over a wholesale price of 0.12."""

from __future__ import annotations

import pytest

from tests.contracts.stripe_openapi import check_log, contract_or_skip
from tests.harness import harness
from tests.shop import open_shop

pytestmark = pytest.mark.anyio


async def test_the_first_sale_reaches_wallet_books_and_stripe_to_the_cent(
    database_url: str,
) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        payload = await shop.buy(100, key="first", expectedTotal="25.00")
        assert payload["userErrors"] == []
        assert payload["purchase"]["status"] == "COMPLETED"

        answer = await h.execute(
            shop.owner,
            "query ($agency: ID!, $wallet: ID!) {"
            " agency(id: $agency) { pool { available version } purchases(first: 5) { nodes {"
            "  status credits total { amount } wholesaleTotal { amount } margin { amount }"
            "  stripeFee { amount } stripeAccountId stripePaymentIntentId completedAt } } }"
            " wallet(id: $wallet) { available version transactions(first: 5) { nodes {"
            "  kind credits balanceAfter version } } } }",
            {"agency": shop.agency, "wallet": shop.wallet},
        )
        agency = answer.data["agency"]
        assert agency["pool"] == {"available": 0, "version": 0}
        [purchase] = agency["purchases"]["nodes"]
        assert purchase["total"] == {"amount": "25.00"}
        assert purchase["wholesaleTotal"] == {"amount": "12.00"}
        assert purchase["margin"] == {"amount": "13.00"}
        assert purchase["stripeFee"] == {"amount": "1.03"}
        assert purchase["completedAt"] is not None
        wallet = answer.data["wallet"]
        assert (wallet["available"], wallet["version"]) == (100, 1)
        assert wallet["transactions"]["nodes"] == [
            {"kind": "ISSUE", "credits": 100, "balanceAfter": 100, "version": 1}
        ]

        store = h.stripe.state.store
        [charge] = store.rows(purchase["stripeAccountId"], "charge")
        assert charge["payment_intent"] == purchase["stripePaymentIntentId"]
        assert (charge["amount"], charge["application_fee_amount"]) == (2500, 1200)
        assert charge["currency"] == "usd"
        contract_or_skip()
        check_log(h.stripe.log.entries())


async def test_a_client_never_sees_what_is_between_agency_and_platform(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(100, key="first")
        answer = await h.execute(
            shop.billing(),
            "query ($wallet: ID!) { wallet(id: $wallet) { purchases { nodes {"
            " total { amount } margin { amount } wholesaleTotal { amount } stripeFee { amount }"
            " stripeAccountId } } } }",
            {"wallet": shop.wallet},
        )
        [purchase] = answer.body["data"]["wallet"]["purchases"]["nodes"]
        assert purchase["total"] == {"amount": "25.00"}
        assert purchase["margin"] is None
        assert purchase["wholesaleTotal"] is None
        assert purchase["stripeFee"] is None
        assert set(answer.codes) == {"FORBIDDEN"}
