"""Events leave signed, to the right endpoint, again until they arrive; and fail on request."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import stripe
from aiohttp import web

from stripe_sandbox import API_VERSION
from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import ACCOUNT, Shop, eventually, sandbox_only

pytestmark = [pytest.mark.anyio, sandbox_only]
SECRET = "whsec_of_this_test"


@dataclass
class Receiver:
    """A webhook endpoint: keeps what it gets and answers what it is told."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[bytes, str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((await request.read(), request.headers["Stripe-Signature"]))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    def verified(self, secret: str = SECRET) -> list[Any]:
        """What passes the check of Stripe's own library."""
        events = []
        for payload, header in self.got:
            try:
                stripe.WebhookSignature.verify_header(payload.decode(), header, secret, 300)
            except stripe.SignatureVerificationError:
                continue
            events.append(stripe.Event.construct_from(json.loads(payload), None))
        return events

    def types(self) -> list[str]:
        return [event.type for event in self.verified()]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    held = Receiver()
    app = web.Application()
    app.router.add_post("/hook", held.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    held.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield held
    await runner.cleanup()


def listen(box: Sandbox, receiver: Receiver, *events: str, connect: bool = True) -> None:
    box.actions.set_webhook(
        url=receiver.url, secret=SECRET, connect=connect, enabled_events=list(events) or None
    )


async def test_a_sale_is_told_to_the_connect_endpoint(
    shop: Shop, box: Sandbox, receiver: Receiver
) -> None:
    listen(box, receiver)
    intent = await shop.intent("pm_card_visa", application_fee_amount=1200)
    await eventually(lambda: len(receiver.got) == 4)
    events = receiver.verified()
    assert sorted(event.type for event in events) == [
        "charge.succeeded",
        "charge.updated",
        "payment_intent.created",
        "payment_intent.succeeded",
    ]
    assert {event.account for event in events} == {ACCOUNT}
    assert {event.api_version for event in events} == {API_VERSION}
    done = next(event for event in events if event.type == "payment_intent.succeeded")
    assert (done.data.object.id, done.pending_webhooks) == (intent.id, 1)
    await eventually(lambda: box.webhooks.pending() == 0)
    stored = await shop.v1.events.retrieve_async(done.id, None, shop.options())
    assert stored.pending_webhooks == 0


async def test_fees_are_told_to_the_platform_endpoint_only(
    shop: Shop, box: Sandbox, receiver: Receiver
) -> None:
    listen(box, receiver, connect=False)
    await shop.intent("pm_card_visa", application_fee_amount=1200)
    await eventually(lambda: receiver.types() == ["application_fee.created"])
    assert "account" not in receiver.verified()[0]


async def test_only_wanted_events_are_sent_and_the_secret_is_shown_once(
    shop: Shop, box: Sandbox, receiver: Receiver
) -> None:
    made = await shop.v1.webhook_endpoints.create_async(
        {
            "url": receiver.url,
            "enabled_events": ["payment_intent.succeeded"],
            "connect": True,
            "api_version": API_VERSION,
        }
    )
    read = await shop.v1.webhook_endpoints.retrieve_async(made.id)
    assert "secret" not in read
    await shop.intent("pm_card_visa")
    await eventually(lambda: box.webhooks.pending() == 0)
    assert [event.type for event in receiver.verified(made.secret)] == ["payment_intent.succeeded"]
    await shop.v1.webhook_endpoints.update_async(made.id, {"disabled": True})
    await shop.intent("pm_card_visa")
    await shop.v1.webhook_endpoints.delete_async(made.id)
    assert len(receiver.got) == 1
    assert (await shop.v1.webhook_endpoints.list_async()).data == []


async def test_a_failed_delivery_is_tried_again(
    shop: Shop, box: Sandbox, receiver: Receiver
) -> None:
    receiver.statuses = [500, 404]
    listen(box, receiver, "customer.created")
    await shop.customer()
    undelivered = {"delivery_success": False}
    listed = await shop.v1.events.list_async(undelivered, shop.options())
    assert "customer.created" in [event.type for event in listed.data]
    await eventually(lambda: box.webhooks.pending() == 0)
    assert receiver.types() == ["customer.created"] * 3
    assert len({event.id for event in receiver.verified()}) == 1
    assert (await shop.v1.events.list_async(undelivered, shop.options())).data == []


async def test_nobody_listening_delays_no_caller(shop: Shop, box: Sandbox) -> None:
    box.actions.set_webhook(url="http://127.0.0.1:9/", secret=SECRET, connect=True)
    begun = time.monotonic()
    await shop.intent("pm_card_visa")
    assert time.monotonic() - begun < 2
    await eventually(lambda: len(box.webhooks.attempts) >= 4)
    assert {attempt["status"] for attempt in box.webhooks.attempts} == {0}
    assert box.webhooks.pending() == 4


async def test_dropped_and_doubled_events(shop: Shop, box: Sandbox, receiver: Receiver) -> None:
    listen(box, receiver, "customer.created", "customer.updated")
    box.faults.add("drop", "customer.created")
    box.faults.add("duplicate", "customer.updated")
    customer = await shop.customer()
    await shop.v1.customers.update_async(customer.id, {"name": "Eva"}, shop.options())
    await eventually(lambda: receiver.types() == ["customer.updated"] * 2)
    assert box.webhooks.pending() == 1
    sent = await shop.v1.events.list_async({"type": "customer.created"}, shop.options())
    assert box.webhooks.resend(sent.data[0].id) == 1
    await eventually(lambda: receiver.types()[-1] == "customer.created")


async def test_held_events_arrive_when_released_in_another_order(
    shop: Shop, box: Sandbox, receiver: Receiver
) -> None:
    listen(box, receiver, "customer.created")
    box.faults.add("hold", "customer", count=None)
    made = [(await shop.customer()).id for _ in range(6)]
    assert receiver.got == []
    assert box.webhooks.release(shuffle_seed=3) == 6
    await eventually(lambda: len(receiver.got) == 6)
    told = [event.data.object.id for event in receiver.verified()]
    assert sorted(told) == sorted(made)
    assert told != made


async def test_late_events(shop: Shop, box: Sandbox, receiver: Receiver) -> None:
    listen(box, receiver, "customer.created")
    box.faults.add("delay", seconds=0.2)
    begun = time.monotonic()
    await shop.customer()
    await eventually(lambda: receiver.got)
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize("kind", ["bad_signature", "old_timestamp"])
async def test_a_wrong_signature_fails_once_and_the_retry_is_good(
    shop: Shop, box: Sandbox, receiver: Receiver, kind: str
) -> None:
    receiver.statuses = [400]
    listen(box, receiver, "customer.created")
    box.faults.add(kind)
    await shop.customer()
    await eventually(lambda: len(receiver.got) == 2)
    assert receiver.types() == ["customer.created"]


async def test_the_control_routes_do_the_same_from_outside(
    shop: Shop, box: Sandbox, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    base = f"{box.url}/_sandbox"
    wish = {"url": receiver.url, "secret": SECRET, "connect": True}
    async with http.post(f"{base}/webhooks", json=wish) as done:
        assert done.status == 200
    async with http.post(f"{base}/accounts", json={"id": "acct_made"}) as done:
        assert (await done.json())["charges_enabled"] is True
    charge = await shop.paid()
    async with http.post(f"{base}/actions/open_dispute", json={"charge": charge.id}) as done:
        dispute = await done.json()
    assert dispute["status"] == "needs_response"
    await eventually(lambda: "charge.dispute.created" in receiver.types())
    rule = {"kind": "status_before", "match": "customers", "status": 503}
    async with http.post(f"{base}/faults", json=rule) as done:
        assert (await done.json())["struck"] == 0
    with pytest.raises(stripe.APIError):
        await shop.customer()
    async with http.get(f"{base}/log") as done:
        last = (await done.json())[-1]
    assert (last["path"], last["status"], last["faults"]) == (
        "/v1/customers",
        503,
        ["status_before"],
    )
    async with http.delete(f"{base}/faults", json={}) as done:
        assert done.status == 200
    assert (await shop.customer()).name == "Ada"
    async with http.post(f"{base}/faults", json={"kind": "nonsense"}) as done:
        assert done.status == 400
    async with http.post(f"{base}/actions/open_dispute", data="{}") as done:
        assert done.status == 415
    async with http.get(f"{base}/events") as done:
        assert len(await done.json()) == len(box.state.store.everywhere("event"))
