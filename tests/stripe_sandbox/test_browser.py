"""What a browser may do with the publishable key, and the pages a person sees."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import ACCOUNT, Shop, browser_headers, counts, sandbox_only

pytestmark = [pytest.mark.anyio, sandbox_only]
CARD = "payment_method_data[card]"


async def confirm(
    box: Sandbox, http: aiohttp.ClientSession, intent: Any, number: str, **more: str
) -> tuple[int, Any]:
    form = {
        "client_secret": intent.client_secret,
        "payment_method_data[type]": "card",
        f"{CARD}[number]": number,
        f"{CARD}[exp_month]": "12",
        f"{CARD}[exp_year]": "34",
        f"{CARD}[cvc]": "123",
        **more,
    }
    url = f"{box.url}/v1/{intent.object}s/{intent.id}/confirm"
    async with http.post(url, data=form, headers=browser_headers()) as answer:
        return answer.status, await answer.json()


async def test_a_browser_pays_with_a_test_number(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    intent = await shop.intent(application_fee_amount=1200, metadata={"order": "secret"})
    status, shown = await confirm(box, http, intent, "4242424242424242")
    assert (status, shown["status"]) == (200, "succeeded")
    hidden = {"application_fee_amount", "customer", "latest_charge", "metadata", "amount_received"}
    assert hidden & set(shown) == set()
    assert (await shop.read(intent.id)).amount_received == 2500


async def test_a_browser_saves_a_card(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    customer = await shop.customer()
    setup = await shop.v1.setup_intents.create_async({"customer": customer.id}, shop.options())
    status, shown = await confirm(box, http, setup, "5555555555554444")
    assert (status, shown["status"]) == (200, "succeeded")
    assert "customer" not in shown


@pytest.mark.parametrize(
    ("number", "code"),
    [("4111111111111111", "card_declined"), ("4242424242424241", "incorrect_number")],
)
async def test_a_real_or_wrong_number_is_refused_and_not_kept(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession, number: str, code: str
) -> None:
    intent = await shop.intent()
    before = counts(box)
    status, body = await confirm(box, http, intent, number)
    assert (status, body["error"]["code"]) == (402, code)
    assert counts(box) == before
    assert number not in box.log.entries()[-1].body
    assert "cvc%5D=123" not in box.log.entries()[-1].body


async def test_an_intent_opens_only_with_its_client_secret(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    intent = await shop.intent()
    url = f"{box.url}/v1/payment_intents/{intent.id}"
    for query, expected in (
        ({}, 400),
        ({"client_secret": "pi_x_secret_y"}, 404),
        ({"client_secret": intent.client_secret}, 200),
    ):
        async with http.get(url, params=query, headers=browser_headers()) as answer:
            assert answer.status == expected
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
    field = {"client_secret": intent.client_secret, "key": "pk_test_sandbox"}
    async with http.get(url, params=field, headers={"Stripe-Account": ACCOUNT}) as answer:
        assert answer.status == 200
    async with http.options(url) as asked:
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]


async def test_a_secret_key_must_not_send_numbers(shop: Shop, box: Sandbox) -> None:
    before = counts(box)
    body = {"type": "card", "card": {"number": "4242424242424242"}}
    with pytest.raises(Exception, match="generally unsafe"):
        await shop.v1.payment_methods.create_async(body, shop.options())
    assert counts(box) == before


async def test_a_person_pays_on_the_page(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    intent = await shop.intent()
    query = {"client_secret": intent.client_secret, "account": ACCOUNT}
    url = f"{box.url}/pay/{intent.id}"
    async with http.get(url, params=query) as page:
        text = await page.text()
        assert "4242424242424242" in text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    async with http.post(url, data={**query, "number": "4000000000009995"}) as page:
        assert "insufficient funds" in await page.text()
    async with http.post(url, data={**query, "number": "4242 4242 4242 4242"}) as page:
        assert "This payment is succeeded." in await page.text()
    assert (await shop.read(intent.id)).status == "succeeded"
    async with http.get(url, params={**query, "client_secret": "guess"}) as page:
        assert page.status == 404


@pytest.mark.parametrize(
    ("button", "status"), [("approve", "succeeded"), ("fail", "requires_payment_method")]
)
async def test_a_person_answers_3d_secure_on_the_page(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession, button: str, status: str
) -> None:
    intent = await shop.intent("pm_card_threeDSecure2Required")
    url = intent.next_action.use_stripe_sdk.stripe_js
    async with http.get(url) as page:
        assert "Approve" in await page.text()
    async with http.post(url, data={button: "1", "client_secret": "guess"}) as page:
        assert page.status == 403
    secret = {"client_secret": intent.client_secret}
    async with http.post(url, data={button: "1", **secret}) as page:
        assert f"is {status}" in await page.text()
    assert (await shop.read(intent.id)).status == status
    async with http.post(url, data={button: "1", **secret}) as page:
        assert page.status == 409


async def test_3d_secure_sends_the_person_back(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    intent = await shop.intent(
        "pm_card_authenticationRequired", return_url="https://agency.test/back?a=1"
    )
    url = intent.next_action.redirect_to_url.url
    form = {"approve": "1", "client_secret": intent.client_secret}
    async with http.post(url, data=form, allow_redirects=False) as done:
        target = done.headers["Location"]
    assert target.startswith(f"https://agency.test/back?a=1&payment_intent={intent.id}&")


async def test_the_overview_shows_and_escapes(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    box.actions.create_account(id="acct_<script>alert(1)</script>")
    intent = await shop.intent("pm_card_visa")
    async with http.get(box.url) as page:
        text = await page.text()
    assert "<script>" not in text
    assert "acct_&lt;script&gt;" in text
    assert intent.id in text
    assert "payment_intent.succeeded" in text
