"""The servers that a demo runs beside itself: PostgreSQL and the local Stripe."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gateway.local_postgres import LocalPostgres, start_local_postgres

_READY_TIMEOUT_S: Final = 20
_STOP_TIMEOUT_S: Final = 10


@asynccontextmanager
async def demo_postgres(data_dir: Path) -> AsyncIterator[LocalPostgres]:
    """The demo's own server, stopped when the block ends. Raises LocalPostgresError."""
    server = await asyncio.to_thread(start_local_postgres, data_dir / "postgres", durable=True)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def demo_stripe(data_dir: Path, *, port: int) -> AsyncIterator[str]:
    """The address of a local Stripe with lasting data, stopped when the block ends.

    It also stops by itself when its standard input closes, so that a killed demo leaves nothing
    behind. Raises OSError when it does not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stripe_sandbox", "--port", str(port), "--json"),
        *("--data-dir", str(data_dir / "stripe"), "--until-stdin-closes"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C reaches the demo alone, which then stops its children in order.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_READY_TIMEOUT_S):
            line = await process.stdout.readline()
        if not line:
            raise OSError("the local Stripe did not start")
        yield str(json.loads(line)["url"])
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
