"""Places where a process may be killed on purpose, to show that a restart repairs everything.

Nothing happens unless the environment variable REBILL_CRASH_AT names a point: `name` kills the
process at its first pass, `name:3` at its third. Only tests set it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final

POINTS: Final = (
    "purchase_row_committed",
    "stripe_answered",
    "before_issue_commit",
    "issue_committed",
    "webhook_stored",
    "webhook_worker_before_commit",
    "webhook_worker_after_commit",
)
_NAME, _, _PASS = os.environ.get("REBILL_CRASH_AT", "").partition(":")
_passes: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Kill this process without any goodbye, when the environment asks for it here."""
    assert name in POINTS, f"unknown crash point {name}"
    if name != _NAME:
        return
    _passes[name] += 1
    if _passes[name] == int(_PASS or 1):
        os.kill(os.getpid(), signal.SIGKILL)
