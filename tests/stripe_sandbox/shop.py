"""A seller's view of the API through Stripe's own client library.

With STRIPE_TEST_KEY (and STRIPE_TEST_ACCOUNT, a connected account) the same stories run against
Stripe's test mode; what only a local server can show is marked with `sandbox_only`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
import stripe

from stripe_sandbox import API_VERSION
from stripe_sandbox.server import PUBLISHABLE_KEY, SECRET_KEY, Sandbox

REAL_KEY: Final = os.environ.get("STRIPE_TEST_KEY")
ACCOUNT: Final = os.environ.get("STRIPE_TEST_ACCOUNT", "acct_agency")
sandbox_only = pytest.mark.skipif(
    REAL_KEY is not None, reason="needs the local sandbox's faults, clock or pages"
)
Params = dict[str, Any]


def make_client(base: str | None, key: str = SECRET_KEY, *, retries: int = 0) -> Any:
    """Stripe's async client, pointed at a sandbox, or at Stripe when base is None.

    Untyped on purpose: these stories send what the library's types forbid.
    """
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        key,
        base_addresses={"api": base, "connect": base} if base else {},
        http_client=stripe.AIOHTTPClient(timeout=20),
        stripe_version=API_VERSION,
        max_network_retries=retries,
    )


async def close_client(client: Any) -> None:
    await client._requestor._client.close_async()


@dataclass
class Shop:
    """One connected account that sells through the platform."""

    client: Any
    account: str = ACCOUNT

    @property
    def v1(self) -> Any:
        return self.client.v1

    def options(self, **more: Any) -> Params:
        return {"stripe_account": self.account, **more}

    async def customer(self, **params: Any) -> Any:
        return await self.v1.customers.create_async({"name": "Ada", **params}, self.options())

    async def intent(self, token: str | None = None, **params: Any) -> Any:
        """A PaymentIntent of 25.00; confirmed at once when a test card is named."""
        body: Params = {
            "amount": 2500,
            "currency": "usd",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            **params,
        }
        if token:
            body = {**body, "payment_method": token, "confirm": True}
        return await self.v1.payment_intents.create_async(body, self.options())

    async def paid(self, card: str = "pm_card_visa", **params: Any) -> Any:
        """A charge that succeeded, with its balance transaction."""
        intent = await self.intent(card, expand=["latest_charge.balance_transaction"], **params)
        assert intent.status == "succeeded"
        return intent.latest_charge

    async def charge(self, charge_id: str) -> Any:
        return await self.v1.charges.retrieve_async(charge_id, None, self.options())

    async def read(self, intent_id: str) -> Any:
        return await self.v1.payment_intents.retrieve_async(intent_id, None, self.options())


def event_types(box: Sandbox, account: str = ACCOUNT) -> list[str]:
    """The events of an account, oldest first."""
    return [row["type"] for row in box.state.store.rows(account, "event")]


def counts(box: Sandbox) -> dict[str, int]:
    """How many objects of each kind there are: two equal counts mean that nothing was made."""
    kinds = ("payment_intent", "charge", "refund", "application_fee", "balance_transaction")
    return {kind: len(box.state.store.everywhere(kind)) for kind in (*kinds, "event")}


def browser_headers(account: str = ACCOUNT, key: str = PUBLISHABLE_KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Stripe-Account": account}


async def eventually(condition: Callable[[], object], *, deadline_s: float = 5.0) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


def error_of(caught: pytest.ExceptionInfo[stripe.StripeError]) -> Params:
    """The error object of the answer behind an exception."""
    body: Any = caught.value.json_body
    error: Params = body["error"]
    return error
