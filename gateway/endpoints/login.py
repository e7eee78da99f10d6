"""What the transports need to know a caller; the business behind it is `gateway.auth`."""

from __future__ import annotations

from typing import Protocol

from gateway.auth.viewer import Viewer


class Authenticator(Protocol):
    """Turns the value of an `Authorization` header into a viewer."""

    async def __call__(self, authorization: str | None) -> Viewer:
        """Raises Unauthenticated; `expired` set when the token was good once."""
        ...


class ContextFactory(Protocol):
    """Makes the object that resolvers find in `info.context`."""

    def __call__(self, viewer: Viewer, request_id: str) -> object:
        """A fresh context: nothing in it was seen by an earlier operation."""
        ...
