"""Events are stored once, answered at once, and settled from what Stripe says now."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import orjson
import pytest
from starlette.applications import Starlette

from gateway.database import row, rows
from gateway.endpoints.stripe_webhook import PATH, stripe_webhook_routes
from gateway.inbox.store import claim_events
from gateway.inbox.subjects import Subject
from gateway.inbox.worker import work_off_inbox
from gateway.purchases.record import PurchaseStatus
from stripe_sandbox.webhooks import signature
from tests.gateway.purchases.shop import WEBHOOK_SECRET, Shop, open_shop
from tests.harness import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with open_shop(database) as opened:
        yield opened


def event(id: str, type: str, *, account: str | None = "acct_1", object_id: str = "pi_1") -> bytes:
    body = {
        "id": id,
        "object": "event",
        "type": type,
        "account": account,
        "livemode": False,
        "data": {"object": {"id": object_id}},
    }
    return orjson.dumps({name: value for name, value in body.items() if value is not None})


class Door:
    """Posts to the webhook route without a socket."""

    def __init__(self, shop: Shop) -> None:
        self.stored = 0
        self._app = Starlette(routes=stripe_webhook_routes(shop.rt, on_stored=self._count))
        self._shop = shop

    def _count(self) -> None:
        self.stored += 1

    async def post(
        self, *chunks: bytes, signed: bool = True, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, object]]:
        raw = b"".join(chunks)
        at = int(self._shop.clock().timestamp())
        named = {"stripe-signature": signature(raw, WEBHOOK_SECRET, at)} if signed else {}
        sent = [
            (name.encode(), value.encode()) for name, value in {**named, **(headers or {})}.items()
        ]
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": b"",
            "headers": sent,
        }
        parts = iter(chunks)
        left = len(chunks)
        status, body = 0, b""

        async def receive() -> dict[str, object]:
            nonlocal left
            left -= 1
            return {"type": "http.request", "body": next(parts), "more_body": left > 0}

        async def send(message: dict[str, object]) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                assert isinstance(message["status"], int)
                status = message["status"]
            else:
                assert isinstance(message["body"], bytes)
                body += message["body"]

        await self._app(scope, receive, send)  # type: ignore[arg-type]
        return status, orjson.loads(body)


async def test_an_event_is_stored_once_however_often_it_comes(shop: Shop) -> None:
    door = Door(shop)
    raw = event("evt_1", "payment_intent.succeeded", account=shop.account)
    for _ in range(3):
        assert await door.post(raw) == (200, {"received": True})
    assert await shop.count("stripe_events") == 1
    assert door.stored == 1
    found = await row("SELECT * FROM stripe_events")
    assert found is not None
    assert (found["agency_id"], found["account_id"]) == (shop.agency_id, shop.account)
    assert (found["status"], found["object_id"]) == ("RECEIVED", "pi_1")
    assert shop.box.log.entries() == []


async def test_an_event_is_kept_without_its_client_secrets(shop: Shop) -> None:
    body = orjson.loads(event("evt_1", "payment_intent.succeeded", account=shop.account))
    body["data"]["object"] |= {
        "client_secret": "pi_1_secret_top",
        "metadata": {"a": "kept"},
        "parts": [{"client_secret": "pi_1_secret_deep", "amount": 5}],
    }
    body["data"]["previous_attributes"] = {"client_secret": "pi_1_secret_old"}
    assert await Door(shop).post(orjson.dumps(body)) == (200, {"received": True})
    found = await row("SELECT payload::text AS payload FROM stripe_events")
    assert found is not None
    kept = orjson.loads(found["payload"])
    assert kept["data"] == {
        "object": {"id": "pi_1", "metadata": {"a": "kept"}, "parts": [{"amount": 5}]},
        "previous_attributes": {},
    }


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"7", b"{}", b"\xff\xfe", b"[" * 50_000, b'{"id":"evt_1"}']
)
async def test_a_malformed_body_is_a_400_with_json(shop: Shop, raw: bytes) -> None:
    for signed in (True, False):
        status, body = await Door(shop).post(raw, signed=signed)
        assert status == 400
        assert isinstance(body["error"], str)
    assert await shop.count("stripe_events") == 0


async def test_a_forged_event_changes_nothing(shop: Shop) -> None:
    raw = event("evt_1", "payment_intent.succeeded", account=shop.account)
    bad = {"stripe-signature": signature(raw, "whsec_other", int(shop.clock().timestamp()))}
    assert (await Door(shop).post(raw, signed=False, headers=bad))[0] == 400
    assert await shop.count("stripe_events") == 0


async def test_a_body_over_the_limit_is_a_413(shop: Shop) -> None:
    half = b"x" * 128_000
    assert (await Door(shop).post(half, half))[0] == 400
    assert (await Door(shop).post(half, half, b"x"))[0] == 413
    assert (await Door(shop).post(b"", headers={"content-length": "256001"}))[0] == 413


async def test_events_about_one_object_are_handled_together(shop: Shop) -> None:
    door = Door(shop)
    for number in range(20):
        kind = "succeeded" if number % 3 == 0 else "payment_failed"
        await door.post(event(f"evt_{number}", f"payment_intent.{kind}"))
    await door.post(event("evt_other", "payment_intent.succeeded", object_id="pi_2"))
    handled: list[Subject] = []

    async def handle(subject: Subject) -> bool:
        handled.append(subject)
        return True

    assert await work_off_inbox(shop.clock, handle) == 21
    assert sorted(subject.id for subject in handled) == ["pi_1", "pi_2"]
    assert await shop.count("stripe_events", "status = 'DONE' AND done_at IS NOT NULL") == 21
    assert await work_off_inbox(shop.clock, handle) == 0


async def test_what_fits_nothing_is_kept_as_unmatched(shop: Shop) -> None:
    door = Door(shop)
    await door.post(event("evt_1", "payment_intent.succeeded", account="acct_stranger"))
    await door.post(event("evt_2", "invoice.paid"))
    await door.post(event("evt_3", "payment_intent.succeeded", account=None))
    async with shop.webhooks():

        async def kept() -> bool:
            return await shop.count("stripe_events", "status = 'UNMATCHED'") == 3

        await eventually(kept)
    assert await shop.available() == 0


async def test_a_handler_that_fails_is_asked_again_later_and_at_last_a_person(
    shop: Shop,
) -> None:
    await Door(shop).post(event("evt_1", "payment_intent.succeeded"))
    tries = 0

    async def handle(_: Subject) -> bool:
        nonlocal tries
        tries += 1
        raise RuntimeError("broken")

    assert await work_off_inbox(shop.clock, handle) == 1
    assert await work_off_inbox(shop.clock, handle) == 0
    for _ in range(25):
        shop.clock.advance(seconds=601)
        await work_off_inbox(shop.clock, handle)
    assert tries == 20
    found = await row("SELECT status, tries, last_error FROM stripe_events")
    assert found == {"status": "FAILED", "tries": 20, "last_error": "RuntimeError('broken')"}


async def test_an_event_whose_worker_died_comes_back(shop: Shop) -> None:
    await Door(shop).post(event("evt_1", "payment_intent.succeeded"))

    now = shop.clock()
    leased = await claim_events(now=now, until=now + timedelta(seconds=30), limit=10)
    assert [event.id for event in leased] == ["evt_1"]

    async def handle(_: Subject) -> bool:
        return True

    assert await work_off_inbox(shop.clock, handle) == 0
    shop.clock.advance(seconds=31)
    assert await work_off_inbox(shop.clock, handle) == 1
    assert await shop.count("stripe_events", "status = 'DONE'") == 1


async def test_a_paid_purchase_settles_by_its_webhook(shop: Shop) -> None:
    async with shop.webhooks():
        purchase = (await shop.buy()).purchase
        await shop.confirm(purchase)
        done = await shop.settled(purchase.id, PurchaseStatus.COMPLETED)
    assert done.stripe_fee_minor == 103
    assert await shop.available() == 100


async def test_a_webhook_that_is_faster_than_the_answer_settles_too(shop: Shop) -> None:
    card = await shop.save_card()
    shop.box.faults.add("delay_after", "^/v1/payment_intents$", method="POST", seconds=1.0)
    async with shop.webhooks():
        buying = asyncio.ensure_future(shop.buy(payment_method_id=card))
        await eventually(shop.available)
        assert not buying.done()
        assert (await buying).purchase.status is PurchaseStatus.COMPLETED
    assert await shop.available() == 100
    assert len(shop.paid_charges()) == 1


async def test_success_delivered_a_hundred_times_among_failures_issues_once(shop: Shop) -> None:
    shop.box.faults.add("hold", ".*", count=None)
    async with shop.webhooks():
        purchase = (await shop.buy()).purchase
        await shop.confirm(purchase, "pm_card_visa_chargeDeclined")
        await shop.confirm(purchase)
        kinds = {"payment_intent.succeeded", "payment_intent.payment_failed"}
        found = [
            entry["id"]
            for _, entry in shop.box.state.store.everywhere("event")
            if entry["type"] in kinds
        ]
        assert len(found) == 2
        deliveries = found * 100
        random.Random(5).shuffle(deliveries)  # noqa: S311 - repeatable
        for id in deliveries:
            assert shop.box.webhooks.resend(id) == 1
        done = await shop.settled(purchase.id, PurchaseStatus.COMPLETED)
    assert await shop.available() == 100
    assert await shop.count("ledger_transactions") == 1
    assert await shop.purchase(purchase.id) == done


async def test_a_card_setup_and_its_removal_at_stripe_arrive_by_webhook(shop: Shop) -> None:
    async with shop.webhooks():
        card = await shop.save_card()
        found = await row("SELECT stripe_payment_method_id AS id FROM payment_methods")
        assert found is not None
        await shop.rt.stripe.detach(account=shop.account, payment_method=found["id"])

        async def removed() -> bool:
            sql = "SELECT id FROM payment_methods WHERE id = $1 AND removed_at IS NOT NULL"
            return bool(await rows(sql, card))

        await eventually(removed)


async def test_a_deauthorised_account_is_disconnected_by_its_webhook(shop: Shop) -> None:
    async with shop.webhooks():
        shop.box.actions.deauthorize(shop.account)

        async def disconnected() -> bool:
            return bool(await shop.count("stripe_connections", "status = 'DISCONNECTED'"))

        await eventually(disconnected)
