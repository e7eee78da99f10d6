"""Idempotency keys: one stored result for each key of an account.

Source: Stripe API reference, "Idempotent requests": results are kept for 24 hours from when
execution began, errors included; a request that fails its parameter checks stores nothing.
"""

from __future__ import annotations

import hashlib
from typing import Final

import orjson

from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.state import State

_KIND: Final = "_idempotency"
_LIFE_S: Final = 24 * 3600
_LONGEST: Final = 255


class IdempotencyKeys:
    """The keys of one sandbox; those of running requests live in memory only."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._running: set[str] = set()

    def begin(self, account: str, key: str, print_: str) -> Json | None:
        """Start a request under a key. Returns the stored result when there is one.

        Raises ApiError 400 when the key was used for another request, 409 while the first one is
        running. After None: the key is in use until `finish`.
        """
        if len(key) > _LONGEST:
            raise ApiError(400, "Idempotency keys can be at most 255 characters.")
        place = _place(account, key)
        if place in self._running:
            message = "There is currently another in-progress request using this Idempotency Key."
            raise ApiError(409, message, kind="idempotency_error", code="idempotency_key_in_use")
        held = self._state.store.get(account, _KIND, place)
        if held is not None and self._state.now() - held["created"] < _LIFE_S:
            if held["print"] != print_:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they "
                    "were first used with."
                )
                raise ApiError(400, message, kind="idempotency_error")
            return held
        self._running.add(place)
        return None

    def finish(
        self, account: str, key: str, print_: str, *, status: int, answer: Json, request_id: str
    ) -> None:
        """Store the result. After: the same request is answered with it for 24 hours."""
        self._running.discard(_place(account, key))
        self._state.save(
            account,
            {
                "id": _place(account, key),
                "object": _KIND,
                "created": self._state.now(),
                "print": print_,
                "status": status,
                "answer": answer,
                "request_id": request_id,
            },
        )

    def abandon(self, account: str, key: str) -> None:
        """Let a key go without a result, because nothing was executed."""
        self._running.discard(_place(account, key))


def _place(account: str, key: str) -> str:
    return f"{account}/{key}"


def fingerprint(method: str, path: str, tree: Json) -> str:
    """What must be equal for a request to count as the same."""
    body = orjson.dumps([method, path, tree], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(body, digest_size=16).hexdigest()
