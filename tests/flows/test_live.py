"""What a client sees without asking: the wallet's every change, in order, without gaps."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

from gateway.live.bus import InProcessBus
from tests.harness import Harness, eventually, harness
from tests.npm_clients import run_client
from tests.shop import Shop, open_shop
from tests.subscriber import WALLET, Subscriber, subscribed

pytestmark = pytest.mark.anyio


def following(seen: list[dict[str, Any]]) -> bool:
    """True when each message begins where the one before it ended."""
    return all(
        later["fromVersion"] in (earlier["version"] + 1, earlier["version"])
        for earlier, later in pairwise(seen)
    )


async def until_version(subscriber: Subscriber, version: int) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["version"] < version:
        seen.append(await subscriber.update())
    return seen


async def test_the_balance_rises_in_front_of_the_client(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        async with subscribed(h, shop.member(), WALLET, {"id": shop.wallet}) as live:
            first = await live.update()
            assert (first["version"], first["wallet"]["available"]) == (0, 0)
            assert first["reset"] is False
            await shop.buy(100, key="buy")
            last = (await until_version(live, 1))[-1]
            assert (last["fromVersion"], last["version"]) == (1, 1)
            assert last["wallet"]["available"] == 100
            await shop.spend(30, key="spend")
            update = await live.update()
            assert (update["fromVersion"], update["wallet"]["available"]) == (2, 70)


async def test_many_changes_arrive_in_order_and_the_last_one_always(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(100, key="buy")
        async with subscribed(h, shop.member(), WALLET, {"id": shop.wallet}) as live:
            await live.update()
            await asyncio.gather(*(shop.spend(1, key=f"s{n}") for n in range(60)))
            seen = await until_version(live, 61)
            assert following(seen)
            assert seen[-1]["wallet"]["available"] == 40


async def test_a_client_that_comes_back_gets_what_it_missed_in_one_message(
    database_url: str,
) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(100, key="buy")
        for number in range(4):
            await shop.spend(10, key=f"s{number}")
        resume = {"id": shop.wallet, "after": 2}
        async with subscribed(h, shop.member(), WALLET, resume) as live:
            missed = await live.update()
            assert (missed["fromVersion"], missed["version"]) == (3, 5)
            assert (missed["reset"], missed["wallet"]["available"]) == (False, 60)


async def test_a_version_that_never_was_resets_the_client(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(100, key="buy")
        resume = {"id": shop.wallet, "after": 99}
        async with subscribed(h, shop.member(), WALLET, resume) as live:
            update = await live.update()
            assert (update["version"], update["reset"]) == (1, True)


async def test_a_block_is_pushed_without_a_new_version(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        async with subscribed(h, shop.member(), WALLET, {"id": shop.wallet}) as live:
            assert (await live.update())["wallet"]["blocks"] == []
            await h.mutate(
                shop.owner,
                "suspendSubAccount",
                "subAccount { id }",
                subAccountId=shop.ids.sub_accounts[0],
            )
            update = await live.update()
            assert update["wallet"]["blocks"] == [{"reason": "SUB_ACCOUNT_SUSPENDED"}]
            assert (update["fromVersion"], update["version"]) == (0, 0)
            assert update["wallet"]["purchasable"] is False


async def test_other_clients_changes_are_not_heard(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h, clients=2)
        async with subscribed(h, shop.member(0), WALLET, {"id": shop.wallet}) as live:
            await live.update()
            await shop.buy(100, key="theirs", client=1)
            await shop.buy(50, key="mine", client=0)
            seen = await until_version(live, 1)
            assert [update["wallet"]["available"] for update in seen][-1] == 50
            assert all(update["wallet"]["available"] in (0, 50) for update in seen)


async def test_a_foreign_wallet_cannot_be_watched(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h, clients=2)
        foreign = {"id": shop.ids.wallets[1]}
        unknown = {"id": "wal_01m82qv5yfedz8b4pw9wcw02sd"}
        answers = []
        for variables in (foreign, unknown):
            async with subscribed(h, shop.member(0), WALLET, variables) as live:
                frame = await live.frame()
                assert frame["type"] in {"error", "next"}
                errors = (
                    frame["payload"] if frame["type"] == "error" else frame["payload"]["errors"]
                )
                [error] = errors
                assert error["extensions"]["code"] == "FORBIDDEN"
                answers.append((frame["type"], error["message"]))
        assert answers[0] == answers[1]


async def test_a_token_that_expires_ends_the_stream_with_its_own_code(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        token = shop.member(lifetime_s=2)
        async with subscribed(h, token, WALLET, {"id": shop.wallet}) as live:
            await live.update()
            ended = await live.frame(within_s=15)
            assert ended["closed"] == 4403


async def test_a_revoked_key_ends_its_streams_at_once(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        made = await h.mutate(
            shop.owner,
            "createApiKey",
            "apiKey { id } secret",
            agencyId=shop.agency,
            name="watcher",
            scopes=["READ"],
        )
        async with subscribed(h, made["secret"], WALLET, {"id": shop.wallet}) as live:
            await live.update()
            await h.mutate(
                shop.owner, "revokeApiKey", "apiKey { revokedAt }", apiKeyId=made["apiKey"]["id"]
            )
            assert [error["extensions"]["code"] for error in await live.errors()] == ["FORBIDDEN"]
        assert (await h.execute(made["secret"], "{ viewer { kind } }")).codes == ["UNAUTHENTICATED"]


async def test_the_agency_sees_every_step_of_a_sale(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        query = (
            "subscription ($id: ID!) { agencyActivity(agencyId: $id) { kind"
            " purchase { status margin { amount } } } }"
        )
        async with subscribed(h, shop.owner, query, {"id": shop.agency}) as live:
            await asyncio.sleep(0.3)
            await shop.buy(100, key="buy")
            purchase = None
            while not purchase or purchase["status"] != "COMPLETED":
                update = await live.update()
                # The connection may still be told of; a purchase comes with its own kind alone.
                purchase = update["purchase"]
                assert (update["kind"] == "PURCHASE_UPDATED") == (purchase is not None)
            assert purchase["margin"] == {"amount": "13.00"}


async def test_a_client_cannot_hear_the_agencys_activity(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        query = "subscription ($id: ID!) { agencyActivity(agencyId: $id) { kind } }"
        async with subscribed(h, shop.billing(), query, {"id": shop.agency}) as live:
            assert [error["extensions"]["code"] for error in await live.errors()] == ["FORBIDDEN"]


async def listening(h: Harness) -> bool:
    bus = h.gateway.runtime.bus
    assert isinstance(bus, InProcessBus)
    return bus.listener_count > 0


async def watched_by_npm(h: Harness, shop: Shop, script: str) -> list[Any]:
    """What the stock client of npm prints for a watched wallet while 100 credits are bought."""
    url = h.url.replace("http", "ws", 1) if script == "ws.js" else h.url
    watching = asyncio.ensure_future(
        run_client(
            script,
            url=url,
            token=shop.member(),
            query="subscription ($id: ID!) { walletUpdated(walletId: $id) "
            "{ version wallet { available } } }",
            variables=json.dumps({"id": shop.wallet}),
            events="2",
        )
    )
    await eventually(lambda: listening(h))
    await shop.buy(100, key="buy")
    _, lines = await watching
    return [line["answer"]["data"]["walletUpdated"] for line in lines if "answer" in line]


@pytest.mark.parametrize("script", ["ws.js", "sse.js"])
async def test_the_stock_npm_clients_see_the_balance_rise(database_url: str, script: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        seen = await watched_by_npm(h, shop, script)
        assert [update["version"] for update in seen] == [0, 1]
        assert [update["wallet"]["available"] for update in seen] == [0, 100]


async def test_pythons_gql_sees_the_balance_rise(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        transport = WebsocketsTransport(
            url=h.url.replace("http", "ws", 1),
            init_payload={"Authorization": f"Bearer {shop.member()}"},
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        )
        query = gql(
            "subscription ($id: ID!) { walletUpdated(walletId: $id) { wallet { available } } }"
        )
        query.variable_values = {"id": shop.wallet}
        seen = []
        async with Client(transport=transport) as session:
            async for answer in session.subscribe(query):
                seen.append(answer["walletUpdated"]["wallet"]["available"])
                if len(seen) == 1:
                    await shop.buy(100, key="buy")
                if seen[-1] == 100:
                    break
        assert seen == [0, 100]
