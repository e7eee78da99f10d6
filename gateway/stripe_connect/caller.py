"""What every group of calls is built on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from gateway.settings import Settings
from gateway.stripe_connect.transport import Transport

CARDS_ONLY: Final = {"enabled": True, "allow_redirects": "never"}
"""`automatic_payment_methods`: what a buyer can confirm without leaving the page."""

_PAGE: Final = 100


class Caller:
    """Has the one transport of the process."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Transport(settings)
        self._client_id = settings.stripe_client_id
        self._connect_base = settings.stripe_connect_base.rstrip("/")

    async def close(self) -> None:
        """Give the connections back. After: no further call."""
        await self._transport.close()

    async def _pages(
        self, path: str, params: Mapping[str, Any], *, account: str
    ) -> AsyncIterator[Mapping[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            answer = await self._transport.call(
                "get", path, {**params, "limit": _PAGE, **cursor}, account=account
            )
            for data in answer.data["data"]:
                yield data
            if not answer.data["has_more"]:
                return
            cursor = {"starting_after": answer.data["data"][-1]["id"]}
