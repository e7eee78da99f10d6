"""Is this webhook really from Stripe? See Stripe, "Verify webhook signatures manually"."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from gateway.stripe_connect.errors import BadWebhook
from gateway.stripe_connect.events import read_event
from gateway.stripe_connect.values import WebhookEvent

TOLERANCE_S: Final = 300
_LONGEST_HEADER: Final = 4096


def verify(
    raw: bytes,
    header: str | None,
    secrets: Sequence[str],
    *,
    livemode: bool,
    now: datetime,
    tolerance_s: int = TOLERANCE_S,
) -> WebhookEvent:
    """The event in `raw`. secrets: of every endpoint, and rolled ones while they still count.

    Raises BadWebhook, and nothing else, for whatever is wrong with the header or the body: no or
    a wrong signature, a time more than tolerance_s seconds away in either direction, a body that
    is not an event, and an event of the other mode."""
    timestamp, signatures = _parts(header)
    _check_signature(raw, timestamp, signatures, secrets)
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise BadWebhook("The signature's time is too far from now.")
    event = read_event(_body(raw))
    if event.livemode != livemode:
        raise BadWebhook("The event belongs to the other mode (test or live).")
    return event


def _parts(header: str | None) -> tuple[str, list[bytes]]:
    if not header or len(header) > _LONGEST_HEADER or not header.isascii():
        raise BadWebhook("The Stripe-Signature header is missing or malformed.")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value.encode() for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12 or not signatures:
        raise BadWebhook("The Stripe-Signature header is missing or malformed.")
    return times[0], signatures


def _check_signature(
    raw: bytes, timestamp: str, signatures: Sequence[bytes], secrets: Sequence[str]
) -> None:
    signed = timestamp.encode() + b"." + raw
    expected = [
        hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in secrets
    ]
    # Every pair is compared, so that the time taken does not tell which secret is in use.
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures]
    if not any(matches):
        raise BadWebhook("No signature fits.")


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadWebhook("The body is not JSON.") from None
    if b"\\u0000" in raw:
        raise BadWebhook("The body holds a NUL, which the database cannot store.")
    if not isinstance(body, dict) or body.get("object") != "event":
        raise BadWebhook("The body is not an event.")
    return body
