"""One unit of work: lock, look, decide, write, commit. Repeated when the database was at fault."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg
import structlog
from tortoise.exceptions import DBConnectionError

from gateway.clock import Clock
from gateway.database import Connection, transaction
from gateway.errors import ConflictRetry
from gateway.ledger import storage
from gateway.ledger.plan import Answer, Plan, Wish, decide_all
from gateway.ledger.receipts import Receipt, Rider

log = structlog.get_logger(__name__)

_PAUSES_S: Final = (0.01, 0.05, 0.25, 1.0)
_PATIENCE_S: Final = 5.0

# The database was away, overloaded, or chose us as the victim; another attempt may well succeed.
_PASSING: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    DBConnectionError,
    OSError,
    storage.WrittenMeanwhileError,
)


class UnitOfWork:
    """A batch of wishes on its way into the database; `run` answers each."""

    def __init__(
        self, wishes: Sequence[Wish], *, clock: Clock, on_commit: Callable[[], None]
    ) -> None:
        self._wishes = wishes
        self._clock = clock
        self._on_commit = on_commit
        # The plan whose COMMIT was sent and not answered: stored or not, nobody knows yet.
        self._in_doubt: Plan | None = None

    async def run(self) -> list[Answer]:
        """Answer every wish: a receipt once it is durable, or the refusal.

        Raises ConflictRetry when the database stays away, else whatever a rider or the database
        raised; then nothing of this unit is stored, except as ConflictRetry's message says."""
        deadline = time.monotonic() + _PATIENCE_S
        for pause_s in (*_PAUSES_S, None):
            try:
                return await self._attempt()
            except Exception as error:
                # In doubt, only another look may answer; anything else could store it twice.
                if self._in_doubt is None and not _is_passing(error):
                    raise
                log.warning("ledger_unit_repeated", error=type(error).__name__)
                if pause_s is None or time.monotonic() > deadline:
                    raise self._given_up() from error
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        raise AssertionError("the last pause is None")

    async def _attempt(self) -> list[Answer]:
        committing: Plan | None = None
        try:
            async with transaction() as connection:
                async with connection.acquire_connection() as database:
                    locked = await storage.lock_wallets(database, self._wishes)
                    # Under the locks the earlier attempt has ended, one way or the other.
                    if earlier := await self._settled(database):
                        return earlier.answers
                    plan = await self._decide_and_write(database, locked)
                await _apply_riders(connection, plan)
                committing = plan
        except BaseException:
            if committing is not None and committing.sealed:
                self._in_doubt = committing
            raise
        if plan.sealed:
            self._tell()
        return plan.answers

    async def _settled(self, database: storage.Database) -> Plan | None:
        if self._in_doubt is None:
            return None
        # One unit is stored whole or not at all, so one of its rows answers for all.
        if await storage.is_stored(database, self._in_doubt.sealed[0]):
            self._tell()
            return self._in_doubt
        self._in_doubt = None
        return None

    async def _decide_and_write(
        self, database: storage.Database, locked: Sequence[asyncpg.Record]
    ) -> Plan:
        known = await storage.read_known(database, self._wishes, locked)
        now = self._clock()
        plan = decide_all(self._wishes, known, now=now)
        await storage.write(database, plan, now=now)
        return plan

    def _tell(self) -> None:
        try:
            self._on_commit()
        except Exception:
            # What is committed is committed; the relay looks by itself before long.
            log.exception("on_commit_failed")

    def _given_up(self) -> ConflictRetry:
        if self._in_doubt:
            return ConflictRetry(
                "The database was lost while it stored this. It may or may not be done: "
                "send it again with the same idempotency key to learn which."
            )
        return ConflictRetry("The database cannot finish this now. Nothing changed; try again.")


def _is_passing(error: Exception) -> bool:
    # asyncpg calls a value that fits no column an InterfaceError too; that never passes.
    return isinstance(error, _PASSING) and not isinstance(error, ValueError)


async def _apply_riders(connection: Connection, plan: Plan) -> None:
    kinds: dict[str, list[tuple[Rider, Receipt]]] = {}
    for rider, receipt in plan.riders:
        kinds.setdefault(rider.kind, []).append((rider, receipt))
    for riders in kinds.values():
        await type(riders[0][0]).apply(connection, riders)
