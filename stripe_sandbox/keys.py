"""API keys: which key a request shows and what it may do with it.

Source: Stripe, "API keys". Every test key belongs to the one platform of this sandbox.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from stripe_sandbox.errors import ApiError, Json

KeyKind = Literal["secret", "publishable"]


def read_key(authorization: str, form: Json) -> KeyKind:
    """The kind of the key in the Authorization header (Bearer or Basic) or the `key` field, which
    is taken out of the form. Raises ApiError 401, also for every live key."""
    field = form.pop("key", None)
    key = _from_header(authorization) or (field if isinstance(field, str) else "")
    if not key:
        raise ApiError(401, "You did not provide an API key.")
    if "_live_" in key:
        raise ApiError(401, "This is a local sandbox: a live key must never be sent to it.")
    if key.startswith(("sk_test_", "rk_test_")):
        return "secret"
    if key.startswith("pk_test_"):
        return "publishable"
    raise ApiError(401, f"Invalid API Key provided: {key[:3]}***")


def _from_header(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
