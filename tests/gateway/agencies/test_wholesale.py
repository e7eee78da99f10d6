from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.agencies.wholesale import set_wholesale_price, tell_of_wholesale
from tests.gateway.agencies.office import ADMIN, Office

pytestmark = pytest.mark.anyio


async def test_a_scheduled_wholesale_price_is_told_of_once_when_it_begins(office: Office) -> None:
    follower, special, euro = (
        await office.agency(),
        await office.agency(),
        await office.agency(currency="EUR"),
    )
    soon = office.clock() + timedelta(hours=1)
    for currency, agency, price, since in (
        ("USD", None, "0.12", None),
        (None, special.id, "0.10", None),
        ("USD", None, "0.15", soon),
        (None, euro.id, "0.11", soon + timedelta(hours=1)),
    ):
        await set_wholesale_price(
            office.rt,
            ADMIN,
            currency=currency,
            agency_id=agency,
            price=Decimal(price),
            effective_at=since,
        )
    await tell_of_wholesale(office.rt)
    before = {agency.id: await office.events(agency) for agency in (follower, special, euro)}

    office.clock.advance(minutes=61)
    told = await asyncio.gather(*(tell_of_wholesale(office.rt) for _ in range(3)))
    assert sum(told) == 3
    assert await office.events(follower) == [*before[follower.id], "BLOCKS_UPDATED"]
    assert await office.events(special) == before[special.id]
    assert await office.events(euro) == before[euro.id] == []
    assert await tell_of_wholesale(office.rt) == 0

    office.clock.advance(minutes=61)
    await tell_of_wholesale(office.rt)
    assert await office.events(euro) == ["BLOCKS_UPDATED"]
    assert await office.events(follower) == [*before[follower.id], "BLOCKS_UPDATED"]
