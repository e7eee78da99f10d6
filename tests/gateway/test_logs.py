"""Nothing secret and no forged line gets into the logs, whatever is logged."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gateway.logs import configure_logs
from gateway.settings import Environment, load_settings

# Each as it would be written, and the part that must not be seen.
_SECRETS = {
    "secret key": ("sk_live_" + "canary1234567890", "canary1234567890"),
    "test key": ("sk_test_canary1234567890", "canary1234567890"),
    "restricted key": ("rk_live_" + "canary1234567890", "canary1234567890"),
    "webhook secret": ("whsec_canary1234567890", "canary1234567890"),
    "API key": ("rbk_canary-1234_567890", "canary-1234_567890"),
    "client secret": ("pi_3Abc_secret_canary1234", "canary1234"),
    "setup secret": ("seti_1Abc_secret_canary1234", "canary1234"),
    "token": (
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.canary-Signature_1",
        "canary-Signature_1",
    ),
    "bearer": ("Bearer canary.of.any.form", "canary.of.any.form"),
    "lower bearer": ("bearer canary.of.any.form", "canary.of.any.form"),
    "password": ("postgres://rebill:canary-pass@db:5432/rebill", "canary-pass"),
    "password of redis": ("redis://:canary-pass@cache:6379/0", "canary-pass"),
    "password with a sign": ("postgres://rebill:canary@pass@db:5432/rebill", "canary@pass"),
    "card": ("4242424242424242", "4242424242424242"),
    "card with spaces": ("4242 4242 4242 4242", "4242 4242 4242 4242"),
    "card with dashes": ("4242-4242-4242-4242", "4242-4242-4242-4242"),
    "American card": ("378282246310005", "378282246310005"),
    "spaced American card": ("3782 822463 10005", "3782 822463 10005"),
}


@pytest.fixture(params=["json", "console"])
def written(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[io.StringIO]:
    """Everything written to standard error, by a process with that kind of logs."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    structlog.contextvars.clear_contextvars()
    configure_logs(
        load_settings(
            environment=Environment.TEST,
            database_url="postgres://db/rebill",
            token_algorithm="HS256",
            token_secret="x" * 32,
            stripe_api_key="sk_test_1",
            stripe_publishable_key="pk_test_1",
            stripe_webhook_secrets=("whsec_1",),
            log_json=request.param == "json",
        )
    )
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(("text", "secret"), _SECRETS.values(), ids=_SECRETS)
def test_no_secret_survives(written: io.StringIO, text: str, secret: str) -> None:
    log = structlog.get_logger("test")
    log.info("alone", value=text)
    log.info("inside", value=f"before {text} after")
    log.info(f"in the event {text}")
    log.info("deep", value={"list": [{"entry": text}], "pair": (text, text)})
    log.info("object", value=ValueError(text))
    log.info("bytes", value=text.encode())
    log.info("under a key", value={text: 1})
    structlog.contextvars.bind_contextvars(bound=text)
    log.info("bound")
    structlog.contextvars.clear_contextvars()
    logging.getLogger("library").warning("formatted %s", text)
    logging.getLogger("library").warning("extra", extra={"value": text})
    lines = written.getvalue()
    assert secret not in lines
    assert lines.count("[hidden]") >= 10


@pytest.mark.parametrize(("text", "secret"), _SECRETS.values(), ids=_SECRETS)
def test_no_secret_survives_in_a_trace(written: io.StringIO, text: str, secret: str) -> None:
    for log in (structlog.get_logger("test"), logging.getLogger("library")):
        try:
            _fail(text)
        except ValueError:
            log.exception("unhandled_error")
    lines = written.getvalue()
    assert lines.count("ValueError") >= 2
    assert secret not in lines


def _fail(text: str) -> None:
    raise ValueError(text)


def test_what_is_no_secret_is_written(written: io.StringIO) -> None:
    structlog.get_logger("test").info(
        "purchase_completed",
        purchase="pur_01k9zzzzzzzzzzzzzzzzzzzzzz",
        intent="pi_3AbcDefGhiJkl",
        amount_minor=2500,
        credits=9007199254740991,
        at="2026-01-02T03:04:05.678901Z",
        passed=True,
        nothing=None,
    )
    line = written.getvalue()
    for text in (
        "purchase_completed",
        "pur_01k9zzzzzzzzzzzzzzzzzzzzzz",
        "pi_3AbcDefGhiJkl",
        "2500",
        "9007199254740991",
        "2026-01-02T03:04:05.678901Z",
    ):
        assert text in line
    assert "[hidden]" not in line


@pytest.mark.parametrize(
    "forged",
    [
        "name\n2026-01-02 [error] forged",
        "name\r\nforged",
        "name\x1b[31mred\x1b[0m",
        "name\x00nul",
        "name\x1b]0;title\x07",
        "name\u202eforged",
        "name\u2028forged",
        "name\x85forged",
        "name\x9b31mforged",
    ],
    ids=["LF", "CRLF", "ANSI", "NUL", "OSC", "bidi", "line separator", "NEL", "C1"],
)
def test_a_line_cannot_be_forged(written: io.StringIO, forged: str) -> None:
    structlog.get_logger("test").info("named", operation=forged)
    structlog.get_logger("test").info(f"named {forged}")
    structlog.get_logger("test").info("deep", value={"entry": [forged]})
    structlog.get_logger("test").info("key", entry={forged: 1})
    logging.getLogger("library").warning("named %s", forged)
    text = written.getvalue()
    assert len(text.splitlines()) == 5
    assert [sign for sign in text if not sign.isprintable() and sign != "\n"] == []


def test_the_lines_of_production_are_json(
    written: io.StringIO, request: pytest.FixtureRequest
) -> None:
    structlog.contextvars.bind_contextvars(request_id="req-1")
    structlog.get_logger("gateway.test").warning("it_happened", number=1)
    logging.getLogger("library").warning("said %s", "so")
    if "console" in request.node.name:
        assert "req-1" in written.getvalue()
        return
    ours, theirs = (json.loads(line) for line in written.getvalue().splitlines())
    assert _plain(ours) == {
        "event": "it_happened",
        "level": "warning",
        "logger": "gateway.test",
        "number": 1,
        "request_id": "req-1",
    }
    assert _plain(theirs) == {
        "event": "said so",
        "level": "warning",
        "logger": "library",
        "request_id": "req-1",
    }


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    assert line["timestamp"].endswith("Z")
    return {name: value for name, value in line.items() if name != "timestamp"}
