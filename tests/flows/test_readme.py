"""The README's tour, run as it stands: every query, with the answer it shows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.auth.viewer import Role
from tests.harness import Harness, harness
from tests.shop import Shop, open_shop
from tests.subscriber import subscribed

pytestmark = pytest.mark.anyio

README = Path(__file__).parents[2] / "README.md"
STEP = re.compile(
    r"\(as `(\w+)`\)\n\n```graphql\n(.*?)```\n\n```json\n(.*?)```\n\n```json\n(.*?)```", re.DOTALL
)
FIRST = re.compile(r"```graphql\n(mutation Buy\(.*?)```\n\n```json\n(.*?)```", re.DOTALL)
OUR_ID = re.compile(r"\b([a-z]{3})_[0-9a-z]{26}\b")
STRIPE_ID = re.compile(r"\b(pi|ch|acct|fee|txn)_[A-Za-z0-9]{14,}\b")


@dataclass(frozen=True)
class Step:
    """One step of the tour. role: whose token; answer: what the page shows, ids shortened."""

    role: str
    query: str
    variables: dict[str, Any]
    answer: dict[str, Any]


def steps() -> list[Step]:
    found = STEP.findall(README.read_text())
    return [
        Step(role, query, json.loads(variables), json.loads(answer))
        for role, query, variables, answer in found
    ]


def filled(variables: dict[str, Any], shop: Shop) -> Any:
    """The page's shortened ids, as this shop has them."""
    text = json.dumps(variables, ensure_ascii=False)
    for short, id in (("wal_…", shop.wallet), ("agy_…", shop.agency), ("pmt_…", shop.card)):
        text = text.replace(short, id)
    return json.loads(text)


def shortened(answer: Any) -> Any:
    text = OUR_ID.sub(r"\1_…", json.dumps(answer, ensure_ascii=False))
    return json.loads(STRIPE_ID.sub(r"\1_…", text))


def token(shop: Shop, role: str) -> str:
    return {
        "billing": shop.billing(),
        "member": shop.member(),
        "agencyOwner": shop.h.token(Role.OWNER, agency=shop.agency),
        "service": shop.ids.service_key,
    }[role]


async def answered(h: Harness, shop: Shop, step: Step) -> Any:
    variables = filled(step.variables, shop)
    if not step.query.startswith("subscription"):
        return shortened((await h.execute(token(shop, step.role), step.query, variables)).body)
    async with subscribed(h, token(shop, step.role), step.query, variables) as live:
        frame = await live.frame()
        return shortened(frame["payload"])


async def test_every_step_of_the_tour_answers_what_the_page_shows(database_url: str) -> None:
    tour = steps()
    assert len(tour) == 6
    async with harness(database_url) as h:
        shop = await open_shop(h)
        for step in tour:
            assert await answered(h, shop, step) == step.answer, step.query


async def test_the_first_query_of_the_page_answers_what_it_shows(database_url: str) -> None:
    [(query, answer)] = FIRST.findall(README.read_text())
    async with harness(database_url) as h:
        shop = await open_shop(h)
        wish = {
            "walletId": shop.wallet,
            "credits": 100,
            "paymentMethodId": shop.card,
            "idempotencyKey": "first",
        }
        found = await h.execute(shop.billing(), query, {"input": wish})
        assert found.body == json.loads(answer)
