"""The connection dies at the worst moments; what was asked happens once, and is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import urlsplit

import pytest

from gateway.database import Connection, close_database, open_database, rows
from gateway.errors import ConflictRetry
from gateway.ledger.book import Book
from gateway.ledger.receipts import Receipt
from gateway.ledger.verify import verify
from tests.gateway.ledger.conftest import Hands
from tests.gateway.ledger.ground import Ground, lay_ground

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Axe:
    """Ends its own session so many times, just before the commit."""

    kind: ClassVar[str] = "axe"
    blows: ClassVar[int] = 0

    @classmethod
    async def apply(cls, connection: Connection, riders: Sequence[tuple[Self, Receipt]]) -> None:
        assert riders, "never applied for nothing"
        if cls.blows:
            Axe.blows -= 1
            await rows("SELECT pg_terminate_backend(pg_backend_pid())", on=connection)


class Wire:
    """Passes bytes between the gateway and PostgreSQL, and can lose the answer to a COMMIT."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = parts.hostname, parts.port
        self._parts = parts
        self._open: set[asyncio.StreamWriter] = set()
        self.losing = 0

    async def start(self) -> str:
        """Listen, and answer the URL that goes through here."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return self._parts._replace(netloc=f"postgres@127.0.0.1:{port}").geturl()

    async def stop(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.close()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        self._open |= {writer, back}
        lose = asyncio.Event()
        with suppress(ConnectionError):
            await asyncio.gather(self._up(reader, back, lose), self._down(there, writer, lose))
        writer.close()
        back.close()

    async def _up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lose: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if self.losing and b"COMMIT" in data:
                self.losing -= 1
                lose.set()
            writer.write(data)
        writer.close()

    async def _down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lose: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            # The server has done it; nobody hears of it.
            if lose.is_set():
                writer.transport.abort()
                return
            writer.write(data)
        writer.close()


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    wire = Wire(database_url)
    await open_database(await wire.start())
    yield wire
    await close_database()
    await wire.stop()


async def test_a_session_that_ends_before_the_commit_is_tried_again(
    book: Book, ground: Ground
) -> None:
    await book.post(ground.grant(0, 10))
    Axe.blows = 2
    receipt, other = await asyncio.gather(
        book.post(ground.spend(0, 3), rider=Axe()), book.post(ground.spend(0, 1))
    )
    assert (receipt.available, other.available, Axe.blows) == (7, 6, 0)
    assert len(await ground.transactions(0)) == 3
    assert await verify() == []


async def test_a_database_that_stays_away_is_said_plainly(book: Book, ground: Ground) -> None:
    await book.post(ground.grant(0, 10))
    Axe.blows = 5
    with pytest.raises(ConflictRetry, match="Nothing changed"):
        await book.post(ground.spend(0, 3), rider=Axe())
    assert await ground.available(0) == 10
    assert (await book.post(ground.spend(0, 3))).available == 7


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_lost_answer_to_the_commit_neither_doubles_nor_loses(
    wire: Wire, clock: Hands, lost: int
) -> None:
    """More than one lost: the connections that look for the outcome are cut as well."""
    ground, nudges = await lay_ground(), list[int]()
    book = Book(clock=clock, on_commit=lambda: nudges.append(1))
    await book.post(ground.grant(0, 10))
    wire.losing = lost
    receipts = await asyncio.gather(*(book.post(ground.spend(0, 1)) for _ in range(5)))
    assert wire.losing == 0
    assert [receipt.available for receipt in receipts] == [9, 8, 7, 6, 5]
    assert [txn["version"] for txn in await ground.transactions(0)] == [1, 2, 3, 4, 5, 6]
    assert len(nudges) >= 2
    assert await verify() == []


async def test_an_outcome_that_stays_unknown_is_said_and_the_key_tells_it_later(
    wire: Wire, clock: Hands
) -> None:
    ground, book = await lay_ground(), Book(clock=clock)
    await book.post(ground.grant(0, 10))
    wire.losing = 100
    with pytest.raises(ConflictRetry, match="may or may not be done"):
        await book.post(ground.spend(0, 1), idempotency=ground.key("k"))
    wire.losing = 0
    again = await book.post(ground.spend(0, 1), idempotency=ground.key("k"))
    assert (again.available, again.replayed) == (9, True)
    assert await ground.available(0) == 9
