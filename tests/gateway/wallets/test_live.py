"""The stream of a wallet itself, read as slowly as a reader likes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.auth.viewer import ROLE_SCOPES, Role, Viewer, ViewerKind
from gateway.live.bus import InProcessBus
from gateway.wallets.live import WalletUpdate, wallet_updates
from tests.harness import harness
from tests.shop import Shop, open_shop

pytestmark = pytest.mark.anyio


def member(shop: Shop) -> Viewer:
    return Viewer(
        subject="a member",
        kind=ViewerKind.SUB_ACCOUNT,
        role=Role.MEMBER,
        scopes=ROLE_SCOPES[Role.MEMBER],
        agency_id=shop.agency,
        sub_account_id=shop.ids.sub_accounts[0],
    )


async def test_a_reader_that_was_away_gets_one_message_with_the_newest_state(
    database_url: str,
) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        await shop.buy(200, key="buy")
        rt = h.gateway.runtime
        stream = wallet_updates(rt, member(shop), wallet_id=shop.wallet, after_version=None)
        first = await anext(stream)
        assert (first.version, first.wallet.available) == (1, 200)
        # More changes than the reader's mailbox holds, none of them read.
        for number in range(100):
            await shop.spend(1, key=f"s{number}")
        seen: list[WalletUpdate] = []
        while not seen or seen[-1].version < 101:
            seen.append(await anext(stream))
        await stream.aclose()
        assert seen[0].from_version == 2
        assert seen[-1].wallet.available == 100
        assert len(seen) < 5
        assert all(b.from_version in (a.version + 1, a.version) for a, b in pairwise(seen))


async def test_a_stream_that_is_left_leaves_nothing_behind(database_url: str) -> None:
    async with harness(database_url) as h:
        shop = await open_shop(h)
        bus = h.gateway.runtime.bus
        assert isinstance(bus, InProcessBus)
        before = bus.listener_count
        stream = wallet_updates(
            h.gateway.runtime, member(shop), wallet_id=shop.wallet, after_version=None
        )
        await anext(stream)
        assert bus.listener_count == before + 1
        await stream.aclose()
        assert bus.listener_count == before
