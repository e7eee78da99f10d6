"""OAuth for accounts that exist already. Source: Stripe, "OAuth reference"."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from stripe_sandbox.accounts import add, set_connected, set_ready
from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import Json
from stripe_sandbox.state import State
from stripe_sandbox.storage import PLATFORM

_KIND: Final = "_oauth_code"
_CODE_LIFE_S: Final = 300


class OAuthError(Exception):
    """OAuth's own error shape, which is not that of the rest of the API."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error

    def body(self) -> Json:
        """The JSON body of the answer."""
        return {"error": self.error, "error_description": str(self)}


def check_authorize(state: State, query: Json) -> str | None:
    """Why an authorize request cannot be shown to a person, or None when it can."""
    if query.get("client_id") != state.settings.client_id:
        return "No application matches the supplied client identifier."
    if query.get("response_type") != "code":
        return "response_type must be code."
    if query.get("scope", "read_write") not in ("read_write", "read_only"):
        return "Unknown scope."
    if urlsplit(str(query.get("redirect_uri", ""))).scheme not in ("http", "https"):
        return "redirect_uri is missing or no address."
    return None


def decide(state: State, query: Json, *, allow: bool, account: str | None = None) -> str:
    """The address the person is sent back to. account: an existing one, None for a new, ready one.
    After: when allowed, a code can be exchanged once within five minutes."""
    answer: dict[str, str] = {}
    if allow:
        account_id = account or add(state)["id"]
        if account is None:
            set_ready(state, account_id, ready=True)
        code = {
            "id": state.new_id("ac"),
            "object": _KIND,
            "account": account_id,
            "scope": query.get("scope", "read_write"),
            "expires_at": state.now() + _CODE_LIFE_S,
        }
        answer = {"code": state.save(PLATFORM, code)["id"], "scope": code["scope"]}
    else:
        answer = {"error": "access_denied", "error_description": "The user denied your request"}
    if query.get("state"):
        answer["state"] = query["state"]
    target: str = query["redirect_uri"]
    return f"{target}{'&' if '?' in target else '?'}{urlencode(answer)}"


def token(call: Call) -> Json:
    """Exchange a code for the account's id. Raises OAuthError for a used or expired code."""
    if call.get("grant_type") != "authorization_code":
        raise OAuthError(400, "unsupported_grant_type", "Only authorization_code is supported.")
    state = call.state
    code = state.store.get(PLATFORM, _KIND, call.get("code", ""))
    if code is None or state.now() >= code["expires_at"]:
        message = f"Authorization code does not exist: {call.get('code', '')}"
        raise OAuthError(400, "invalid_grant", message)
    state.store.drop(PLATFORM, _KIND, code["id"])
    set_connected(state, code["account"], connected=True)
    secret: dict[str, Any] = {
        "access_token": "sk_test_sandbox_connected",
        "livemode": False,
        "refresh_token": f"rt_{state.token()}",
        "token_type": "bearer",
        "stripe_publishable_key": "pk_test_sandbox_connected",
        "stripe_user_id": code["account"],
        "scope": code["scope"],
    }
    return secret


def deauthorize(call: Call) -> Json:
    """Disconnect an account. Raises OAuthError when it is not connected to this application."""
    account_id = call.get("stripe_user_id", "")
    record = call.state.store.get(PLATFORM, "account", account_id)
    known = call.get("client_id") == call.state.settings.client_id
    if not known or record is None or not record["_connected"]:
        message = f"This application is not connected to stripe account {account_id}."
        raise OAuthError(401, "invalid_client", message)
    set_connected(call.state, account_id, connected=False)
    return {"stripe_user_id": account_id}


OPERATIONS: Final = (
    Operation(
        "POST",
        "/oauth/token",
        token,
        {
            "grant_type": "str",
            "code": "str",
            "client_secret": "str",
            "scope": "str",
            "assert_capabilities": "list",
        },
    ),
    Operation(
        "POST", "/oauth/deauthorize", deauthorize, {"client_id": "str", "stripe_user_id": "str"}
    ),
)
