from __future__ import annotations

import asyncio

import pytest

from tests.harness import harness
from tests.shop import open_shop
from tests.subscriber import subscribed

pytestmark = pytest.mark.anyio


async def test_spending_takes_credits_once_per_key(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(100, key="buy")

        first = await shop.spend(30, key="search-1")
        again = await shop.spend(30, key="search-1")
        other = await shop.spend(31, key="search-1")

        assert first["wallet"] == {"available": 70, "version": 2}
        assert (first["transaction"]["credits"], first["replayed"]) == (-30, False)
        assert (again["transaction"]["id"], again["replayed"]) == (first["transaction"]["id"], True)
        assert again["wallet"] == {"available": 70, "version": 2}
        assert [error["code"] for error in other["userErrors"]] == ["IDEMPOTENCY_CONFLICT"]


async def test_fifty_spends_racing_for_ten_credits_give_exactly_ten(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        answers = await asyncio.gather(*(shop.spend(1, key=f"race-{n}") for n in range(50)))
        codes = [error["code"] for answer in answers for error in answer["userErrors"]]
        assert codes == ["INSUFFICIENT_CREDITS"] * 40
        last = await h.execute(
            shop.owner,
            "query ($id: ID!) { wallet(id: $id) { available version } }",
            {"id": shop.wallet},
        )
        assert last.data["wallet"] == {"available": 0, "version": 11}


async def test_a_refused_spend_says_what_is_missing_and_leaves_its_key_usable(
    database_url: str,
) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        answer = await h.execute(
            shop.ids.service_key,
            "mutation ($input: SpendCreditsInput!) { spendCredits(input: $input) { wallet { id }"
            " userErrors { code ... on InsufficientCreditsError { required available shortfall }"
            " } } }",
            {
                "input": {
                    "walletId": shop.wallet,
                    "credits": 12,
                    "reference": "too much",
                    "idempotencyKey": "late",
                }
            },
        )
        payload = answer.data["spendCredits"]
        assert payload["wallet"] is None
        assert payload["userErrors"] == [
            {"code": "INSUFFICIENT_CREDITS", "required": 12, "available": 10, "shortfall": 2}
        ]
        await shop.buy(10, key="more")
        retried = await shop.spend(12, key="late")
        assert retried["wallet"]["available"] == 8


async def test_a_suspended_client_cannot_spend_until_it_is_resumed(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        client = shop.ids.sub_accounts[0]
        await h.mutate(
            shop.owner, "suspendSubAccount", "subAccount { status }", subAccountId=client
        )
        refused = await shop.spend(1, key="s")
        assert [error["code"] for error in refused["userErrors"]] == ["WALLET_BLOCKED"]
        await h.mutate(shop.owner, "resumeSubAccount", "subAccount { status }", subAccountId=client)
        assert (await shop.spend(1, key="s"))["wallet"]["available"] == 9


async def test_text_that_cannot_be_stored_is_refused_and_nothing_is_spent(
    database_url: str,
) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        wish = {"walletId": shop.wallet, "credits": 1, "reference": "x", "idempotencyKey": "k"}
        for field, code in (("reference", "INVALID_INPUT"), ("walletId", "NOT_FOUND")):
            payload = await h.mutate(
                shop.ids.service_key, "spendCredits", "wallet { id }", **{**wish, field: "a\x00b"}
            )
            (error,) = payload["userErrors"]
            assert (error["code"], error["field"]) == (code, [field])
        assert (await shop.spend(10, key="all"))["wallet"] == {"available": 0, "version": 2}


@pytest.mark.parametrize("role", ["member", "billing", "owner"])
async def test_people_do_not_spend(database_url: str, role: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        token = {"member": shop.member(), "billing": shop.billing(), "owner": shop.owner}[role]
        payload = await h.mutate(
            token,
            "spendCredits",
            "wallet { available }",
            walletId=shop.wallet,
            credits=1,
            reference="x",
            idempotencyKey="k",
        )
        assert [error["code"] for error in payload["userErrors"]] == ["FORBIDDEN"]
        assert (await shop.spend(10, key="all"))["wallet"]["available"] == 0


async def test_a_repeated_key_gets_its_first_answer_also_after_a_suspension(
    database_url: str,
) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        first = await shop.spend(4, key="s")
        client = shop.ids.sub_accounts[0]
        await h.mutate(
            shop.owner, "suspendSubAccount", "subAccount { status }", subAccountId=client
        )
        again = await shop.spend(4, key="s")
        assert again["userErrors"] == []
        assert (again["transaction"], again["replayed"]) == (first["transaction"], True)
        refused = await shop.spend(4, key="other")
        assert [error["code"] for error in refused["userErrors"]] == ["WALLET_BLOCKED"]


SPEND_AND_LOOK = """
mutation ($input: SpendCreditsInput!) {
  spendCredits(input: $input) {
    transaction { credits wallet { id } }
    wallet {
      available
      owner { __typename }
      transactions { nodes { id } }
      purchases { nodes { id } }
      paymentMethods { id }
    }
  }
}
"""


async def test_a_key_that_may_only_spend_sees_its_answer_and_no_further(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        made = await h.mutate(
            shop.owner,
            "createApiKey",
            "secret",
            agencyId=shop.agency,
            name="spender",
            scopes=["SPEND"],
        )
        wish = {
            "walletId": shop.wallet,
            "credits": 1,
            "reference": "a search",
            "idempotencyKey": "k",
        }
        plain = SPEND_AND_LOOK.split("owner", maxsplit=1)[0].replace(" wallet { id }", "") + "} } }"
        answer = await h.execute(made["secret"], plain, {"input": wish})
        assert answer.data["spendCredits"]["wallet"] == {"available": 9}
        assert answer.data["spendCredits"]["transaction"] == {"credits": -1}
        curious = await h.execute(made["secret"], SPEND_AND_LOOK, {"input": wish})
        assert set(curious.codes) == {"FORBIDDEN"}
        assert shop.ids.sub_accounts[0] not in str(curious.body)


async def test_a_revoked_key_spends_no_more_over_a_socket_that_is_open(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(10, key="buy")
        made = await h.mutate(
            shop.owner,
            "createApiKey",
            "apiKey { id } secret",
            agencyId=shop.agency,
            name="spender",
            scopes=["SPEND"],
        )
        spend = (
            "mutation ($input: SpendCreditsInput!) { spendCredits(input: $input) "
            "{ wallet { available } } }"
        )
        wish = {"walletId": shop.wallet, "credits": 1, "reference": "x", "idempotencyKey": "one"}
        async with subscribed(h, made["secret"], spend, {"input": wish}) as socket:
            assert (await socket.update())["wallet"] == {"available": 9}
            await socket.frame()
            await h.mutate(
                shop.owner, "revokeApiKey", "apiKey { id }", apiKeyId=made["apiKey"]["id"]
            )
            payload = {"query": spend, "variables": {"input": wish | {"idempotencyKey": "two"}}}
            await socket.socket.send_json({"id": "2", "type": "subscribe", "payload": payload})
            assert (await socket.frame())["closed"] == 4401
        assert (await shop.spend(9, key="rest"))["wallet"]["available"] == 0
