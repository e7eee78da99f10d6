"""Customers and their saved cards, on an agency's account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.stripe_connect.caller import CARDS_ONLY, Caller
from gateway.stripe_connect.reading import read_card, read_setup_intent
from gateway.stripe_connect.values import Card, SetupIntent

_EXPANDED: Final = ["payment_method"]


class Cards(Caller):
    """Calls about customers, payment methods and SetupIntents."""

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
                "automatic_payment_methods": CARDS_ONLY,
                "metadata": metadata,
                "expand": _EXPANDED,
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
            "get", f"/v1/setup_intents/{id}", {"expand": _EXPANDED}, account=account
        )
        return read_setup_intent(answer.data, account=account)
