"""Refusals as people read them: what they tell a client, and what to do next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from gateway.auth.viewer import Role
from gateway.errors import (
    BelowWholesale,
    NoWholesalePrice,
    PlanNotEligible,
    Refusal,
    StripeNotReady,
)
from gateway.ids import new_id
from schema.errors import SimpleError, to_user_error
from tests.harness import Harness, harness
from tests.shop import Shop, open_shop

anyio = pytest.mark.anyio

NO_PLAN = (
    "The seller's plan does not include wallets, so no credits are sold. Those you have stay "
    "yours and can be used."
)
NO_STRIPE = "The seller cannot take cards at the moment. Try again later; your credits stay usable."
NO_PRICE = "This item cannot be sold at its present price. Ask the seller."


@pytest.fixture
async def h(database_url: str) -> AsyncIterator[Harness]:
    async with harness(database_url) as running:
        yield running


@pytest.fixture
async def shop(h: Harness) -> Shop:
    return await open_shop(h)


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        (PlanNotEligible(plan="Bargain"), "PLAN_NOT_ELIGIBLE", NO_PLAN),
        (StripeNotReady("Send a passport.", status="RESTRICTED"), "STRIPE_NOT_READY", NO_STRIPE),
        (NoWholesalePrice(currency="USD"), "PRICE_UNAVAILABLE", NO_PRICE),
        (
            BelowWholesale(floor=Decimal("0.1201"), offered=Decimal("0.11"), currency="USD"),
            "PRICE_UNAVAILABLE",
            NO_PRICE,
        ),
    ],
)
def test_the_agencys_own_affairs_stay_with_it(refusal: Refusal, code: str, message: str) -> None:
    told = to_user_error(refusal, agency_side=False)
    assert type(told) is SimpleError
    assert (told.code, told.message, told.field) == (code, message, None)
    assert to_user_error(refusal, agency_side=True).message == refusal.message


async def buying(shop: Shop, token: str) -> Any:
    """The one refusal of a purchase, and everything that the answer says."""
    answer = await shop.h.execute(
        token,
        """
        mutation ($input: PurchaseCreditsInput!) { purchaseCredits(input: $input) {
          purchase { id }
          userErrors { __typename code message
            ... on PlanNotEligibleError { plan } ... on StripeNotReadyError { status } }
        } }
        """,
        {"input": {"walletId": shop.wallet, "credits": 100, "idempotencyKey": "refused"}},
    )
    payload = answer.data["purchaseCredits"]
    assert payload["purchase"] is None
    (error,) = payload["userErrors"]
    return error


async def agency_key(shop: Shop) -> str:
    made = await shop.h.mutate(
        shop.owner, "createApiKey", "secret", agencyId=shop.agency, name="till", scopes=["PURCHASE"]
    )
    return str(made["secret"])


@anyio
async def test_a_client_is_not_told_its_sellers_plan(shop: Shop) -> None:
    plan = await shop.h.mutate(
        shop.admin, "createPlan", "plan { id }", name="Bargain", whiteLabel=False
    )
    await shop.h.mutate(
        shop.admin, "updateAgency", "agency { id }", agencyId=shop.agency, planId=plan["plan"]["id"]
    )
    assert await buying(shop, shop.billing()) == {
        "__typename": "SimpleError",
        "code": "PLAN_NOT_ELIGIBLE",
        "message": NO_PLAN,
    }
    told = await buying(shop, await agency_key(shop))
    assert (told["__typename"], told["plan"]) == ("PlanNotEligibleError", "Bargain")


@anyio
async def test_a_client_is_not_told_where_its_seller_stands_with_stripe(shop: Shop) -> None:
    await shop.h.mutate(shop.owner, "disconnectStripe", "agency { id }", agencyId=shop.agency)
    assert await buying(shop, shop.billing()) == {
        "__typename": "SimpleError",
        "code": "STRIPE_NOT_READY",
        "message": NO_STRIPE,
    }
    told = await buying(shop, await agency_key(shop))
    assert (told["__typename"], told["status"]) == ("StripeNotReadyError", "DISCONNECTED")
    card = await shop.h.mutate(
        shop.billing(), "startCardSetup", "cardSetup { id }", walletId=shop.wallet
    )
    assert [(one["__typename"], one["message"]) for one in card["userErrors"]] == [
        ("SimpleError", NO_STRIPE)
    ]


@anyio
async def test_a_refusal_says_what_to_do_next(shop: Shop) -> None:
    rename = ("updateSubAccount", "subAccount { id }")
    forbidden = await shop.h.mutate(
        shop.member(), *rename, subAccountId=shop.ids.sub_accounts[0], name="Mine"
    )
    assert [one["message"] for one in forbidden["userErrors"]] == [
        "Your role or scope does not include this. Ask an owner of the agency, or use an API key "
        "with the scope."
    ]
    unknown = await shop.h.mutate(
        shop.h.token(Role.STAFF, agency=shop.agency),
        *rename,
        subAccountId=new_id("sub_account"),
        name="Mine",
    )
    assert [one["message"] for one in unknown["userErrors"]] == [
        "No sub-account with this id is visible to you. Check the id and the login."
    ]
