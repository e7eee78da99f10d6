from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from gateway.ledger.book import Book
from tests.gateway.ledger.ground import NOON, Ground, lay_ground


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **step: int) -> None:
        self.now += timedelta(**step)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def book(database: str, clock: Hands) -> AsyncIterator[Book]:
    opened = Book(clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def ground(database: str) -> Ground:
    return await lay_ground(clients=2)
