"""Payments: direct charges on an agency's account. See Stripe, "Create direct charges"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final

from gateway.stripe_connect.caller import CARDS_ONLY, Caller
from gateway.stripe_connect.reading import read_intent
from gateway.stripe_connect.transport import Answer
from gateway.stripe_connect.values import Intent, IntentStatus

_EXPANDED: Final = ["latest_charge.balance_transaction", "payment_method"]


class Payments(Caller):
    """Calls about PaymentIntents."""

    async def create_payment_intent(
        self,
        *,
        account: str,
        amount_minor: int,
        currency: str,
        application_fee_minor: int,
        customer: str,
        metadata: Mapping[str, str],
        payment_method: str | None,
        confirm: bool,
        save: bool,
        key: str,
    ) -> Intent:
        """A direct charge on `account`, with application_fee_minor for the platform.

        confirm: try the given payment_method at once. save: keep the card for later charges.
        Under a key that Stripe knows the intent is read again, because the remembered answer may
        be old. Raises CardDeclined with the intent's id when the bank said no."""
        answer = await self._transport.call(
            "post",
            "/v1/payment_intents",
            {
                "amount": amount_minor,
                "currency": currency.lower(),
                "application_fee_amount": application_fee_minor or None,
                "customer": customer,
                "automatic_payment_methods": CARDS_ONLY,
                "payment_method": payment_method,
                "confirm": confirm or None,
                "setup_future_usage": "off_session" if save else None,
                "metadata": metadata,
                "expand": _EXPANDED,
            },
            account=account,
            key=key,
        )
        return await self._current(answer, account)

    async def payment_intent(self, *, account: str, id: str) -> Intent:
        """The PaymentIntent as it is now, with its charge, Stripe's fee and the card."""
        answer = await self._transport.call(
            "get", f"/v1/payment_intents/{id}", {"expand": _EXPANDED}, account=account
        )
        return read_intent(answer.data, account=account)

    async def cancel_payment_intent(self, *, account: str, id: str) -> Intent:
        """End an unpaid intent. Raises UnexpectedState when it was paid or canceled meanwhile."""
        answer = await self._transport.call(
            "post",
            f"/v1/payment_intents/{id}/cancel",
            {"expand": _EXPANDED},
            account=account,
        )
        return read_intent(answer.data, account=account)

    async def payment_intents_of(
        self, *, account: str, customer: str | None, created_after: datetime
    ) -> list[Intent]:
        """A customer's intents since an instant, newest first: finds the one whose creation was
        not answered. customer None: the intents of all customers.

        A list and not a search: search lags behind, lists do not. See Stripe, "Search"."""
        pages = self._pages(
            "/v1/payment_intents",
            {
                "customer": customer,
                "created": {"gte": int(created_after.timestamp())},
                "expand": [f"data.{name}" for name in _EXPANDED],
            },
            account=account,
        )
        return [read_intent(data, account=account) async for data in pages]

    async def failed_charges(self, *, account: str, payment_intent: str) -> list[str]:
        """Ids of an intent's charges that a bank refused, newest first: each was one attempt."""
        pages = self._pages("/v1/charges", {"payment_intent": payment_intent}, account=account)
        return [data["id"] async for data in pages if data["status"] == "failed"]

    async def paid_intents(
        self, *, account: str, created_from: datetime, created_before: datetime
    ) -> AsyncIterator[Intent]:
        """An account's paid intents of a span of time, newest first and page by page, without
        their charges and cards."""
        span = {"gte": int(created_from.timestamp()), "lt": int(created_before.timestamp())}
        pages = self._pages("/v1/payment_intents", {"created": span}, account=account)
        async for data in pages:
            if data["status"] == IntentStatus.SUCCEEDED:
                yield read_intent(data, account=account)

    async def _current(self, answer: Answer, account: str) -> Intent:
        if answer.replayed:
            return await self.payment_intent(account=account, id=answer.data["id"])
        return read_intent(answer.data, account=account)
