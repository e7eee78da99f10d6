"""`python -m stripe_sandbox`: run a local Stripe until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import orjson

from stripe_sandbox.server import Sandbox
from stripe_sandbox.state import Settings


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m stripe_sandbox", description="A local Stripe for demo and tests."
    )
    parser.add_argument("--host", default="127.0.0.1", help="the control routes stay loopback-only")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--data-dir", type=Path, help="remember everything here across restarts")
    parser.add_argument("--seed", type=int, help="make ids repeatable")
    parser.add_argument("--json", action="store_true", help="say that it is ready as one JSON line")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="also stop when standard input ends, so that a killed parent leaves nothing behind",
    )
    parser.add_argument(
        "--later-s",
        type=float,
        default=Settings().later_s,
        help="seconds that bank debits and test refunds stay undecided; negative: until told",
    )
    asyncio.run(_serve(parser.parse_args(arguments)))


async def _serve(given: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if given.until_stdin_closes:
        loop.add_reader(sys.stdin.fileno(), _stop_at_end_of_input, stop)
    settings = Settings(later_s=None if given.later_s < 0 else given.later_s)
    async with Sandbox(
        seed=given.seed,
        data_dir=given.data_dir,
        host=given.host,
        port=given.port,
        settings=settings,
    ) as box:
        line = f"Local Stripe is ready at {box.url}"
        if given.json:
            line = orjson.dumps({"url": box.url}).decode()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        await stop.wait()


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


if __name__ == "__main__":
    main()
