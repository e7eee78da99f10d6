"""The manners of the API: lists, expansion, forms, headers, and what is not there."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import stripe

from stripe_sandbox import API_VERSION
from stripe_sandbox.cards import METHODS, passes_luhn
from stripe_sandbox.errors import ApiError
from stripe_sandbox.forms import check, decode
from stripe_sandbox.server import Sandbox
from tests.stripe_sandbox.shop import ACCOUNT, Shop, sandbox_only

pytestmark = pytest.mark.anyio


async def test_pages_follow_each_other_without_gap_or_overlap(shop: Shop) -> None:
    made = [(await shop.customer()).id for _ in range(5)][::-1]
    first = await shop.v1.customers.list_async({"limit": 2}, shop.options())
    assert ([row.id for row in first.data], first.has_more) == (made[:2], True)
    cursor = {"limit": 2, "starting_after": made[1]}
    second = await shop.v1.customers.list_async(cursor, shop.options())
    assert [row.id for row in second.data] == made[2:4]
    back = {"limit": 2, "ending_before": made[2]}
    assert [r.id for r in (await shop.v1.customers.list_async(back, shop.options())).data] == made[
        :2
    ]
    every = [row.id async for row in first.auto_paging_iter()]
    assert every[:5] == made


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"starting_after": "cus_x"}])
async def test_a_wrong_page_is_refused(shop: Shop, query: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.customers.list_async(query, shop.options())
    assert caught.value.param == next(iter(query))


@sandbox_only
async def test_lists_filter_by_time_and_type(shop: Shop, box: Sandbox) -> None:
    old = await shop.customer()
    box.actions.advance_clock(seconds=100)
    new = await shop.customer()
    since = {"created": {"gte": new.created}, "types": ["customer.created"]}
    events = await shop.v1.events.list_async(since, shop.options())
    assert [event.data.object.id for event in events.data] == [new.id]
    before = {"created": {"lt": new.created}}
    customers = await shop.v1.customers.list_async(before, shop.options())
    assert [row.id for row in customers.data] == [old.id]


async def test_expansion_reaches_through_lists(shop: Shop) -> None:
    customer = await shop.customer()
    charge = await shop.paid(customer=customer.id)
    body = {"limit": 1, "expand": ["data.latest_charge.balance_transaction", "data.customer"]}
    listed = await shop.v1.payment_intents.list_async(body, shop.options())
    (row,) = listed.data
    assert row.latest_charge.balance_transaction.id == charge.balance_transaction.id
    assert row.customer.name == "Ada"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.payment_intents.list_async({"expand": ["data.nothing"]}, shop.options())
    assert caught.value.param == "expand"


@sandbox_only
async def test_answers_carry_stripes_headers(box: Sandbox, http: aiohttp.ClientSession) -> None:
    headers = {
        "Authorization": "Bearer sk_test_any",
        "Stripe-Version": API_VERSION,
        "Idempotency-Key": "k1",
    }
    async with http.post(f"{box.url}/v1/customers", headers=headers) as answer:
        assert answer.headers["Request-Id"].startswith("req_")
        assert answer.headers["Stripe-Version"] == API_VERSION
        assert answer.headers["Idempotency-Key"] == "k1"


@sandbox_only
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/checkout/sessions"), ("PATCH", "/v1/customers")]
)
async def test_what_is_not_here_says_so(
    box: Sandbox, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    headers = {"Authorization": "Bearer sk_test_any"}
    async with http.request(method, f"{box.url}{path}", headers=headers) as answer:
        assert answer.status == 404
        message = (await answer.json())["error"]["message"]
    assert message == f"Unrecognized request URL ({method}: {path})."
    box.log.clear()  # not in Stripe's description either


@sandbox_only
@pytest.mark.parametrize("body", [b"\xff\xfe", b"a[b=1", b"amount=1&amount[x]=2", b"[]=1"])
async def test_a_broken_body_is_a_400(
    box: Sandbox, http: aiohttp.ClientSession, body: bytes
) -> None:
    headers = {
        "Authorization": "Bearer sk_test_any",
        "Stripe-Account": ACCOUNT,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    url = f"{box.url}/v1/payment_intents"
    async with http.post(url, data=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"
    assert box.state.store.everywhere("payment_intent") == []


def test_brackets_become_a_tree() -> None:
    form = "a[b][0][c]=d&expand[]=x&expand[]=y&e=&flag=true"
    assert decode(form) == {
        "a": {"b": {"0": {"c": "d"}}},
        "expand": {"0": "x", "1": "y"},
        "e": "",
        "flag": "true",
    }


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ("n=1.5", "parameter_invalid_integer", "n"),
        ("n=1&o[x]=1", "parameter_unknown", "o[x]"),
        ("o[must]=1", "parameter_missing", "n"),
        ("n=1&o=1", None, "o"),
        ("n=1&o[flag]=yes", None, "o[flag]"),
        ("n=1&w=c", None, "w"),
        ("n=1&m=x", None, "m"),
        ("n=1&m[k]=" + "x" * 501, None, "m[k]"),
        ("n=1&l[a][b]=1", None, "l"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(form: str, code: str | None, param: str) -> None:
    table = {
        "n": "int!",
        "o": {"flag": "bool", "must": "str"},
        "w": "a|b",
        "m": "meta",
        "l": "list",
    }
    with pytest.raises(ApiError) as caught:
        check(decode(form), table)
    assert caught.value.status == 400
    assert (caught.value.error.get("code"), caught.value.error["param"]) == (code, param)


def test_every_test_card_has_a_valid_number_of_its_own() -> None:
    cards = [method for method in METHODS if method.type == "card"]
    assert all(passes_luhn(card.number) for card in cards)
    assert len({card.number for card in cards}) == len({card.token for card in cards}) == 22
