from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.gateway.agencies.office import Office, open_office


@pytest.fixture
async def office(database: str) -> AsyncIterator[Office]:
    """The gateway's functions, an empty database and the local Stripe."""
    async with open_office(database) as opened:
        yield opened
