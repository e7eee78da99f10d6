"""Which failures a client may simply repeat."""

import asyncpg
import pytest
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError

from gateway.endpoints.outages import is_outage


def wrapped(error: Exception) -> Exception:
    outer = OperationalError(error)
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        DBConnectionError("no database"),
        asyncpg.ConnectionDoesNotExistError("closed in the middle"),
        asyncpg.SerializationError("40001"),
        asyncpg.DeadlockDetectedError("40P01"),
        asyncpg.TooManyConnectionsError("53300"),
        asyncpg.AdminShutdownError("57P01"),
        asyncpg.CannotConnectNowError("57P03"),
        asyncpg.QueryCanceledError("57014"),
        asyncpg.LockNotAvailableError("55P03"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("pool is closing"),
        wrapped(asyncpg.SerializationError("40001")),
    ],
)
def test_a_passing_trouble_may_be_repeated(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a bug"),
        OSError("no space left on device"),
        IntegrityError("duplicate key"),
        asyncpg.UniqueViolationError("23505"),
        asyncpg.PostgresSyntaxError("42601"),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
        wrapped(asyncpg.UndefinedTableError("42P01")),
    ],
)
def test_a_bug_is_not_an_outage(error: Exception) -> None:
    assert not is_outage(error)
