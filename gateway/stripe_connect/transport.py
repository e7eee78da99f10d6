"""One call to Stripe: the SDK over our aiohttp session, tried again where that is safe."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import aiohttp
import stripe
import structlog
from uuid_utils.compat import uuid4

from gateway.settings import STRIPE_VERSION, Settings
from gateway.stripe_connect.errors import StripeFailure
from gateway.stripe_connect.translation import is_worth_another_try, translate

Method = Literal["get", "post"]
Base = Literal["api", "connect"]

_CONNECT_TIMEOUT_S: Final = 3
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 4.0

log = structlog.get_logger(__name__)

# Telemetry would write to the home directory and tell Stripe about earlier calls; the SDK's debug
# lines hold whole bodies, client secrets included.
stripe.enable_telemetry = False
logging.getLogger("stripe").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """replayed: Stripe answered from its memory of the idempotency key, which may be old."""

    data: Mapping[str, Any]
    replayed: bool


class Transport:
    """Belongs to the event loop of its first call; close it there."""

    def __init__(self, settings: Settings) -> None:
        self._tries = settings.stripe_retries + 1
        self._http = _Http(
            connections=settings.stripe_connections, timeout_s=settings.stripe_timeout_s
        )
        self._sdk = stripe.StripeClient(
            settings.stripe_api_key.get_secret_value(),
            stripe_version=STRIPE_VERSION,
            base_addresses={
                "api": settings.stripe_api_base.rstrip("/"),
                "connect": settings.stripe_connect_base.rstrip("/"),
            },
            # All tries are ours: the SDK neither tries a 429 again nor says how often it tried.
            max_network_retries=0,
            http_client=self._http,
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close_async()

    async def call(
        self,
        method: Method,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str | None = None,
        key: str | None = None,
        base: Base = "api",
    ) -> Answer:
        """One request, tried again under the same idempotency key. Raises StripeFailure."""
        options: dict[str, Any] = {"base": base}
        if account is not None:
            options["stripe_account"] = account
        if method == "post":
            options["idempotency_key"] = key or str(uuid4())
        for tried in range(1, self._tries + 1):
            try:
                answer = await self._sdk.raw_request_async(
                    method, path, **_without_none(params or {}), **options
                )
            except stripe.StripeError as error:
                if tried == self._tries or not is_worth_another_try(error):
                    raise _report(translate(error, method=method), path, tried) from None
            else:
                return Answer(answer.data, answer.headers.get("Idempotent-Replayed") == "true")
            await asyncio.sleep(_pause_s(tried))
        raise AssertionError("the last try returns or raises")


class _Http(stripe.AIOHTTPClient):
    """The SDK's client reads the body outside its `try`, so that a cut or stalled body would
    escape as an error of aiohttp; and it cannot bound its connections."""

    def __init__(self, *, connections: int, timeout_s: float) -> None:
        super().__init__(timeout=None)
        self._limits = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_TIMEOUT_S)
        self._connections = connections
        self._open: aiohttp.ClientSession | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            async with self._client().request(
                method, url, headers=headers, data=post_data
            ) as response:
                return await response.read(), response.status, response.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._handle_request_error(error)

    async def close_async(self) -> None:
        if self._open is not None:
            await self._open.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._open is None:
            context = ssl.create_default_context(cafile=stripe.ca_bundle_path)
            connector = aiohttp.TCPConnector(limit=self._connections, ssl=context)
            self._open = aiohttp.ClientSession(connector=connector, timeout=self._limits)
        return self._open


def _report(failure: StripeFailure, path: str, tries: int) -> StripeFailure:
    # Only names: a message of Stripe may repeat parts of what was sent.
    log.warning("stripe_call_failed", path=path, failure=type(failure).__name__, tries=tries)
    return failure


def _pause_s(tried: int) -> float:
    """Doubling with full jitter, so that many callers do not come back in step."""
    longest = min(_FIRST_PAUSE_S * float(2 ** (tried - 1)), _LONGEST_PAUSE_S)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def _without_none(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
