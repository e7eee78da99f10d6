"""Structured logs: one line per event, JSON in production, with the request id and no secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from gateway.settings import Settings

_SECRET: Final = re.compile(
    r"(?:sk|rk)_(?:live|test)_\w+|whsec_\w+|rbk_[\w-]+|(?:pi|seti)_[^\W_]+_secret_\w+|"
    r"eyJ[\w-]+\.[\w-]+\.[\w-]+|(?<=://)[^/\s:@]*:[^/\s]+(?=@)|(?i:bearer\s+)\S+|"
    r"\b\d(?:[ -]?\d){12,18}\b"
)
"""API keys, webhook secrets, client secrets, JWTs, passwords in addresses, card-like numbers."""


def configure_logs(settings: Settings) -> None:
    """Route structlog and the standard library through one renderer to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    rendering: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if settings.logs_are_json
        else [escape_controls, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    # The SDK prints whole bodies at DEBUG; uvicorn's access log has whole addresses.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def hide_secrets(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Any:
    """Blacken whatever looks like a secret, however it came into a line."""
    return {key: _hidden(value) for key, value in event.items()}


def escape_controls(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Any:
    """Show control characters instead of obeying them: a client's text stays on its line.

    Traces keep their line ends. JSON needs none of this, it escapes by itself."""
    return {
        key: _escaped(value, keep="\n" if key in {"exception", "stack"} else "")
        for key, value in event.items()
    }


def _escaped(value: Any, *, keep: str) -> Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(
        sign if sign.isprintable() or sign in keep else sign.encode("unicode_escape").decode()
        for sign in value
    )


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET.sub("[hidden]", value)
    if isinstance(value, dict):
        return {_hidden(key): _hidden(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _SECRET.sub("[hidden]", str(value))
