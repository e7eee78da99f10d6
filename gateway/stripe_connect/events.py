"""Events: what Stripe tells of, by webhook or when it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.stripe_connect.caller import Caller
from gateway.stripe_connect.errors import BadWebhook
from gateway.stripe_connect.values import WebhookEvent


class Events(Caller):
    """Calls about events."""

    async def events(
        self, *, account: str, types: Sequence[str], created_from: datetime
    ) -> list[WebhookEvent]:
        """An account's events of these types (at most 20) since an instant, newest first. Stripe
        keeps them for 30 days."""
        params = {"types": list(types), "created": {"gte": int(created_from.timestamp())}}
        pages = self._pages("/v1/events", params, account=account)
        # An event that was asked for as the account does not name it.
        return [read_event({**data, "account": account}) async for data in pages]


def read_event(body: Mapping[str, Any]) -> WebhookEvent:
    """Raises BadWebhook for what is not an event."""
    data = body.get("data")
    subject = data.get("object") if isinstance(data, dict) else None
    account = body.get("account")
    if (
        not _is_name(body.get("id"))
        or not _is_name(body.get("type"))
        or not isinstance(body.get("livemode"), bool)
        or not isinstance(subject, dict)
        or not (account is None or _is_name(account))
    ):
        raise BadWebhook("The event lacks a field or has one of another type.")
    found = subject.get("id")
    return WebhookEvent(
        id=body["id"],
        type=body["type"],
        account=account,
        livemode=body["livemode"],
        object_id=found if _is_name(found) else None,
        payload=body,
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and "\x00" not in value
