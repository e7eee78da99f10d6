"""Runs the stock JavaScript clients of `tests/clients` with the node of the wheel."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).parent / "clients"


def node() -> str:
    """The interpreter of the wheel beside Python's, else the one of the system."""
    beside = Path(sys.executable).with_name("node")
    found = str(beside) if beside.exists() else shutil.which("node")
    if found and (CLIENTS / "node_modules").is_dir():
        return found
    if os.environ.get("REBILL_NODE_CLIENTS_REQUIRED") == "1":
        pytest.fail("node and tests/clients/node_modules are required here: run `make install`.")
    pytest.skip("The npm clients are not installed: run `make install`.")


async def run_client(script: str, **options: str) -> tuple[int | None, list[dict[str, Any]]]:
    """Exit code and the JSON lines of a script of tests/clients."""
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    process = await asyncio.create_subprocess_exec(
        node(), script, *arguments, cwd=CLIENTS, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode, [json.loads(line) for line in output.splitlines()]
