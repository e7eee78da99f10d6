"""What every resolver gets: the process's runtime and the proven viewer."""

from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from gateway.auth.viewer import Scope, Viewer
from gateway.errors import AccessDenied
from gateway.runtime import Runtime

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
Reader = Callable[[Runtime, Viewer, Sequence[K]], Awaitable[Mapping[K, T]]]


class Loaders:
    """Gathers the ids that one tick asks for into one set-based read per reader.

    Nothing is kept between ticks: a subscription lives long, and a mutation reads again what it
    has just changed. A viewer without the scope READ gets what its mutation answers with and can
    follow it no further."""

    def __init__(self, runtime: Runtime, viewer: Viewer) -> None:
        self._runtime, self._viewer = runtime, viewer
        self._loaders: dict[Reader[Any, Any], DataLoader[Any, Any]] = {}
        self._answering = False

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a mutation puts its own answer together."""
        self._answering = True
        try:
            yield
        finally:
            self._answering = False

    async def load(self, read: Reader[K, T], key: K) -> T | None:
        """The row of `key`, None when this viewer may not see it. Raises AccessDenied for a viewer
        that may not read and asks for more than its mutation's own answer."""
        if not self._answering and not self._viewer.may(Scope.READ):
            raise AccessDenied("To read further this key needs the scope READ.")
        loader = self._loaders.get(read)
        if loader is None:
            loader = self._loaders[read] = DataLoader(load_fn=self._batch(read), cache=False)
        found: T | None = await loader.load(key)
        return found

    def _batch(self, read: Reader[K, T]) -> Callable[[list[K]], Awaitable[list[T | None]]]:
        async def batch(keys: list[K]) -> list[T | None]:
            found = await read(self._runtime, self._viewer, list(dict.fromkeys(keys)))
            return [found.get(key) for key in keys]

        return batch


@dataclass(slots=True)
class Context:
    """One operation's surroundings."""

    runtime: Runtime
    viewer: Viewer
    request_id: str
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.runtime, self.viewer)


Info = strawberry.Info[Context, None]


def require_agency_side(info: Info) -> None:
    """Raises AccessDenied (the field answers null) for a viewer bound to a sub-account: margin,
    wholesale and Stripe ids are between the agency and the platform."""
    if not info.context.viewer.sees_agency_side:
        raise AccessDenied("Only the agency and the platform see this field.")
