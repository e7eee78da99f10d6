"""Where Stripe delivers its events: verified, stored once, answered at once.

No GraphQL, no call to Stripe and no money in this request. See Stripe, "Receive Stripe events in
your webhook endpoint"."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.crash_points import crash_point
from gateway.endpoints.body import ClientGone, HttpRefusal, read_body
from gateway.endpoints.limits import Limits
from gateway.endpoints.outages import is_outage
from gateway.inbox.store import store_event
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import BadWebhook
from gateway.stripe_connect.webhooks import verify

PATH = "/stripe/webhooks"

log = structlog.get_logger(__name__)


def stripe_webhook_routes(rt: Runtime, *, on_stored: Callable[[], None]) -> list[BaseRoute]:
    """The route `POST /stripe/webhooks`. on_stored: called after a new event was committed; it
    must not wait.

    Answers 200 once the event is stored (also when it was before), 400 for whatever is not a
    genuine event, 408 and 413 for a body that comes too slowly or is over 256 kB, and 503 while
    the database is away, so that Stripe delivers again."""
    limits = Limits()

    async def receive(request: Request) -> Response:
        try:
            raw = await read_body(request.headers, request.receive, limits)
            await _store(rt, raw, request.headers.get("stripe-signature"), on_stored)
        except HttpRefusal as refusal:
            return _answer(refusal.status, refusal.error.message, refusal.headers)
        except ClientGone:
            return _answer(400, "The body did not arrive.")
        except BadWebhook as bad:
            log.warning("stripe_webhook_refused", reason=str(bad))
            return _answer(400, str(bad))
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("stripe_webhook_not_stored", exc_info=error)
            return _answer(503, "The event could not be stored now. Deliver it again.")
        return JSONResponse({"received": True})

    return [Route(PATH, receive, methods=["POST"])]


async def _store(
    rt: Runtime, raw: bytes, signature: str | None, on_stored: Callable[[], None]
) -> None:
    settings = rt.settings
    event = verify(
        raw,
        signature,
        [secret.get_secret_value() for secret in settings.stripe_webhook_secrets],
        livemode=settings.livemode,
        now=rt.clock(),
    )
    if await store_event(event, now=rt.clock()):
        crash_point("webhook_stored")
        on_stored()


def _answer(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status_code=status, headers=headers)
