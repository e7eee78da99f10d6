"""Which exceptions mean that the database or the network could not finish now."""

from __future__ import annotations

import asyncpg
from tortoise.exceptions import DBConnectionError

_PASSING = (
    DBConnectionError,
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    # Serialization failure and deadlock: PostgreSQL rolled back and asks to repeat
    # (PostgreSQL manual, "Serialization Failure Handling").
    asyncpg.TransactionRollbackError,
    # Too many connections, out of memory, disk full.
    asyncpg.InsufficientResourcesError,
    # Shutdown, crash of a neighbour, start not ended, statement_timeout.
    asyncpg.OperatorInterventionError,
    asyncpg.LockNotAvailableError,
)


def is_outage(error: BaseException) -> bool:
    """Whether repeating the same request later may succeed: the database or the network was at
    fault, not the request and not our code. Looks through the exceptions it was raised from,
    because the ORM wraps those of the driver."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _PASSING) or _is_closed_connection(seen):
            return True
        seen = seen.__cause__
    return False


def _is_closed_connection(error: BaseException) -> bool:
    # asyncpg uses one class for a connection that went away and for wrong use of it; only the
    # words tell them apart.
    return isinstance(error, asyncpg.InterfaceError) and (
        "closed" in str(error) or "closing" in str(error)
    )
