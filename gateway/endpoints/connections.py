"""How many lasting connections each caller holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from gateway.auth.viewer import Viewer
from gateway.errors import RateLimited

_RETRY_AFTER_S = 10


class Connections:
    """WebSockets and event streams of this process, counted by the subject of their token."""

    def __init__(self, *, per_subject: int) -> None:
        self._per_subject = per_subject
        self._open: Counter[tuple[str, str]] = Counter()

    def check(self, viewer: Viewer) -> None:
        """Raises RateLimited when `viewer` may not open one more."""
        if self._open.get(_subject(viewer), 0) >= self._per_subject:
            raise RateLimited(
                f"You hold {self._per_subject} live connections, the limit sockets_per_subject. "
                "Close one first.",
                retry_after_s=_RETRY_AFTER_S,
            )

    @contextmanager
    def held_by(self, viewer: Viewer) -> Iterator[None]:
        """Count one connection of `viewer` inside the block. Raises RateLimited."""
        self.check(viewer)
        subject = _subject(viewer)
        self._open[subject] += 1
        try:
            yield
        finally:
            self._open[subject] -= 1
            if not self._open[subject]:
                del self._open[subject]


def remaining_s(viewer: Viewer, now: datetime) -> float:
    """Seconds until the viewer's proof ends, never below zero; infinite for a proof without end."""
    if viewer.expires_at is None:
        return float("inf")
    return max(0.0, (viewer.expires_at - now).total_seconds())


def _subject(viewer: Viewer) -> tuple[str, str]:
    # The same `sub` under two tenants is two callers: tenants bring their own user ids.
    return viewer.tenant, viewer.subject
