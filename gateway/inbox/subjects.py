"""What an event is about, and so what has to be read again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class SubjectKind(StrEnum):
    """Which noun takes care of an event."""

    PAYMENT = "PAYMENT"
    CARD_SETUP = "CARD_SETUP"
    CARD = "CARD"
    ACCOUNT = "ACCOUNT"


@dataclass(frozen=True, slots=True)
class Subject:
    """The object to read from Stripe: `id` on connected account `account_id`. metadata: what the
    object said of itself when the event was made, only a hint for finding our row."""

    kind: SubjectKind
    account_id: str
    id: str
    metadata: Mapping[str, str] = field(default_factory=dict, compare=False)


_PAYMENT: Final = "payment_intent."
_CARD_SETUP: Final = "setup_intent."
_CHARGES: Final = {"charge.succeeded", "charge.updated", "charge.failed"}
_ACCOUNTS: Final = {"account.updated", "capability.updated", "account.application.deauthorized"}


def subject_of(type: str, account_id: str | None, payload: Mapping[str, Any]) -> Subject | None:
    """None for an event that nothing here waits for, and for one of the platform's own account."""
    if account_id is None:
        return None
    if type in _ACCOUNTS:
        return Subject(SubjectKind.ACCOUNT, account_id, account_id)
    data = payload["data"]["object"]
    found = data.get("id")
    kind = SubjectKind.PAYMENT
    if type in _CHARGES:
        found = data.get("payment_intent")
    elif type.startswith(_CARD_SETUP):
        kind = SubjectKind.CARD_SETUP
    elif type == "payment_method.detached":
        kind = SubjectKind.CARD
    elif not type.startswith(_PAYMENT):
        return None
    if not isinstance(found, str):
        return None
    return Subject(kind, account_id, found, _metadata(data))


def _metadata(data: Mapping[str, Any]) -> dict[str, str]:
    entries = data.get("metadata")
    if not isinstance(entries, Mapping):
        return {}
    return {name: value for name, value in entries.items() if isinstance(value, str)}
