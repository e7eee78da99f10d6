"""Connected accounts: isolation, onboarding, OAuth, disconnecting, keys."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import stripe

from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import (
    ACCOUNT,
    Shop,
    close_client,
    counts,
    error_of,
    event_types,
    make_client,
    sandbox_only,
)

pytestmark = [pytest.mark.anyio, sandbox_only]
CONTROLLER = {
    "fees": {"payer": "account"},
    "losses": {"payments": "stripe"},
    "requirement_collection": "stripe",
    "stripe_dashboard": {"type": "full"},
}


async def onboard(shop: Shop, account: str) -> Any:
    body = {
        "account": account,
        "type": "account_onboarding",
        "return_url": "https://agency.test/return",
        "refresh_url": "https://agency.test/refresh",
    }
    return await shop.v1.account_links.create_async(body)


async def test_objects_of_one_account_do_not_exist_for_another(shop: Shop, box: Sandbox) -> None:
    box.actions.create_account(id="acct_other")
    charge = await shop.paid(application_fee_amount=1200)
    for foreign in ({"stripe_account": "acct_other"}, {}):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await shop.v1.payment_intents.retrieve_async(charge.payment_intent, None, foreign)
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
        listed = await shop.v1.charges.list_async(None, foreign)
        assert listed.data == []
    before = counts(box)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.refunds.create_async({"charge": charge.id}, {"stripe_account": "acct_other"})
    assert counts(box) == before


async def test_an_unknown_account_is_a_403(shop: Shop) -> None:
    with pytest.raises(stripe.PermissionError) as caught:
        await shop.v1.customers.list_async(None, {"stripe_account": "acct_unknown"})
    assert error_of(caught)["code"] == "account_invalid"


async def test_onboarding_opens_once_and_makes_the_account_ready(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    account = await shop.v1.accounts.create_async({"country": "US", "controller": CONTROLLER})
    assert (account.charges_enabled, account.type) == (False, "standard")
    assert account.requirements.currently_due != []
    link = await onboard(shop, account.id)
    assert link.url.startswith(box.url)
    async with http.get(link.url) as page:
        text = await page.text()
    form = text.partition('name="form" value="')[2].partition('"')[0]
    async with http.get(link.url, allow_redirects=False) as second:
        assert second.headers["Location"] == "https://agency.test/refresh"
    answer = {"form": form, "complete": "1"}
    async with http.post(link.url, data=answer, allow_redirects=False) as done:
        assert done.headers["Location"] == "https://agency.test/return"
    async with http.post(link.url, data=answer, allow_redirects=False) as again:
        assert again.status == 409
    ready = await shop.v1.accounts.retrieve_async(account.id)
    assert (ready.charges_enabled, ready.capabilities.card_payments) == (True, "active")
    assert event_types(box, account.id) == [
        "capability.updated",
        "capability.updated",
        "account.updated",
    ]


async def test_an_onboarding_link_expires(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    account = await shop.v1.accounts.create_async({"controller": CONTROLLER})
    link = await onboard(shop, account.id)
    box.actions.advance_clock(seconds=301)
    async with http.get(link.url, allow_redirects=False) as late:
        assert late.headers["Location"] == "https://agency.test/refresh"


async def test_a_restricted_account_cannot_sell(shop: Shop, box: Sandbox) -> None:
    open_intent = await shop.intent()
    box.actions.set_ready(ACCOUNT, ready=False)
    before = counts(box)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.intent("pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.payment_intents.confirm_async(
            open_intent.id, {"payment_method": "pm_card_visa"}, shop.options()
        )
    assert counts(box) == before
    account = await shop.v1.accounts.retrieve_async(ACCOUNT)
    assert account.requirements.disabled_reason == "requirements.past_due"


async def test_oauth_connects_an_account_once(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    url = shop.client.oauth.authorize_url(
        {
            "client_id": "ca_sandbox",
            "response_type": "code",
            "scope": "read_write",
            "state": "of-the-agency",
            "redirect_uri": "https://agency.test/connected",
        }
    )
    async with http.get(url) as page:
        assert ACCOUNT in await page.text()
    async with http.post(url, data={"allow": "1"}, allow_redirects=False) as back:
        answer = parse_qs(urlsplit(back.headers["Location"]).query)
    assert answer["state"] == ["of-the-agency"]
    exchange = {"grant_type": "authorization_code", "code": answer["code"][0]}
    done = await shop.client.raw_request_async("post", "/oauth/token", base="connect", **exchange)
    account = done.data["stripe_user_id"]
    assert (await shop.v1.accounts.retrieve_async(account)).charges_enabled is True
    assert event_types(box, account)[-1] == "account.application.authorized"
    with pytest.raises(stripe.oauth_error.InvalidGrantError):
        await shop.client.raw_request_async("post", "/oauth/token", base="connect", **exchange)


async def test_oauth_can_be_denied(box: Sandbox, http: aiohttp.ClientSession) -> None:
    query = {
        "client_id": "ca_sandbox",
        "response_type": "code",
        "state": "s",
        "redirect_uri": "https://agency.test/connected",
    }
    url = f"{box.url}/oauth/authorize"
    async with http.post(url, params=query, data={"deny": "1"}, allow_redirects=False) as back:
        answer = parse_qs(urlsplit(back.headers["Location"]).query)
    assert (answer["error"], answer["state"]) == (["access_denied"], ["s"])
    async with http.get(url, params={**query, "client_id": "ca_other"}) as refused:
        assert refused.status == 400


async def test_a_disconnected_account_is_closed_to_the_platform(shop: Shop, box: Sandbox) -> None:
    body = {"client_id": "ca_sandbox", "stripe_user_id": ACCOUNT}
    await shop.client.raw_request_async("post", "/oauth/deauthorize", base="connect", **body)
    with pytest.raises(stripe.PermissionError):
        await shop.intent("pm_card_visa")
    with pytest.raises(stripe.PermissionError):
        await shop.v1.accounts.retrieve_async(ACCOUNT)
    assert event_types(box)[-1] == "account.application.deauthorized"
    with pytest.raises(stripe.oauth_error.InvalidClientError):
        await shop.client.raw_request_async("post", "/oauth/deauthorize", base="connect", **body)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sk_live_real", "a live key must never be sent"),
        ("pk_test_sandbox", "publishable"),
        ("nonsense", "Invalid API Key"),
    ],
)
async def test_only_a_test_secret_key_opens_the_api(box: Sandbox, key: str, message: str) -> None:
    client = make_client(box.url, key)
    with pytest.raises(stripe.AuthenticationError, match=message) as caught:
        await client.v1.customers.create_async({"name": "Ada"})
    assert caught.value.http_status == 401
    await close_client(client)
    assert box.state.store.everywhere("customer") == []


async def test_accounts_are_listed_and_changed(shop: Shop, box: Sandbox) -> None:
    box.actions.create_account(id="acct_second", country="GB")
    listed = await shop.v1.accounts.list_async()
    assert [(row.id, row.default_currency) for row in listed.data] == [
        ("acct_second", "gbp"),
        (ACCOUNT, "usd"),
    ]
    changed = await shop.v1.accounts.update_async(ACCOUNT, {"metadata": {"agency": "7"}})
    assert changed.metadata.to_dict() == {"agency": "7"}
    own = await shop.v1.accounts.retrieve_current_async(None, shop.options())
    assert own.id == ACCOUNT
