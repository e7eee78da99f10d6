"""Where Stripe sends people back to: small pages that trust nothing in the address.

Coming back from Stripe's forms proves nothing, so the account is read from Stripe. See Stripe,
"Connect Onboarding", return_url and refresh_url; and "OAuth reference"."""

from __future__ import annotations

import html
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.agencies.oauth import CALLBACK_PATH
from gateway.agencies.onboarding import REFRESH_PATH, RETURN_PATH
from gateway.agencies.refresh import refresh_after_return
from gateway.runtime import Runtime

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}
</style></head><body><h1>{title}</h1><p>{text}</p></body></html>
"""
# The address may carry a code or an id: it goes into no log of another site and no cache.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
}


def stripe_return_routes(runtime: Runtime) -> list[Route]:
    """The three addresses that Stripe is given."""

    async def returned(request: Request) -> Response:
        await refresh_after_return(runtime, request.query_params.get("connection", ""))
        return _page(
            "Thank you",
            "Stripe has your answers. Go back to your dashboard; it shows whether Stripe needs "
            "anything else. You can close this page.",
        )

    async def used_up(_request: Request) -> Response:
        # A new link is for whoever is signed in: handing one out here would give it to anybody.
        return _page(
            "This link was used or is too old",
            "Go back to your dashboard and start the Stripe setup again.",
        )

    async def allowed(request: Request) -> Response:
        query = request.query_params
        if "error" in query:
            return _page("Not connected", "The connection was not allowed. Nothing has changed.")
        # Whoever opens this page need not be who began: only a signed-in person can finish.
        return _page(
            "Almost connected",
            "Finish in your dashboard. It calls completeStripeOAuth with what stands in this "
            "page's address: code and state.",
        )

    return [
        Route(RETURN_PATH, returned, methods=["GET"]),
        Route(REFRESH_PATH, used_up, methods=["GET"]),
        Route(CALLBACK_PATH, allowed, methods=["GET"]),
    ]


def _page(title: str, text: str) -> HTMLResponse:
    body = _PAGE.format(title=html.escape(title), text=html.escape(text))
    return HTMLResponse(body, headers=_HEADERS)
