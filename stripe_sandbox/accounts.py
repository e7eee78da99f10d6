"""Connected accounts. Source: Stripe API reference, "Accounts"; Stripe, "Controller properties"."""

from __future__ import annotations

from typing import Any, Final

from stripe_sandbox.calls import Call, Operation
from stripe_sandbox.errors import ApiError, Json, no_access
from stripe_sandbox.events import emit
from stripe_sandbox.forms import Shape, merge_metadata
from stripe_sandbox.lists import CREATED, page
from stripe_sandbox.state import State
from stripe_sandbox.storage import PLATFORM

_DUE: Final = ["business_profile.url", "external_account", "tos_acceptance.date"]
_CURRENCY_OF: Final = {
    "US": "usd", "GB": "gbp", "CA": "cad", "AU": "aud", "JP": "jpy", "CH": "chf", "SE": "sek",
    "NO": "nok", "DK": "dkk", "PL": "pln", "NZ": "nzd", "SG": "sgd", "MX": "mxn", "BR": "brl",
}  # fmt: skip
_STANDARD: Final = {
    "fees": {"payer": "account"},
    "losses": {"payments": "stripe"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "full"},
}


def add(
    state: State,
    *,
    country: str = "US",
    currency: str | None = None,
    controller: Json | None = None,
    account_id: str | None = None,
    email: str | None = None,
) -> Json:
    """A connected account that has not been onboarded. controller None: it controls itself, as an
    account that connects by OAuth does."""
    charges = {"card_payments": "inactive", "transfers": "inactive"}
    mine = controller is None or controller == _STANDARD
    record: Json = {
        "id": account_id or f"acct_{state.token(16)}",
        "object": "account",
        "business_profile": {"name": None, "url": None},
        "business_type": None,
        "capabilities": charges,
        "charges_enabled": False,
        "controller": {"type": "account"}
        if controller is None
        else {"type": "application", "is_controller": True, **controller},
        "country": country,
        "created": state.now(),
        "default_currency": currency or _CURRENCY_OF.get(country, "eur"),
        "details_submitted": False,
        "email": email,
        "future_requirements": _requirements([], None),
        "metadata": {},
        "payouts_enabled": False,
        "requirements": _requirements(_DUE, "requirements.past_due"),
        "settings": _settings(),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard" if mine else "none",
        "_connected": True,
    }
    return state.save(PLATFORM, record)


def _requirements(due: list[str], disabled: str | None) -> Json:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": list(due),
        "disabled_reason": disabled,
        "errors": [],
        "eventually_due": list(due),
        "past_due": list(due),
        "pending_verification": [],
    }


def _settings() -> Json:
    return {
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
        },
    }


def set_ready(state: State, account_id: str, *, ready: bool) -> Json:
    """Finish onboarding, or restrict the account. After: charges, payouts and capabilities agree,
    and account.updated and capability.updated have been emitted. Raises ApiError when unknown."""
    record = state.load(PLATFORM, "account", account_id)
    before = {name: record[name] for name in ("charges_enabled", "payouts_enabled")}
    record.update(charges_enabled=ready, payouts_enabled=ready)
    record["details_submitted"] = record["details_submitted"] or ready
    due, reason = ([], None) if ready else (_DUE[:1], "requirements.past_due")
    record["requirements"] = _requirements(due, reason)
    state.save(PLATFORM, record)
    for name in record["capabilities"]:
        record["capabilities"][name] = "active" if ready else "inactive"
        emit(state, account_id, "capability.updated", _capability(record, name))
    emit(state, account_id, "account.updated", record, previous=before)
    return record


def _capability(record: Json, name: str) -> Json:
    return {
        "id": name,
        "object": "capability",
        "account": record["id"],
        "requested": True,
        "requested_at": record["created"],
        "requirements": record["requirements"],
        "status": record["capabilities"][name],
    }


def set_connected(state: State, account_id: str, *, connected: bool) -> Json:
    """Connect an account to the platform, or disconnect it. After: authorized or deauthorized was
    emitted, and a disconnected account answers 403."""
    record = state.load(PLATFORM, "account", account_id)
    record["_connected"] = connected
    state.save(PLATFORM, record)
    verb = "authorized" if connected else "deauthorized"
    application = {"id": state.settings.client_id, "object": "application", "name": "Rebill"}
    emit(state, account_id, f"account.application.{verb}", application)
    return record


def connected(state: State, account_id: str) -> Json:
    """The account, if the platform may act on it. Raises ApiError account_invalid otherwise."""
    record = state.store.get(PLATFORM, "account", account_id)
    if record is None or not record["_connected"]:
        raise no_access(account_id)
    return record


def create(call: Call) -> Json:
    """A new account that the platform controls in the way `controller` says."""
    _platform_only(call)
    controller = {**_STANDARD, **{k: v for k, v in call.get("controller", {}).items() if v}}
    record = add(
        call.state,
        country=call.get("country", "US"),
        currency=call.get("default_currency"),
        controller=controller,
        email=call.get("email"),
    )
    return _change(call, record)


def update(call: Call) -> Json:
    """Change what the platform may change."""
    _platform_only(call)
    record = _change(call, connected(call.state, call.ids["id"]))
    emit(call.state, record["id"], "account.updated", record)
    return record


def _change(call: Call, record: Json) -> Json:
    for name in ("email", "business_type", "default_currency"):
        if call.get(name):
            record[name] = call.params[name]
    for name in ("name", "url"):
        profile: dict[str, Any] = call.get("business_profile", {})
        if name in profile:
            record["business_profile"][name] = profile[name]
    record["metadata"] = merge_metadata(record["metadata"], call.params)
    return call.state.save(PLATFORM, record)


def retrieve(call: Call) -> Json:
    """An account by id, as the platform."""
    if call.account not in (PLATFORM, call.ids["id"]):
        raise no_access(call.ids["id"])
    return connected(call.state, call.ids["id"])


def own(call: Call) -> Json:
    """The account that the key, or the Stripe-Account header, stands for."""
    if call.account != PLATFORM:
        return connected(call.state, call.account)
    return {
        "id": call.state.settings.platform_account,
        "object": "account",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "metadata": {},
        "payouts_enabled": True,
        "settings": _settings(),
        "type": "standard",
    }


def listing(call: Call) -> Json:
    """The connected accounts."""
    _platform_only(call)
    return page(call, "account", keep=lambda row: bool(row["_connected"]))


def _platform_only(call: Call) -> None:
    if call.account != PLATFORM:
        raise ApiError(400, "Only the platform can manage connected accounts.")


_COMMON: Final[dict[str, Shape]] = {
    "business_profile": {
        "name": "str", "url": "str", "mcc": "str", "product_description": "str",
        "support_email": "str", "support_phone": "str", "support_url": "str",
    },
    "business_type": "company|government_entity|individual|non_profit",
    "capabilities": {"card_payments": {"requested": "bool"}, "transfers": {"requested": "bool"}},
    "default_currency": "str",
    "email": "str",
    "metadata": "meta",
    "expand": "list",
}  # fmt: skip
_CONTROLLER: Final[dict[str, Shape]] = {
    "fees": {"payer": "account|application"},
    "losses": {"payments": "application|stripe"},
    "requirement_collection": "application|stripe",
    "stripe_dashboard": {"type": "express|full|none"},
}
OPERATIONS: Final = (
    Operation(
        "POST", "/v1/accounts", create, {**_COMMON, "country": "str", "controller": _CONTROLLER}
    ),
    Operation("GET", "/v1/accounts", listing, CREATED),
    Operation("GET", "/v1/account", own, {"expand": "list"}),
    Operation("GET", "/v1/accounts/{id}", retrieve, {"expand": "list"}),
    Operation("POST", "/v1/accounts/{id}", update, _COMMON),
)
