"""What the gateway asks of Stripe, in its own words. The only door to the `stripe` package.

Every method is one call (lists: one per page) and raises `StripeFailure` of `errors.py`."""

from __future__ import annotations

from gateway.stripe_connect.accounts import Accounts
from gateway.stripe_connect.cards import Cards
from gateway.stripe_connect.events import Events
from gateway.stripe_connect.payments import Payments


class StripeConnect(Accounts, Cards, Events, Payments):
    """One per process, made from the settings inside its event loop and closed there."""

    async def ping(self) -> None:
        """Read the platform's own balance, to see that Stripe is reached and takes the key."""
        await self._transport.call("get", "/v1/balance")
