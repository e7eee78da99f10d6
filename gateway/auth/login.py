"""From an Authorization header to a Viewer."""

from __future__ import annotations

from gateway.auth.api_keys import KEY_PREFIX, viewer_of_key
from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Viewer
from gateway.clock import Clock
from gateway.errors import Unauthenticated


class Login:
    """`Bearer <JWT>` for people, `Bearer rbk_…` for services and partners."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens, self._clock = tokens, clock

    async def __call__(self, authorization: str | None) -> Viewer:
        """The proven caller. Raises Unauthenticated."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send “Authorization: Bearer <token>”.")
        if token.startswith(KEY_PREFIX):
            return await viewer_of_key(token, self._clock)
        return await self._tokens.viewer(token)
