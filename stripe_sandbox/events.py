"""Events: snapshots of objects at the moment of a change, kept to be listed and sent to webhooks.

Source: Stripe API reference, "Events"; Stripe, "Connect webhooks" for who is told about what.
"""

from __future__ import annotations

from typing import Final

from stripe_sandbox import API_VERSION
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import Json
from stripe_sandbox.lists import CREATED, page
from stripe_sandbox.state import State, copy, public
from stripe_sandbox.storage import PLATFORM


def emit(
    state: State, account: str, event_type: str, record: Json, *, previous: Json | None = None
) -> Json:
    """Record that something happened to `record`. After: the event can be listed, and one delivery
    waits for each webhook endpoint that asked for it."""
    data: Json = {"object": copy(public(record))}
    if previous is not None:
        data["previous_attributes"] = copy(previous)
    event: Json = {
        "id": state.new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": state.now(),
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": dict(state.request),
        "type": event_type,
    }
    if account != PLATFORM:
        event["account"] = account
    for endpoint in state.store.rows(PLATFORM, "webhook_endpoint"):
        if _listens(endpoint, account, event_type):
            event["pending_webhooks"] += 1
            state.outgoing.append(_delivery(state, event, endpoint))
    return state.save(account, event)


def _listens(endpoint: Json, account: str, event_type: str) -> bool:
    wanted = endpoint["enabled_events"]
    return (
        endpoint["status"] == "enabled"
        and endpoint["_connect"] == (account != PLATFORM)
        and ("*" in wanted or event_type in wanted)
    )


def _delivery(state: State, event: Json, endpoint: Json) -> Json:
    return state.save(
        PLATFORM,
        {
            "id": state.new_id("whd"),
            "object": "_delivery",
            "event": event["id"],
            "type": event["type"],
            "endpoint": endpoint["id"],
            "attempts": 0,
        },
    )


def retrieve(call: Call) -> Json:
    """One event of this account."""
    return call.state.load(call.account, "event", call.ids["id"])


def listing(call: Call) -> Json:
    """Events of this account, filtered by type(s), time and whether webhooks are still pending."""
    types = set(call.get("types", [])) | ({call.get("type")} - {None})
    delivered = call.get("delivery_success")

    def keep(event: Json) -> bool:
        fits = not types or event["type"] in types
        return fits and (delivered is None or delivered == (event["pending_webhooks"] == 0))

    return page(call, "event", keep=keep)


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/events",
        listing,
        {**CREATED, "type": "str", "types": "list", "delivery_success": "bool"},
    ),
    Operation("GET", "/v1/events/{id}", retrieve, {"expand": "list"}),
)
