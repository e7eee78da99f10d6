"""What the gateway asks of Stripe, in its own words. The only door to the `stripe` package.

Every method is one call (lists: one per page) and raises `StripeFailure` of `errors.py`. Calls on
an agency's money carry its account: direct charges. See Stripe, "Create direct charges"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from gateway.settings import Settings
from gateway.stripe_connect.errors import StripeRefused
from gateway.stripe_connect.reading import (
    read_account,
    read_account_link,
    read_card,
    read_intent,
    read_setup_intent,
)
from gateway.stripe_connect.transport import Answer, Transport
from gateway.stripe_connect.values import Account, AccountLink, Card, Intent, SetupIntent

# The agency is merchant of record with the full dashboard and pays Stripe's fee; Stripe asks for
# its papers and bears its losses. See Stripe, "Connect account types", `controller`.
_CONTROLLER: Final = {
    "fees": {"payer": "account"},
    "losses": {"payments": "stripe"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "full"},
}
_CAPABILITIES: Final = {"card_payments": {"requested": True}, "transfers": {"requested": True}}
_CARDS_ONLY: Final = {"enabled": True, "allow_redirects": "never"}
_INTENT_EXPANDED: Final = ["latest_charge.balance_transaction", "payment_method"]
_SETUP_EXPANDED: Final = ["payment_method"]
_PAGE: Final = 100


class StripeConnect:
    """One per process, made inside its event loop and closed there."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Transport(settings)
        self._client_id = settings.stripe_client_id
        self._connect_base = settings.stripe_connect_base.rstrip("/")

    async def close(self) -> None:
        """Give the connections back. After: no further call."""
        await self._transport.close()

    async def ping(self) -> None:
        """Read the platform's own balance, to see that Stripe is reached and takes the key.

        Raises StripeFailure."""
        await self._transport.call("get", "/v1/balance")

    # Accounts and onboarding

    async def create_account(self, *, agency_id: str, key: str) -> Account:
        """A new account for an agency; it cannot take charges before onboarding."""
        answer = await self._transport.call(
            "post",
            "/v1/accounts",
            {
                "controller": _CONTROLLER,
                "capabilities": _CAPABILITIES,
                "metadata": {"rebill_agency": agency_id},
            },
            key=key,
        )
        return read_account(answer.data)

    async def account(self, account_id: str) -> Account:
        """The account as it is now. Raises AccountLost when it is not ours (any more)."""
        answer = await self._transport.call("get", f"/v1/accounts/{account_id}")
        return read_account(answer.data)

    async def create_account_link(
        self, *, account_id: str, refresh_url: str, return_url: str
    ) -> AccountLink:
        """A fresh single-use onboarding page. Coming back to return_url proves nothing."""
        answer = await self._transport.call(
            "post",
            "/v1/account_links",
            {
                "account": account_id,
                "type": "account_onboarding",
                "refresh_url": refresh_url,
                "return_url": return_url,
            },
        )
        return read_account_link(answer.data)

    def authorize_url(self, *, state: str, redirect_uri: str) -> str:
        """Where an agency with an account of its own lets us act for it. No call is made."""
        query = {
            "response_type": "code",
            "client_id": self._require_client_id(),
            "scope": "read_write",
            "state": state,
            "redirect_uri": redirect_uri,
        }
        return f"{self._connect_base}/oauth/authorize?{urlencode(query)}"

    async def exchange_code(self, code: str) -> str:
        """The account id behind an OAuth code. The code works once."""
        self._require_client_id()
        answer = await self._transport.call(
            "post",
            "/oauth/token",
            {"grant_type": "authorization_code", "code": code},
            base="connect",
        )
        return str(answer.data["stripe_user_id"])

    async def deauthorize(self, account_id: str) -> None:
        """Give our permission on an OAuth account back. After: calls for it raise AccountLost."""
        await self._transport.call(
            "post",
            "/oauth/deauthorize",
            {"client_id": self._require_client_id(), "stripe_user_id": account_id},
            base="connect",
        )

    # Customers and cards

    async def create_customer(
        self, *, account: str, sub_account_id: str, agency_id: str, key: str
    ) -> str:
        """The id of a new customer on `account` that stands for a sub-account."""
        answer = await self._transport.call(
            "post",
            "/v1/customers",
            {"metadata": {"rebill_sub_account": sub_account_id, "rebill_agency": agency_id}},
            account=account,
            key=key,
        )
        return str(answer.data["id"])

    async def payment_methods(self, *, account: str, customer: str) -> list[Card]:
        """The cards attached to a customer, newest first."""
        pages = self._pages(f"/v1/customers/{customer}/payment_methods", {}, account=account)
        found = [read_card(data) async for data in pages]
        return [card for card in found if card is not None]

    async def payment_method(self, *, account: str, payment_method: str) -> Card | None:
        """One card as it is now; None when it is another kind of payment method."""
        answer = await self._transport.call(
            "get", f"/v1/payment_methods/{payment_method}", account=account
        )
        return read_card(answer.data)

    async def detach(self, *, account: str, payment_method: str) -> None:
        """Take a card away from its customer for ever. Raises NotFoundAtStripe when unknown."""
        await self._transport.call(
            "post", f"/v1/payment_methods/{payment_method}/detach", account=account
        )

    async def create_setup_intent(
        self, *, account: str, customer: str, metadata: Mapping[str, str], key: str
    ) -> SetupIntent:
        """Begin to save a card for later, also for charges without the buyer present."""
        answer = await self._transport.call(
            "post",
            "/v1/setup_intents",
            {
                "customer": customer,
                "usage": "off_session",
                "automatic_payment_methods": _CARDS_ONLY,
                "metadata": metadata,
                "expand": _SETUP_EXPANDED,
            },
            account=account,
            key=key,
        )
        if answer.replayed:
            return await self.setup_intent(account=account, id=answer.data["id"])
        return read_setup_intent(answer.data, account=account)

    async def setup_intent(self, *, account: str, id: str) -> SetupIntent:
        """The SetupIntent as it is now."""
        answer = await self._transport.call(
            "get", f"/v1/setup_intents/{id}", {"expand": _SETUP_EXPANDED}, account=account
        )
        return read_setup_intent(answer.data, account=account)

    # Payments

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
                "automatic_payment_methods": _CARDS_ONLY,
                "payment_method": payment_method,
                "confirm": confirm or None,
                "setup_future_usage": "off_session" if save else None,
                "metadata": metadata,
                "expand": _INTENT_EXPANDED,
            },
            account=account,
            key=key,
        )
        return await self._current(answer, account)

    async def payment_intent(self, *, account: str, id: str) -> Intent:
        """The PaymentIntent as it is now, with its charge, Stripe's fee and the card."""
        answer = await self._transport.call(
            "get", f"/v1/payment_intents/{id}", {"expand": _INTENT_EXPANDED}, account=account
        )
        return read_intent(answer.data, account=account)

    async def confirm_payment_intent(
        self, *, account: str, id: str, payment_method: str, key: str
    ) -> Intent:
        """Try a card on an intent that has none or whose last one was refused."""
        answer = await self._transport.call(
            "post",
            f"/v1/payment_intents/{id}/confirm",
            {"payment_method": payment_method, "expand": _INTENT_EXPANDED},
            account=account,
            key=key,
        )
        return await self._current(answer, account)

    async def cancel_payment_intent(self, *, account: str, id: str) -> Intent:
        """End an unpaid intent. Raises UnexpectedState when it was paid or canceled meanwhile."""
        answer = await self._transport.call(
            "post",
            f"/v1/payment_intents/{id}/cancel",
            {"expand": _INTENT_EXPANDED},
            account=account,
        )
        return read_intent(answer.data, account=account)

    async def payment_intents_of(
        self, *, account: str, customer: str, created_after: datetime
    ) -> list[Intent]:
        """A customer's intents since an instant: finds the one whose creation was not answered.

        A list and not a search: search lags behind, lists do not. See Stripe, "Search"."""
        pages = self._pages(
            "/v1/payment_intents",
            {
                "customer": customer,
                "created": {"gte": int(created_after.timestamp())},
                "expand": [f"data.{name}" for name in _INTENT_EXPANDED],
            },
            account=account,
        )
        return [read_intent(data, account=account) async for data in pages]

    async def _current(self, answer: Answer, account: str) -> Intent:
        if answer.replayed:
            return await self.payment_intent(account=account, id=answer.data["id"])
        return read_intent(answer.data, account=account)

    async def _pages(
        self, path: str, params: Mapping[str, Any], *, account: str
    ) -> AsyncIterator[Mapping[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            answer = await self._transport.call(
                "get", path, {**params, "limit": _PAGE, **cursor}, account=account
            )
            for data in answer.data["data"]:
                yield data
            if not answer.data["has_more"]:
                return
            cursor = {"starting_after": answer.data["data"][-1]["id"]}

    def _require_client_id(self) -> str:
        if self._client_id is None:
            raise StripeRefused(
                "Connecting an existing account needs the setting STRIPE_CLIENT_ID.",
                code="client_id_missing",
                param=None,
            )
        return self._client_id
