from __future__ import annotations

import pytest

from gateway.database import rows

pytestmark = pytest.mark.anyio


async def test_the_schema_is_there(database: str) -> None:
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {"wallets", "ledger_transactions"} <= {table["tablename"] for table in tables}
