"""The sign that this process is about to stop."""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol


class Draining(Protocol):
    """Set once, when the process stops taking work; asyncio.Event is one."""

    def is_set(self) -> bool: ...

    async def wait(self) -> Literal[True]: ...


async def drains_within(draining: Draining, *, timeout_s: float) -> bool:
    """Wait until draining begins, but no longer than `timeout_s` seconds; whether it began."""
    try:
        async with asyncio.timeout(timeout_s):
            await draining.wait()
    except TimeoutError:
        return False
    return True
