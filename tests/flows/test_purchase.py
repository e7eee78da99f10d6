"""A client buys credits, told through GraphQL: what the buyer and the agency each see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.auth.viewer import Role
from tests.gateway.purchases.shop import check_contract
from tests.harness import Harness, eventually, harness

pytestmark = pytest.mark.anyio

PURCHASE = """
    id status credits bonusCredits total { amount currency } clientSecret publishableKey
    stripeAccountId nextAction { type url } lastError { reason message retryable } attempts
    receiptUrl wallet { id available } paymentMethod { id last4 }
"""
AGENCY_SIDE = """
    wholesaleUnit wholesaleTotal { amount } margin { amount } stripeFee { amount }
    stripePaymentIntentId stripeChargeId stripeApplicationFeeId
"""


@dataclass
class Sale:
    """A selling agency with one client, made through the API."""

    h: Harness
    agency: str
    sub_account: str
    wallet: str
    account: str

    @property
    def owner(self) -> str:
        return self.h.token(Role.OWNER, agency=self.agency)

    def client(self, role: Role = Role.BILLING) -> str:
        return self.h.token(role, agency=self.agency, sub_account=self.sub_account)

    async def buy(self, selection: str = PURCHASE, **input: Any) -> Any:
        given = {"walletId": self.wallet, "idempotencyKey": "key-1", **input}
        if "packageId" not in given:
            given.setdefault("credits", 100)
        return await self.h.mutate(
            self.client(), "purchaseCredits", f"purchase {{ {selection} }}", **given
        )

    async def confirm(self, purchase: Any, card: str = "pm_card_visa") -> None:
        """Stripe.js on the buyer's device."""
        await self._as_browser("payment_intents", purchase["clientSecret"], card)

    async def save_card(self, card: str = "pm_card_visa") -> str:
        started = await self.h.mutate(
            self.client(), "startCardSetup", "cardSetup { clientSecret }", walletId=self.wallet
        )
        await self._as_browser("setup_intents", started["cardSetup"]["clientSecret"], card)
        cards = await eventually(self.cards)
        return str(cards[-1]["id"])

    async def cards(self) -> Any:
        query = "query Q($id: ID!) { wallet(id: $id) { paymentMethods { id last4 isDefault } } }"
        answer = await self.h.execute(self.client(), query, {"id": self.wallet})
        return answer.data["wallet"]["paymentMethods"]

    async def available(self) -> int:
        query = "query Q($id: ID!) { wallet(id: $id) { available } }"
        answer = await self.h.execute(self.client(), query, {"id": self.wallet})
        return int(answer.data["wallet"]["available"])

    async def _as_browser(self, kind: str, secret: str, card: str) -> None:
        key = self.h.gateway.runtime.settings.stripe_publishable_key
        async with self.h.http.post(
            f"{self.h.stripe.url}/v1/{kind}/{secret.partition('_secret_')[0]}/confirm",
            headers={"Authorization": f"Bearer {key}", "Stripe-Account": self.account},
            data={"client_secret": secret, "payment_method": card},
        ) as answer:
            assert answer.status in {200, 402}, await answer.text()


@pytest.fixture
async def sale(database_url: str) -> AsyncIterator[Sale]:
    async with harness(database_url) as h:
        yield await open_sale(h, "Agency")
        check_contract(h.stripe)


async def open_sale(h: Harness, name: str) -> Sale:
    """An agency that sells at 0.25 over 0.12 and its client."""
    admin = h.token(Role.ADMIN)

    async def run(token: str, mutation: str, selection: str, **input: Any) -> Any:
        payload = await h.mutate(token, mutation, selection, **input)
        assert payload["userErrors"] == [], payload
        return payload

    plan = await run(admin, "createPlan", "plan { id }", name=f"{name}s plan", whiteLabel=True)
    await run(admin, "setWholesalePrice", "", currency="USD", pricePerCredit="0.12")
    plan_id = plan["plan"]["id"]
    made = await run(admin, "createAgency", "agency { id }", name=name, planId=plan_id)
    agency = made["agency"]["id"]
    owner = h.token(Role.OWNER, agency=agency)
    await run(owner, "startStripeOnboarding", "url", agencyId=agency)
    query = "query Q($id: ID!) { agency(id: $id) { stripe { accountId } } }"
    found = (await h.execute(owner, query, {"id": agency})).data
    account = found["agency"]["stripe"]["accountId"]
    h.stripe.actions.set_ready(account, ready=True)
    await run(owner, "refreshStripeConnection", "", agencyId=agency)
    await run(owner, "setCreditPrice", "", agencyId=agency, pricePerCredit="0.25")
    await run(owner, "enableRebilling", "", agencyId=agency)
    selection = "subAccount { id wallet { id } }"
    client = await run(owner, "createSubAccount", selection, agencyId=agency, name="Client")
    sub = client["subAccount"]
    return Sale(h, agency, sub["id"], sub["wallet"]["id"], account)


async def test_a_new_card_buys_credits_and_everyone_sees_their_side(sale: Sale) -> None:
    started = await sale.buy(expectedTotal="25.00")
    assert started["userErrors"] == []
    purchase = started["purchase"]
    assert (purchase["status"], purchase["total"]) == (
        "PENDING",
        {"amount": "25.00", "currency": "USD"},
    )
    assert purchase["publishableKey"] == "pk_test_sandbox"
    assert purchase["stripeAccountId"] == sale.account

    await sale.confirm(purchase)
    assert await eventually(sale.available) == 100

    query = f"query Q($id: ID!) {{ purchase(id: $id) {{ {PURCHASE} {AGENCY_SIDE} }} }}"
    seen = (await sale.h.execute(sale.owner, query, {"id": purchase["id"]})).data["purchase"]
    assert seen["status"] == "COMPLETED"
    assert seen["clientSecret"] is None
    assert seen["wholesaleTotal"] == {"amount": "12.00"}
    assert seen["margin"] == {"amount": "13.00"}
    assert seen["stripeFee"] == {"amount": "1.03"}
    assert seen["wholesaleUnit"] == "0.12"
    assert seen["stripePaymentIntentId"].startswith("pi_")
    assert seen["stripeChargeId"].startswith("ch_")
    assert seen["stripeApplicationFeeId"].startswith("fee_")

    answer = await sale.h.execute(sale.client(), query, {"id": purchase["id"]})
    hidden = answer.body["data"]["purchase"]
    assert (hidden["status"], hidden["credits"]) == ("COMPLETED", 100)
    for name in ("wholesaleUnit", "wholesaleTotal", "margin", "stripeFee"):
        assert hidden[name] is None
    assert set(answer.codes) == {"FORBIDDEN"}
    assert len(answer.codes) == 7


async def test_only_those_who_pay_see_the_client_secret(sale: Sale) -> None:
    purchase = (await sale.buy())["purchase"]
    assert purchase["clientSecret"] is not None
    query = "query Q($id: ID!) { purchase(id: $id) { clientSecret } }"
    seen = {
        token: (await sale.h.execute(token, query, {"id": purchase["id"]})).data["purchase"]
        for token in (sale.client(), sale.client(Role.MEMBER), sale.owner)
    }
    assert [found["clientSecret"] is not None for found in seen.values()] == [True, False, False]


async def test_a_declined_card_is_an_error_with_the_purchase(sale: Sale) -> None:
    card = await sale.save_card("pm_card_chargeCustomerFail")
    declined = await sale.buy(paymentMethodId=card)
    assert declined["purchase"]["status"] == "PENDING"
    assert declined["purchase"]["attempts"] == 1
    assert declined["purchase"]["lastError"] == {
        "reason": "DECLINED",
        "message": "The card was declined. Ask the bank or use another card.",
        "retryable": False,
    }
    [error] = declined["userErrors"]
    assert (error["__typename"], error["code"]) == ("CardDeclinedError", "CARD_DECLINED")


async def test_a_saved_card_pays_in_one_call(sale: Sale) -> None:
    card = await sale.save_card()
    bought = await sale.buy(paymentMethodId=card)
    assert bought["userErrors"] == []
    assert bought["purchase"]["status"] == "COMPLETED"
    assert bought["purchase"]["wallet"]["available"] == 100
    assert bought["purchase"]["paymentMethod"] == {"id": card, "last4": "4242"}
    assert await sale.buy(paymentMethodId=card) == bought
    assert await sale.available() == 100


async def test_price_changed_carries_the_new_quote(sale: Sale) -> None:
    query = """
        mutation Run($input: PurchaseCreditsInput!) { purchaseCredits(input: $input) {
            purchase { id }
            userErrors { code ... on PriceChangedError { quote { total { amount } credits } } }
        } }
    """
    wish = {
        "walletId": sale.wallet,
        "credits": 100,
        "expectedTotal": "20.00",
        "idempotencyKey": "k",
    }
    answer = await sale.h.execute(sale.client(), query, {"input": wish})
    assert answer.data["purchaseCredits"] == {
        "purchase": None,
        "userErrors": [
            {"code": "PRICE_CHANGED", "quote": {"total": {"amount": "25.00"}, "credits": 100}}
        ],
    }


async def test_a_suspected_duplicate_carries_the_open_purchase(sale: Sale) -> None:
    first = (await sale.buy())["purchase"]
    query = """
        mutation Run($input: PurchaseCreditsInput!) { purchaseCredits(input: $input) {
            purchase { id }
            userErrors { code ... on DuplicateSuspectedError { purchase { id status } } }
        } }
    """
    wish = {"walletId": sale.wallet, "credits": 100, "idempotencyKey": "another"}
    answer = await sale.h.execute(sale.client(), query, {"input": wish})
    [error] = answer.data["purchaseCredits"]["userErrors"]
    assert error == {
        "code": "DUPLICATE_SUSPECTED",
        "purchase": {"id": first["id"], "status": "PENDING"},
    }


async def test_a_quote_says_the_price_or_why_not(sale: Sale) -> None:
    query = """
        query Q($wallet: ID!, $credits: Credits!) {
            quotePurchase(walletId: $wallet, credits: $credits) {
                credits bonusCredits total { amount } retailUnit refusal { code message }
            }
        }
    """
    answer = await sale.h.execute(sale.client(), query, {"wallet": sale.wallet, "credits": 100})
    assert answer.data["quotePurchase"] == {
        "credits": 100,
        "bonusCredits": 0,
        "total": {"amount": "25.00"},
        "retailUnit": "0.25",
        "refusal": None,
    }
    answer = await sale.h.execute(sale.client(), query, {"wallet": sale.wallet, "credits": 1})
    assert answer.data["quotePurchase"]["total"] is None
    assert answer.data["quotePurchase"]["refusal"]["code"] == "BELOW_CHARGE_MINIMUM"
    other = await sale.h.execute(sale.client(), query, {"wallet": sale.agency, "credits": 100})
    assert other.data["quotePurchase"] is None


async def test_the_agency_lists_every_attempt_newest_first(sale: Sale) -> None:
    for number in range(3):
        await sale.buy(credits=100 + number, idempotencyKey=f"key-{number}")
    canceled = (await sale.buy(credits=200, idempotencyKey="to-cancel"))["purchase"]
    payload = await sale.h.mutate(
        sale.client(), "cancelPurchase", "purchase { status }", purchaseId=canceled["id"]
    )
    assert payload == {"purchase": {"status": "CANCELED"}, "userErrors": []}

    query = """
        query Q($id: ID!, $filter: PurchaseFilter, $after: String) { agency(id: $id) {
            purchases(first: 2, after: $after, filter: $filter) {
                nodes { credits } pageInfo { hasNextPage endCursor } } } }
    """

    async def page(**variables: Any) -> tuple[list[int], str | None]:
        answer = await sale.h.execute(sale.owner, query, {"id": sale.agency, **variables})
        found = answer.data["agency"]["purchases"]
        cursor = found["pageInfo"]["endCursor"] if found["pageInfo"]["hasNextPage"] else None
        return [node["credits"] for node in found["nodes"]], cursor

    credits, cursor = await page()
    assert credits == [200, 102]
    assert await page(after=cursor) == ([101, 100], None)
    assert await page(filter={"statuses": ["CANCELED"]}) == ([200], None)
    assert (await page(filter={"subAccountId": sale.sub_account}))[0] == [200, 102]
    assert await page(filter={"subAccountId": sale.agency}) == ([], None)
    assert await page(filter={"createdBefore": "2020-01-01T00:00:00Z"}) == ([], None)

    of_wallet = "query Q($id: ID!) { wallet(id: $id) { purchases { nodes { credits } } } }"
    answer = await sale.h.execute(sale.client(), of_wallet, {"id": sale.wallet})
    seen = [node["credits"] for node in answer.data["wallet"]["purchases"]["nodes"]]
    assert seen == [200, 102, 101, 100]


async def test_who_may_not_buy_and_who_sees_nothing(sale: Sale) -> None:
    other = await open_sale(sale.h, "Other")
    purchase = (await sale.buy())["purchase"]
    wish = {"walletId": sale.wallet, "credits": 300, "idempotencyKey": "k"}
    for token, code in (
        (sale.client(Role.MEMBER), "FORBIDDEN"),
        (sale.owner, "FORBIDDEN"),
        (other.client(), "NOT_FOUND"),
    ):
        payload = await sale.h.mutate(token, "purchaseCredits", "purchase { id }", **wish)
        assert payload["purchase"] is None
        assert [error["code"] for error in payload["userErrors"]] == [code]
    query = "query Q($id: ID!) { purchase(id: $id) { id } }"
    for token in (other.owner, other.client()):
        answer = await sale.h.execute(token, query, {"id": purchase["id"]})
        assert answer.data == {"purchase": None}
    for name in ("cancelPurchase", "refreshPurchase"):
        payload = await sale.h.mutate(
            other.client(), name, "purchase { id }", purchaseId=purchase["id"]
        )
        assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]


async def test_cards_are_listed_chosen_and_removed(sale: Sale) -> None:
    first = await sale.save_card()

    async def two() -> Any:
        cards = await sale.cards()
        return cards if len(cards) == 2 else None

    started = await sale.h.mutate(
        sale.client(), "startCardSetup", "cardSetup { clientSecret }", walletId=sale.wallet
    )
    secret = started["cardSetup"]["clientSecret"]
    await sale._as_browser("setup_intents", secret, "pm_card_mastercard")
    cards = await eventually(two)
    assert [card["isDefault"] for card in cards] == [True, False]
    assert cards[0]["id"] == first
    second = cards[1]["id"]

    payload = await sale.h.mutate(
        sale.client(),
        "setDefaultPaymentMethod",
        "paymentMethod { isDefault }",
        paymentMethodId=second,
    )
    assert payload == {"paymentMethod": {"isDefault": True}, "userErrors": []}
    assert [card["id"] for card in await sale.cards()] == [second, first]

    for _ in range(2):
        payload = await sale.h.mutate(
            sale.client(),
            "removePaymentMethod",
            "paymentMethod { removed }",
            paymentMethodId=second,
        )
        assert payload == {"paymentMethod": {"removed": True}, "userErrors": []}
    assert [card["id"] for card in await sale.cards()] == [first]
    refused = await sale.buy(paymentMethodId=second)
    assert [error["code"] for error in refused["userErrors"]] == ["NOT_FOUND"]
