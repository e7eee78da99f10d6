"""Each operation answers at least once, so that the contract check has seen its answer."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from stripe_sandbox.routes import OPERATIONS, match
from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import ACCOUNT, Shop, sandbox_only

pytestmark = [pytest.mark.anyio, sandbox_only]
FIXED = {"automatic_payment_methods[enabled]": "true"}


async def test_every_operation_answers(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    async def call(method: str, path: str, form: dict[str, str] | None = None) -> Any:
        platform = path.split("/")[2] in {
            "accounts", "account_links", "application_fees", "webhook_endpoints", "token",
            "deauthorize",
        }  # fmt: skip
        headers = {"Authorization": "Bearer sk_test_sandbox"}
        if not platform:
            headers["Stripe-Account"] = ACCOUNT
        where = {"params": form} if method == "GET" else {"data": form}
        async with http.request(method, box.url + path, headers=headers, **where) as answer:  # type: ignore[arg-type]
            body = await answer.json()
            assert answer.status == 200, (method, path, body)
            return body

    charge = await shop.paid("pm_card_createDisputeInquiry", application_fee_amount=1200)
    (dispute,) = (await call("GET", "/v1/disputes"))["data"]
    fee, cus = charge.application_fee, (await call("POST", "/v1/customers"))["id"]
    await call("GET", "/v1/account")
    await call("POST", "/v1/accounts", {"controller[stripe_dashboard][type]": "full"})
    await call("POST", f"/v1/accounts/{ACCOUNT}", {"business_profile[name]": "Agency"})
    await call("GET", f"/v1/accounts/{ACCOUNT}")
    await call("GET", "/v1/accounts")
    link = {"return_url": "https://a.test", "refresh_url": "https://a.test"}
    await call(
        "POST", "/v1/account_links", {"account": ACCOUNT, "type": "account_onboarding", **link}
    )
    await call("POST", f"/v1/customers/{cus}", {"phone": "1"})
    await call("GET", f"/v1/customers/{cus}")
    await call("GET", "/v1/customers", {"email": "a@b.test"})
    card = (await call("POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": cus}))["id"]
    await call("POST", f"/v1/payment_methods/{card}", {"card[exp_year]": "2040"})
    await call("GET", f"/v1/payment_methods/{card}")
    await call("GET", "/v1/payment_methods", {"customer": cus, "type": "card"})
    await call("GET", f"/v1/customers/{cus}/payment_methods", {"type": "card"})
    await call("GET", f"/v1/customers/{cus}/payment_methods/{card}")
    await call("POST", f"/v1/payment_methods/{card}/detach")
    await call("POST", "/v1/payment_methods", {"type": "card", "card[token]": "tok_visa"})
    await call("DELETE", f"/v1/customers/{cus}")
    order = {"amount": "500", "currency": "usd", **FIXED}
    for path in ("/v1/payment_intents", "/v1/setup_intents"):
        made = (await call("POST", path, order if "payment" in path else FIXED))["id"]
        pay = {"payment_method": "pm_card_visa", "return_url": "https://a.test"}
        await call("POST", f"{path}/{made}", {"description": "changed"})
        await call("GET", f"{path}/{made}")
        await call("POST", f"{path}/{made}/confirm", pay)
        other = (await call("POST", path, order if "payment" in path else FIXED))["id"]
        await call("POST", f"{path}/{other}/cancel", {"cancellation_reason": "abandoned"})
        await call("GET", path, {"created[gte]": "1"})
    await call("GET", "/v1/charges", {"payment_intent": charge.payment_intent})
    await call("GET", f"/v1/charges/{charge.id}", {"expand[]": "application_fee"})
    await call("POST", f"/v1/charges/{charge.id}", {"description": "changed"})
    refund = (await call("POST", "/v1/refunds", {"charge": charge.id, "amount": "100"}))["id"]
    await call("GET", f"/v1/charges/{charge.id}/refunds")
    await call("GET", f"/v1/refunds/{refund}")
    await call("POST", f"/v1/refunds/{refund}", {"metadata[a]": "1"})
    await call("GET", "/v1/refunds", {"charge": charge.id})
    part = (await call("POST", f"/v1/application_fees/{fee}/refunds", {"amount": "1"}))["id"]
    await call("GET", f"/v1/application_fees/{fee}/refunds/{part}")
    await call("GET", f"/v1/application_fees/{fee}/refunds")
    await call("GET", f"/v1/application_fees/{fee}")
    await call("GET", "/v1/application_fees", {"charge": charge.id})
    await call("GET", f"/v1/disputes/{dispute['id']}")
    await call("POST", f"/v1/disputes/{dispute['id']}", {"evidence[product_description]": "it"})
    closed = await call("POST", f"/v1/disputes/{dispute['id']}/close")
    assert closed["status"] == "warning_closed"
    await call("GET", "/v1/balance")
    moves = (await call("GET", "/v1/balance_transactions", {"type": "charge"}))["data"]
    await call("GET", f"/v1/balance_transactions/{moves[0]['id']}")
    events = (await call("GET", "/v1/events", {"types[]": "charge.succeeded"}))["data"]
    await call("GET", f"/v1/events/{events[0]['id']}")
    hook = {"url": "https://a.test", "enabled_events[]": "*"}
    made = (await call("POST", "/v1/webhook_endpoints", hook))["id"]
    await call("POST", f"/v1/webhook_endpoints/{made}", {"description": "changed"})
    await call("GET", f"/v1/webhook_endpoints/{made}")
    await call("GET", "/v1/webhook_endpoints")
    await call("DELETE", f"/v1/webhook_endpoints/{made}")

    answered = [match(entry.method, entry.path)[0] for entry in box.log.entries()]
    silent = [(op.method, op.path) for op in OPERATIONS if op not in answered]
    assert silent == [("POST", "/oauth/token"), ("POST", "/oauth/deauthorize")]
