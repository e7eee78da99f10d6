"""The gateway's own API, as the demo's seed and simulator use it."""

from __future__ import annotations

from typing import Any

import aiohttp


class ApiRefused(OSError):
    """The gateway refused a step of the demo; the message is its own."""


class ApiClient:
    """GraphQL over HTTP with one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str = "") -> None:
        self.session, self.url, self._token = session, url, token

    def signed_in(self, token: str) -> ApiClient:
        """The same gateway as another caller."""
        return ApiClient(self.session, self.url, token)

    async def query(self, text: str, **variables: Any) -> Any:
        """The data of one operation. Raises ApiRefused."""
        headers = {"Authorization": f"Bearer {self._token}"}
        payload = {"query": text, "variables": variables}
        async with self.session.post(self.url, json=payload, headers=headers) as answer:
            body = await answer.json(content_type=None)
        if body.get("errors"):
            raise ApiRefused(body["errors"][0]["message"])
        return body["data"]

    async def mutate(self, operation: str, selection: str, /, **fields: Any) -> Any:
        """Run a mutation with one input; → its payload. Raises ApiRefused for `userErrors`."""
        text = (
            f"mutation Run($input: {operation[0].upper()}{operation[1:]}Input!) "
            f"{{ {operation}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
        )
        payload = (await self.query(text, input=fields))[operation]
        if payload["userErrors"]:
            raise ApiRefused(f"{operation}: {payload['userErrors'][0]['message']}")
        return payload
