from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.purchases.shop import Shop, open_shop


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    """An agency that sells, one client, and Stripe without webhooks."""
    async with open_shop(database) as opened:
        yield opened
