"""Relay connections over keyset cursors: pages stay stable while rows arrive.

See the Relay "GraphQL Cursor Connections Specification"."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, Self, TypeVar

import strawberry

from gateway.errors import BadUserInput

MAX_FIRST: Final = 100
DEFAULT_FIRST: Final = 20

First = Annotated[
    int,
    strawberry.argument(description=f"How many to return at most, from 1 to {MAX_FIRST}."),
]
After = Annotated[
    str | None,
    strawberry.argument(description="Cursor of the last element of the page before this one."),
]

NodeT = TypeVar("NodeT")
RowT = TypeVar("RowT")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="True when more elements follow.")
    has_previous_page: bool = strawberry.field(
        description="True when this page began after a cursor."
    )
    start_cursor: str | None = strawberry.field(
        description="Cursor of the first element; null for an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last element; null for an empty page."
    )


@strawberry.type(description="An element of a list with its place in it.")
class Edge(Generic[NodeT]):
    cursor: str = strawberry.field(description="Opaque place of the element; pass it as `after`.")
    node: NodeT = strawberry.field(description="The element.")


@dataclass(frozen=True, slots=True)
class Page:
    """What a reading function needs: at most `limit` rows after the row whose keys are `after`.

    `limit` is one more than was asked for, so that `Connection.of` can tell whether more follow."""

    first: int
    after: tuple[str, ...] | None

    @property
    def limit(self) -> int:
        return self.first + 1


@strawberry.type(description="One page of a list.")
class Connection(Generic[NodeT]):
    edges: list[Edge[NodeT]] = strawberry.field(description="The page's elements with cursors.")
    nodes: list[NodeT] = strawberry.field(description="The page's elements.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")

    @classmethod
    def of(
        cls,
        rows: Sequence[RowT],
        page: Page,
        *,
        node: Callable[[RowT], NodeT],
        keys: Callable[[RowT], tuple[object, ...]],
    ) -> Self:
        """A page of `rows` (up to page.limit of them); `keys` are the row's sort keys."""
        shown = rows[: page.first]
        edges = [Edge(cursor=cursor_of(keys(row)), node=node(row)) for row in shown]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo(
                has_next_page=len(rows) > page.first,
                has_previous_page=page.after is not None,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
        )


def page_of(first: int, after: str | None, *, keys: int) -> Page:
    """The page that a client asked for; `keys` is how many sort keys a cursor of this list holds.

    Raises BadUserInput for a `first` outside 1 to 100 and for a cursor that is not ours."""
    if not 1 <= first <= MAX_FIRST:
        raise BadUserInput(f"`first` must be from 1 to {MAX_FIRST}.")
    return Page(first=first, after=None if after is None else _keys_of(after, keys))


def cursor_of(keys: tuple[object, ...]) -> str:
    """The opaque cursor of a row with these sort keys."""
    return base64.urlsafe_b64encode("\x1f".join(str(key) for key in keys).encode()).decode()


def _keys_of(cursor: str, count: int) -> tuple[str, ...]:
    try:
        text = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadUserInput("`after` is not a cursor of this list.") from None
    keys = tuple(text.split("\x1f"))
    if len(keys) != count or "\x00" in text:
        raise BadUserInput("`after` is not a cursor of this list.")
    return keys
