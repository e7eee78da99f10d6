"""Only what Stripe signed, just now, for this mode, is an event; all else is one error."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from gateway.stripe_connect.errors import BadWebhook
from gateway.stripe_connect.values import WebhookEvent
from gateway.stripe_connect.webhooks import verify

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "whsec_current"
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "account": "acct_1",
    "livemode": False,
    "data": {"object": {"id": "pi_1"}},
}


def sign(raw: bytes, *, secret: str = SECRET, at_s: float = 0) -> str:
    at = int(NOW.timestamp() + at_s)
    digest = hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def check(raw: bytes, header: str | None, *secrets: str, livemode: bool = False) -> WebhookEvent:
    return verify(raw, header, secrets or (SECRET,), livemode=livemode, now=NOW)


def test_a_genuine_event_is_read() -> None:
    raw = orjson.dumps(EVENT)
    event = check(raw, sign(raw))
    assert (event.id, event.type, event.account) == (
        "evt_1",
        "payment_intent.succeeded",
        "acct_1",
    )
    assert (event.object_id, event.livemode, event.payload) == ("pi_1", False, EVENT)


def test_the_platforms_own_event_has_no_account() -> None:
    raw = orjson.dumps({name: value for name, value in EVENT.items() if name != "account"})
    assert check(raw, sign(raw)).account is None


def test_while_a_secret_is_rolled_both_count() -> None:
    raw = orjson.dumps(EVENT)
    old, new = sign(raw, secret="whsec_old"), sign(raw, secret="whsec_new")
    both = f"{old},{new.partition(',')[2]}"
    for header in (old, new, both):
        assert check(raw, header, "whsec_new", "whsec_old").id == "evt_1"
    assert check(raw, both, "whsec_new").id == "evt_1"
    with pytest.raises(BadWebhook):
        check(raw, old, "whsec_new")


@pytest.mark.parametrize("at_s", [-300, 0, 300])
def test_the_tolerance_is_five_minutes_both_ways(at_s: int) -> None:
    raw = orjson.dumps(EVENT)
    assert check(raw, sign(raw, at_s=at_s)).id == "evt_1"


@pytest.mark.parametrize("at_s", [-301, 301, -86_400, 86_400])
def test_too_old_and_too_new_are_refused(at_s: int) -> None:
    raw = orjson.dumps(EVENT)
    with pytest.raises(BadWebhook, match="time"):
        check(raw, sign(raw, at_s=at_s))


_GOOD = sign(orjson.dumps(EVENT))
_TIME, _, _V1 = _GOOD.partition(",")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        _TIME,
        _V1,
        f"{_TIME},v0={_V1[3:]}",
        f"{_TIME},{_TIME},{_V1}",
        f"t=,{_V1}",
        f"t=12.5,{_V1}",
        f"t=-5,{_V1}",
        f"t={'9' * 400},{_V1}",
        f"t=\u0661\u0662,{_V1}",
        f"{_TIME},v1=",
        f"{_TIME},v1=\u00e9\u00e9",
        f"{_TIME},v1={'0' * 64}",
        f"{_TIME},v1={'0' * 5000}",
        f"{_TIME},{_V1[:-1]}",
        _GOOD.upper(),
    ],
)
def test_a_bad_header_is_refused(header: str | None) -> None:
    with pytest.raises(BadWebhook):
        check(orjson.dumps(EVENT), header)


def without(name: str) -> bytes:
    return orjson.dumps({key: value for key, value in EVENT.items() if key != name})


def changed(**changes: Any) -> bytes:
    return orjson.dumps({**EVENT, **changes})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{}",
        b"not json",
        b"\xff\xfe",
        b'{"id": "evt_1"',
        b"[" * 100_000,
        b"1" * 5000,
        b'{"a": NaN}',
        without("id"),
        without("type"),
        without("livemode"),
        without("data"),
        without("object"),
        changed(id=7),
        changed(id=""),
        changed(id="e" * 256),
        changed(type=None),
        changed(livemode="false"),
        changed(account=7),
        changed(data=[]),
        changed(data={}),
        changed(data={"object": []}),
        changed(object="v2.core.event"),
        changed(type="a\x00b"),
        changed(data={"object": {"id": "pi_1", "name": "\x00"}}),
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(raw: bytes) -> None:
    with pytest.raises(BadWebhook):
        check(raw, sign(raw))


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(BadWebhook, match="signature"):
        check(changed(account="acct_2"), _GOOD)


def test_an_event_of_the_other_mode_is_refused() -> None:
    live = changed(livemode=True)
    with pytest.raises(BadWebhook, match="mode"):
        check(live, sign(live))
    with pytest.raises(BadWebhook, match="mode"):
        check(orjson.dumps(EVENT), _GOOD, livemode=True)
    assert check(live, sign(live), livemode=True).livemode
