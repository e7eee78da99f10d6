"""Failures on request, seen through Stripe's library: what was executed, what was answered."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import stripe

from stripe_sandbox.faults import Faults
from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import (
    Shop,
    browser_headers,
    close_client,
    counts,
    make_client,
    sandbox_only,
)

pytestmark = [pytest.mark.anyio, sandbox_only]


@pytest.fixture
async def patient(box: Sandbox) -> AsyncIterator[Shop]:
    """The agency with two retries, as the gateway has them."""
    client = make_client(box.url, retries=2)
    yield Shop(client)
    await close_client(client)


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, stripe.APIError), (502, stripe.APIError), (429, stripe.RateLimitError)],
)
async def test_an_error_before_execution_makes_nothing(
    shop: Shop, box: Sandbox, status: int, error: type[stripe.StripeError]
) -> None:
    box.faults.add("status_before", "payment_intents", status=status)
    before = counts(box)
    with pytest.raises(error) as caught:
        await shop.intent("pm_card_visa")
    assert caught.value.http_status == status
    assert counts(box) == before
    assert (await shop.intent("pm_card_visa")).status == "succeeded"


async def test_a_limit_is_retried_only_when_the_answer_says_so(patient: Shop, box: Sandbox) -> None:
    box.faults.add("status_before", status=429)
    with pytest.raises(stripe.RateLimitError):
        await patient.customer()
    box.faults.add("status_before", status=429, should_retry=True)
    assert (await patient.customer()).name == "Ada"


async def test_an_error_after_success_sticks_to_its_key(shop: Shop, box: Sandbox) -> None:
    box.faults.add("error_after_success", "payment_intents")
    body = {"amount": 2500, "currency": "usd"}
    options = shop.options(idempotency_key="sticky")
    for _ in range(3):
        with pytest.raises(stripe.APIError) as caught:
            await shop.v1.payment_intents.create_async(body, options)
        assert caught.value.http_status == 500
    assert counts(box)["payment_intent"] == 1


async def test_a_connection_cut_after_success_is_healed_by_the_retry(
    patient: Shop, box: Sandbox
) -> None:
    box.faults.add("cut_after_success", "payment_intents", count=2)
    intent = await patient.intent("pm_card_visa")
    assert intent.status == "succeeded"
    assert (counts(box)["payment_intent"], counts(box)["charge"]) == (1, 1)
    assert [entry.replayed for entry in box.log.entries()] == [False, True, True]


async def test_a_connection_cut_before_execution_makes_nothing(shop: Shop, box: Sandbox) -> None:
    box.faults.add("cut_before", method="POST")
    before = counts(box)
    with pytest.raises(stripe.APIConnectionError):
        await shop.intent("pm_card_visa")
    assert counts(box) == before


async def test_a_body_cut_in_the_middle(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    intent = await shop.intent()
    box.faults.add("cut_body", intent.id)
    url = f"{box.url}/v1/payment_intents/{intent.id}"
    secret = {"client_secret": intent.client_secret}
    async with http.get(url, params=secret, headers=browser_headers()) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_stalled_body_outlasts_a_timeout(
    shop: Shop, box: Sandbox, http: aiohttp.ClientSession
) -> None:
    intent = await shop.intent()
    box.faults.add("stall_body", intent.id, seconds=0.5)
    url = f"{box.url}/v1/payment_intents/{intent.id}"
    secret = {"client_secret": intent.client_secret}
    short = aiohttp.ClientTimeout(total=0.2)
    with pytest.raises(TimeoutError):
        async with http.get(url, params=secret, headers=browser_headers(), timeout=short) as slow:
            await slow.read()
    async with http.get(url, params=secret, headers=browser_headers()) as answer:
        assert (await answer.json())["id"] == intent.id


async def test_html_instead_of_json(shop: Shop, box: Sandbox) -> None:
    box.faults.add("garbage_body", "customers")
    with pytest.raises(stripe.APIError, match="Invalid response body"):
        await shop.customer()
    assert len(box.state.store.everywhere("customer")) == 1


@pytest.mark.parametrize("kind", ["delay_before", "delay_after"])
async def test_slow_answers(shop: Shop, box: Sandbox, kind: str) -> None:
    box.faults.add(kind, "customers", seconds=0.15)
    begun = time.monotonic()
    await shop.customer()
    assert time.monotonic() - begun >= 0.15


def test_rules_count_skip_and_repeat_their_dice() -> None:
    faults = Faults()
    rule = faults.add("status_before", r"/refunds$", method="POST", skip=1, count=2)
    hits = [bool(faults.take_request("POST", "/v1/refunds")) for _ in range(4)]
    assert hits == [False, True, True, False]
    assert faults.take_request("GET", "/v1/refunds") == {}
    faults.clear(rule.id)
    assert faults.rules() == []
    rolls = []
    for _ in range(2):
        faults.clear()
        faults.add("cut_before", count=None, probability=0.5, seed=7)
        rolls.append([bool(faults.take_request("GET", "/")) for _ in range(20)])
    assert rolls[0] == rolls[1]
    assert 0 < sum(rolls[0]) < 20


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        Faults().add("explode")
    with pytest.raises(ValueError, match="regular expression"):
        Faults().add("drop", "(")
