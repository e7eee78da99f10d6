"""What was asked and answered, for tests, the overview page and the contract check."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from stripe_sandbox.cards import BY_NUMBER
from stripe_sandbox.errors import Json

_SENSITIVE = re.compile(r"key=|number|cvc|client_secret=")


@dataclass
class Entry:
    """One request. body: the form as sent, without keys, CVCs and numbers that are no test card."""

    method: str
    path: str
    query: str
    account: str | None
    idempotency_key: str | None
    body: str
    request_id: str
    at: float = field(default_factory=time.time)
    key: str | None = None
    status: int = 0
    replayed: bool = False
    faults: tuple[str, ...] = ()
    answer: bytes = b""

    @property
    def response(self) -> Any:
        """The JSON that was answered, None when the answer was cut or no JSON."""
        try:
            return orjson.loads(self.answer) if self.answer else None
        except orjson.JSONDecodeError:
            return None

    def facts(self) -> Json:
        """The entry as plain JSON."""
        shown = {name: value for name, value in vars(self).items() if name != "answer"}
        return {**shown, "faults": list(self.faults), "response": self.response}


class RequestLog:
    """The latest requests, oldest first."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)

    def add(self, entry: Entry) -> Entry:
        """Keep an entry; it may be completed later."""
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        """All entries that are still kept."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()


def without_secrets(form: str) -> str:
    """The form with keys removed, CVCs blanked and unknown card numbers blanked."""
    if not _SENSITIVE.search(form):
        return form
    kept = []
    for name, value in parse_qsl(form, keep_blank_values=True):
        if name == "key":
            continue
        hidden = name.endswith("[cvc]") or (
            name.endswith("[number]") and value.replace(" ", "") not in BY_NUMBER
        )
        kept.append((name, "***" if hidden else value))
    return urlencode(kept)
