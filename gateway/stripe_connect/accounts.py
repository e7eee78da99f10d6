"""Agencies' accounts: onboarding by link, and the OAuth door for those that have one."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from gateway.stripe_connect.caller import Caller
from gateway.stripe_connect.errors import StripeRefused
from gateway.stripe_connect.reading import read_account, read_account_link
from gateway.stripe_connect.values import Account, AccountLink

# The agency is merchant of record with the full dashboard and pays Stripe's fee; Stripe asks for
# its papers and bears its losses. See Stripe, "Connect account types", `controller`.
_CONTROLLER: Final = {
    "fees": {"payer": "account"},
    "losses": {"payments": "stripe"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "full"},
}
_CAPABILITIES: Final = {"card_payments": {"requested": True}, "transfers": {"requested": True}}


class Accounts(Caller):
    """Calls about accounts."""

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

    def _require_client_id(self) -> str:
        if self._client_id is None:
            raise StripeRefused(
                "Connecting an existing account needs the setting STRIPE_CLIENT_ID.",
                code="client_id_missing",
                param=None,
            )
        return self._client_id
