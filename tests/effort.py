"""How long the random tests look: a moment in `make test`, far longer in `make evidence`."""

from __future__ import annotations

import os


def examples(usual: int) -> int:
    """The number of random cases: `usual`, times REBILL_EVIDENCE where that is set."""
    return usual * int(os.environ.get("REBILL_EVIDENCE", "1"))
