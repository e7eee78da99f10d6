"""What an API operation is, and what it is given when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stripe_sandbox.errors import Json
from stripe_sandbox.forms import Shape
from stripe_sandbox.state import State


@dataclass(frozen=True, kw_only=True)
class Call:
    """One checked request: who asks, for which account, with which parameters."""

    state: State
    account: str
    """The id of the connected account, or PLATFORM."""
    params: Json
    ids: Mapping[str, str] = field(default_factory=dict)
    """The ids in the path."""
    publishable: bool = False
    """Made with the publishable key, as a browser or a phone does."""

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default when it is absent or unset."""
        value = self.params.get(name)
        return default if value is None else value


Handler = Callable[[Call], Json]


@dataclass(frozen=True)
class Operation:
    """One method and path of the API with the parameters it knows.

    The handler runs to its end without waiting, so nobody sees half of its changes.
    """

    method: str
    path: str
    handler: Handler
    table: Mapping[str, Shape] = field(default_factory=dict)
    publishable: bool = False

    def parts(self) -> tuple[str, ...]:
        """The path's segments; "{name}" stands for an id."""
        return tuple(self.path.strip("/").split("/"))
