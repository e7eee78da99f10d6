"""One key, one result: replays, other parameters, concurrent use, expiry."""

from __future__ import annotations

import asyncio

import pytest
import stripe

from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import Shop, counts, error_of, eventually, sandbox_only

pytestmark = pytest.mark.anyio
BODY = {
    "amount": 2500,
    "currency": "usd",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}


async def test_the_same_request_is_answered_again_not_done_again(shop: Shop) -> None:
    options = shop.options(idempotency_key="purchase-1-a")
    first = await shop.v1.payment_intents.create_async(BODY, options)
    again = await shop.v1.payment_intents.create_async(BODY, options)
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    listed = await shop.v1.payment_intents.list_async(None, shop.options())
    assert [row.id for row in listed.data].count(first.id) == 1


@sandbox_only
async def test_a_replay_changes_nothing_and_a_decline_is_replayed_too(
    shop: Shop, box: Sandbox
) -> None:
    options = shop.options(idempotency_key="purchase-2-a")
    body = {**BODY, "payment_method": "pm_card_visa_chargeDeclined"}
    with pytest.raises(stripe.CardError) as first:
        await shop.v1.payment_intents.create_async(body, options)
    before = counts(box)
    with pytest.raises(stripe.CardError) as again:
        await shop.v1.payment_intents.create_async(body, options)
    assert again.value.json_body == first.value.json_body
    assert counts(box) == before


@sandbox_only
async def test_another_body_or_path_under_the_same_key_is_refused(shop: Shop, box: Sandbox) -> None:
    options = shop.options(idempotency_key="purchase-3-a")
    await shop.v1.payment_intents.create_async(BODY, options)
    before = counts(box)
    with pytest.raises(stripe.IdempotencyError):
        await shop.v1.payment_intents.create_async({**BODY, "amount": 2600}, options)
    with pytest.raises(stripe.IdempotencyError):
        await shop.v1.customers.create_async({"name": "Ada"}, options)
    assert counts(box) == before


async def test_a_refused_parameter_does_not_use_the_key_up(shop: Shop) -> None:
    options = shop.options(idempotency_key="purchase-4-a")
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.payment_intents.create_async({**BODY, "surprise": 1}, options)
    assert (await shop.v1.payment_intents.create_async(BODY, options)).status == "succeeded"


@sandbox_only
async def test_keys_of_two_accounts_are_two_keys(shop: Shop, box: Sandbox) -> None:
    box.actions.create_account(id="acct_other")
    mine = await shop.v1.customers.create_async({}, shop.options(idempotency_key="same"))
    other = Shop(shop.client, "acct_other")
    theirs = await other.v1.customers.create_async({}, other.options(idempotency_key="same"))
    assert mine.id != theirs.id


@sandbox_only
async def test_a_second_request_while_the_first_runs_is_a_409(shop: Shop, box: Sandbox) -> None:
    box.faults.add("delay_before", "payment_intents$", seconds=0.5)
    options = shop.options(idempotency_key="purchase-5-a")
    slow = asyncio.create_task(shop.v1.payment_intents.create_async(BODY, options))
    await eventually(lambda: box.faults.rules()[0]["struck"])
    with pytest.raises(stripe.APIError) as caught:
        await shop.v1.payment_intents.create_async(BODY, options)
    assert caught.value.http_status == 409
    assert error_of(caught)["code"] == "idempotency_key_in_use"
    assert (await slow).status == "succeeded"
    assert counts(box)["charge"] == 1


@sandbox_only
async def test_a_key_is_forgotten_after_a_day(shop: Shop, box: Sandbox) -> None:
    options = shop.options(idempotency_key="purchase-6-a")
    first = await shop.v1.payment_intents.create_async(BODY, options)
    box.actions.advance_clock(seconds=24 * 3600 - 60)
    assert (await shop.v1.payment_intents.create_async(BODY, options)).id == first.id
    box.actions.advance_clock(seconds=120)
    assert (await shop.v1.payment_intents.create_async(BODY, options)).id != first.id
