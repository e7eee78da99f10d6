"""Things that happen by themselves after a while: bank debits and test refunds that decide late."""

from __future__ import annotations

from typing import Final

from stripe_sandbox.errors import Json
from stripe_sandbox.state import State
from stripe_sandbox.storage import PLATFORM

KIND: Final = "_timer"


def later(state: State, action: str, subject: str) -> None:
    """Do `action` to the object `subject` after the configured while; never when that is None."""
    if state.settings.later_s is None:
        return
    state.save(
        PLATFORM,
        {
            "id": state.new_id("tmr"),
            "object": KIND,
            "action": action,
            "subject": subject,
            "due": state.clock() + state.settings.later_s,
        },
    )


def due(state: State) -> list[Json]:
    """The timers whose time has come, taken away."""
    now = state.clock()
    ready = [row for row in state.store.rows(PLATFORM, KIND) if row["due"] <= now]
    for row in ready:
        state.store.drop(PLATFORM, KIND, row["id"])
    return ready


def next_due_s(state: State) -> float | None:
    """Seconds until the next timer, None without any."""
    times = [row["due"] for row in state.store.rows(PLATFORM, KIND)]
    return max(0.0, min(times) - state.clock()) if times else None
