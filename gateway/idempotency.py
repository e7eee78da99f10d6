"""What makes two requests with one idempotency key "the same"."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson


def request_hash(wish: Mapping[str, str | int | bool | None]) -> bytes:
    """SHA-256 of a mutation's input without its key; the order of the fields does not matter."""
    return hashlib.sha256(orjson.dumps(wish, option=orjson.OPT_SORT_KEYS)).digest()
