"""What makes two requests with one idempotency key "the same"."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson


def request_hash(wish: Mapping[str, object]) -> bytes:
    """SHA-256 of a mutation's input without its key: plain JSON values, in any order."""
    return hashlib.sha256(orjson.dumps(wish, option=orjson.OPT_SORT_KEYS)).digest()
