"""Webhook endpoints of the platform. Source: Stripe API reference, "Webhook Endpoints"."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from stripe_sandbox import API_VERSION
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import ApiError, Json, invalid
from stripe_sandbox.forms import merge_metadata
from stripe_sandbox.lists import LIST, page
from stripe_sandbox.state import State, public
from stripe_sandbox.storage import PLATFORM

_KIND: Final = "webhook_endpoint"


def add(
    state: State,
    *,
    url: str,
    enabled_events: list[str],
    connect: bool,
    secret: str | None = None,
    api_version: str | None = None,
) -> Json:
    """A new endpoint. connect: told about connected accounts instead of the platform itself.
    secret: signs the deliveries; a fresh one when None."""
    record: Json = {
        "id": state.new_id("we"),
        "object": _KIND,
        "api_version": api_version,
        "application": None,
        "created": state.now(),
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_secret": secret or f"whsec_{state.token(32)}",
        "_connect": connect,
    }
    return state.save(PLATFORM, record)


def create(call: Call) -> Json:
    """A new endpoint; only this answer shows the secret."""
    _refuse_connected(call)
    if call.get("api_version", API_VERSION) != API_VERSION:
        raise invalid("api_version", f"This sandbox speaks {API_VERSION} only.")
    if not call.get("enabled_events"):
        raise invalid("enabled_events", "You must enable at least one event.")
    record = add(
        call.state,
        url=_checked_url(call.params["url"]),
        enabled_events=call.params["enabled_events"],
        connect=call.get("connect", False),
        api_version=call.get("api_version"),
    )
    record["description"] = call.get("description")
    record["metadata"] = merge_metadata({}, call.params)
    return {**public(record), "secret": record["_secret"]}


def update(call: Call) -> Json:
    """Change address, events, description or metadata, switch off or on."""
    record = _held(call)
    if call.get("url"):
        record["url"] = _checked_url(call.params["url"])
    if call.get("enabled_events"):
        record["enabled_events"] = call.params["enabled_events"]
    if "description" in call.params:
        record["description"] = call.params["description"]
    if call.get("disabled") is not None:
        record["status"] = "disabled" if call.params["disabled"] else "enabled"
    record["metadata"] = merge_metadata(record["metadata"], call.params)
    return call.state.save(PLATFORM, record)


def delete(call: Call) -> Json:
    """Forget an endpoint. After: nothing more is sent to it."""
    record = _held(call)
    call.state.store.drop(PLATFORM, _KIND, record["id"])
    return {"id": record["id"], "object": _KIND, "deleted": True}


def _held(call: Call) -> Json:
    _refuse_connected(call)
    return call.state.load(PLATFORM, _KIND, call.ids["id"])


def _listing(call: Call) -> Json:
    _refuse_connected(call)
    return page(call, _KIND)


def _refuse_connected(call: Call) -> None:
    if call.account != PLATFORM:
        raise ApiError(400, "Webhook endpoints of connected accounts are not part of this sandbox.")


def _checked_url(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise invalid("url", "Invalid URL: An explicit scheme (such as https) must be provided.")
    return url


_PATH = f"/v1/{_KIND}s"
_COMMON: Final = {"description": "str", "metadata": "meta", "expand": "list"}
OPERATIONS: Final = (
    Operation(
        "POST",
        _PATH,
        create,
        {
            **_COMMON,
            "url": "str!",
            "enabled_events": "list!",
            "connect": "bool",
            "api_version": "str",
        },
    ),
    Operation("GET", _PATH, _listing, LIST),
    Operation("GET", _PATH + "/{id}", _held, {"expand": "list"}),
    Operation(
        "POST",
        _PATH + "/{id}",
        update,
        {**_COMMON, "url": "str", "enabled_events": "list", "disabled": "bool"},
    ),
    Operation("DELETE", _PATH + "/{id}", delete),
)
