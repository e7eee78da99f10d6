"""Keyset pages of a list that belongs to one owner, read for many owners in one statement."""

from __future__ import annotations

from typing import NamedTuple


class PageRequest(NamedTuple):
    """At most `limit` rows of the owner's list, after the row whose sort keys are `after`.

    after: None for the first page. Two equal requests are answered by one read."""

    owner_id: str
    after: tuple[str, ...] | None
    limit: int
