"""`rebill watch`: a wallet's balance, live, over graphql-transport-ws."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich.console import Console

_QUERY: Final = """
subscription Watch($wallet: ID!, $after: Int64) {
  walletUpdated(walletId: $wallet, afterVersion: $after) {
    version
    wallet { available held pending frozen debt }
  }
}
"""
_PROTOCOL: Final = "graphql-transport-ws"


class WatchError(OSError):
    """The stream could not be opened, or ended; the message says why."""


async def watch_wallet(
    out: Console,
    *,
    wallet: str,
    url: str,
    token: str | None,
    data_dir: Path,
    after: int | None,
) -> None:
    """Print a line for the wallet's state and for every change, until the stream ends.

    Raises WatchError."""
    bearer = token or _demo_token(data_dir)
    variables = {"wallet": wallet, "after": after}
    async for update in _updates(url, bearer, variables):
        state = update["wallet"]
        rest = ", ".join(
            f"{name} {state[name]}" for name in ("held", "pending", "frozen", "debt") if state[name]
        )
        line = f"version {update['version']:>6}   available [bold]{state['available']:>10}[/]"
        out.print(f"{line}   {rest}" if rest else line, highlight=False)


def _demo_token(data_dir: Path) -> str:
    try:
        seeded = json.loads((data_dir / "demo.json").read_text())
    except OSError:
        raise WatchError("Give a token by --token or REBILL_TOKEN.") from None
    return str(seeded["tokens"]["agencyOwner"])


async def _updates(url: str, token: str, variables: dict[str, Any]) -> AsyncIterator[Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=[_PROTOCOL], heartbeat=30) as socket,
    ):
        await socket.send_json(
            {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
        )
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            frame = json.loads(message.data)
            if frame["type"] == "connection_ack":
                payload = {"query": _QUERY, "variables": variables}
                await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
            elif frame["type"] == "ping":
                await socket.send_json({"type": "pong"})
            elif frame["type"] == "next" and not frame["payload"].get("errors"):
                yield frame["payload"]["data"]["walletUpdated"]
            elif frame["type"] in {"next", "error"}:
                raise WatchError(_reason(frame["payload"]))
        raise WatchError(f"The gateway closed the stream (code {socket.close_code}).")


def _reason(payload: Any) -> str:
    errors = payload["errors"] if isinstance(payload, dict) else payload
    return str(errors[0]["message"])
