"""The only writer of balances: commands go in one by one and are stored in shared commits."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple
from zlib import crc32

import structlog

from gateway.clock import Clock
from gateway.errors import ConflictRetry, InvalidInput
from gateway.ledger.commands import Command
from gateway.ledger.plan import Answer, Wish
from gateway.ledger.receipts import Idempotency, Receipt, Rider
from gateway.ledger.unit import UnitOfWork

log = structlog.get_logger(__name__)

_LANES: Final = 2
_MOST_IN_A_UNIT: Final = 256


class Closed(Exception):
    """The book takes no more commands: the process is going down."""


def _nobody() -> None:
    """Nobody waits for commits."""


class Book:
    """Posts commands. While one unit of work is under way, arriving commands gather and share the
    next one; no timer, so a single caller never waits for company."""

    def __init__(self, *, clock: Clock, on_commit: Callable[[], None] = _nobody) -> None:
        """on_commit is called after each commit that wrote outbox rows; it must not wait."""
        self._lanes = [_Lane(clock, on_commit) for _ in range(_LANES)]
        self._closed = False

    async def post(
        self,
        command: Command,
        *,
        idempotency: Idempotency | None = None,
        rider: Rider | None = None,
    ) -> Receipt:
        """Store what the command does, and answer once that is durable.

        A caller that is cancelled does not take the command back. Never call this inside a
        database transaction: it would wait for its own wallet's lock.
        Raises the command's refusal (see `decide`), NotFound for a wallet that is not the
        agency's, IdempotencyConflict, InProgress, and whatever the rider raised; then nothing
        is stored. ConflictRetry when the database is away: its message says what is known."""
        if self._closed:
            raise Closed
        if idempotency is not None:
            _check_key(idempotency.key)
        return await self._lane(command).post(Wish(command, idempotency, rider))

    async def close(self) -> None:
        """Take no more commands, and finish those that were accepted."""
        self._closed = True
        for lane in self._lanes:
            await lane.finish()

    def _lane(self, command: Command) -> _Lane:
        return self._lanes[crc32(command.wallet_id.encode()) % _LANES]


class _Post(NamedTuple):
    wish: Wish
    answer: asyncio.Future[Receipt]


class _Lane:
    """A queue and at most one unit of work at a time.

    Each wallet has its lane, so a busy wallet's commands all share one commit, and two lanes never
    fight for one wallet (a grant's pool may be of the other lane: the row locks see to it). Two,
    because one computes here while the other waits for the database: over many wallets a fifth
    more than one lane; a third costs more work than it brings (benchmarks/ledger.py)."""

    def __init__(self, clock: Clock, on_commit: Callable[[], None]) -> None:
        self._clock = clock
        self._on_commit = on_commit
        self._waiting: deque[_Post] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def post(self, wish: Wish) -> Receipt:
        post = _Post(wish, asyncio.get_running_loop().create_future())
        self._waiting.append(post)
        if self._worker is None:
            # An empty context: the worker outlives the caller, and must not inherit the caller's
            # database transaction or log fields.
            self._worker = asyncio.create_task(self._work(), context=contextvars.Context())
        return await post.answer

    async def finish(self) -> None:
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        try:
            while posts := self._take():
                await self._settle(posts)
        finally:
            self._worker = None

    def _take(self) -> list[_Post]:
        posts: list[_Post] = []
        while self._waiting and len(posts) < _MOST_IN_A_UNIT:
            post = self._waiting.popleft()
            # Whoever gave up before its turn has changed nothing.
            if not post.answer.done():
                posts.append(post)
        return posts

    async def _settle(self, posts: list[_Post]) -> None:
        wishes = [post.wish for post in posts]
        unit = UnitOfWork(wishes, clock=self._clock, on_commit=self._on_commit)
        try:
            answers = await unit.run()
        except Exception as error:  # noqa: BLE001 - it goes to whom it concerns
            await self._settle_failure(posts, error)
        else:
            for post, answer in zip(posts, answers, strict=True):
                _give(post.answer, answer)

    async def _settle_failure(self, posts: list[_Post], error: Exception) -> None:
        if len(posts) == 1 or isinstance(error, ConflictRetry):
            for post in posts:
                _give(post.answer, error)
            return
        # One of them cannot be stored. Each by itself, so that only that one fails.
        log.warning("ledger_unit_split", commands=len(posts), error=type(error).__name__)
        for post in posts:
            await self._settle([post])


def _give(future: asyncio.Future[Receipt], answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 255 or "\0" in key:
        raise InvalidInput("A key has 1 to 255 characters.", field=("idempotencyKey",))
