"""Posting through the real book on a real database."""

from __future__ import annotations

import asyncio

import pytest

from gateway.clock import system_clock
from gateway.errors import InsufficientCredits
from gateway.ledger.book import Book
from tests.gateway.ledger.ground import lay_ground

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]


async def test_fifty_spends_race_for_ten_credits_and_ten_win() -> None:
    ground = await lay_ground()
    book = Book(clock=system_clock)
    await book.post(ground.grant(0, 10))

    answers = await asyncio.gather(
        *(book.post(ground.spend(0, 1)) for _ in range(50)), return_exceptions=True
    )

    refused = [answer for answer in answers if isinstance(answer, InsufficientCredits)]
    assert len(refused) == 40
    assert {(refusal.required, refusal.available) for refusal in refused} == {(1, 0)}
    assert await ground.available(0) == 0
    assert len(await ground.transactions(0)) == 11
