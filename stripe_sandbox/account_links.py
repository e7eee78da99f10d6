"""Account Links: a single-use, short-lived door to onboarding.

Source: Stripe API reference, "Account Links". The return address proves nothing; read the account.
"""

from __future__ import annotations

from typing import Final

from stripe_sandbox.accounts import connected, set_ready
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import Json, required
from stripe_sandbox.state import State
from stripe_sandbox.storage import PLATFORM

_KIND: Final = "_account_link"
_LIFE_S: Final = 300


def create(call: Call) -> Json:
    """A new link for an account of this platform."""
    connected(call.state, call.params["account"])
    for name in ("refresh_url", "return_url"):
        if not call.get(name):
            raise required(name)
    state = call.state
    link = {
        "id": state.new_id("lnk"),
        "object": _KIND,
        "account": call.params["account"],
        "created": state.now(),
        "expires_at": state.now() + _LIFE_S,
        "refresh_url": call.params["refresh_url"],
        "return_url": call.params["return_url"],
        "opened": False,
        "form": state.token(),
    }
    state.save(PLATFORM, link)
    return {
        "object": "account_link",
        "created": link["created"],
        "expires_at": link["expires_at"],
        "url": f"{state.base_url}/onboarding/{link['id']}",
    }


def open_once(state: State, link_id: str) -> tuple[Json | None, str | None]:
    """Use a link. Returns (link, None) the first time, (None, refresh address) when it was used or
    has expired, (None, None) when there is no such link."""
    link = state.store.get(PLATFORM, _KIND, link_id)
    if link is None:
        return None, None
    if link["opened"] or state.now() >= link["expires_at"]:
        return None, link["refresh_url"]
    link["opened"] = True
    return state.save(PLATFORM, link), None


def submit(state: State, link_id: str, form: str, *, complete: bool) -> str | None:
    """What the person decided on the opened page. Returns the return address, None for a form that
    was not given out. After: the account is ready, or still restricted."""
    link = state.store.get(PLATFORM, _KIND, link_id)
    if link is None or not link["opened"] or not form or link["form"] != form:
        return None
    link["form"] = ""
    state.save(PLATFORM, link)
    set_ready(state, link["account"], ready=complete)
    address: str = link["return_url"]
    return address


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/account_links",
        create,
        {
            "account": "str!",
            "type": "account_onboarding|account_update!",
            "refresh_url": "str",
            "return_url": "str",
            "collection_options": {
                "fields": "currently_due|eventually_due",
                "future_requirements": "include|omit",
            },
            "expand": "list",
        },
    ),
)
