"""Packages through GraphQL: the floor, the order, what clients see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.auth.viewer import Role
from tests.flows.test_agency_setup import new_agency
from tests.harness import Harness, harness

pytestmark = pytest.mark.anyio

PACKAGE = (
    "package { id name credits bonusCredits price { amount currency } pricePerCredit "
    "validityDays position visibility archived sellable margin { amount } }"
)
LARGE = {"name": "Large", "credits": 1000, "bonusCredits": 150}


@pytest.fixture
async def h(database_url: str) -> AsyncIterator[Harness]:
    async with harness(database_url) as running:
        yield running


@pytest.fixture
async def agency(h: Harness) -> str:
    await h.mutate(
        h.token(Role.ADMIN),
        "setWholesalePrice",
        "wholesalePrice { id }",
        currency="USD",
        pricePerCredit="0.12",
    )
    return await new_agency(h)


async def test_a_package_is_held_to_the_floor_with_its_bonus(h: Harness, agency: str) -> None:
    owner = h.token(Role.OWNER, agency=agency)
    refused = await h.mutate(
        owner, "createCreditPackage", PACKAGE, agencyId=agency, price="130.00", **LARGE
    )
    assert refused["package"] is None
    (error,) = refused["userErrors"]
    assert (error["__typename"], error["field"]) == ("BelowWholesaleError", ["price"])
    accepted = await h.mutate(
        owner, "createCreditPackage", PACKAGE, agencyId=agency, price="150.00", **LARGE
    )
    package = accepted["package"]
    del package["id"]
    assert package == {
        "name": "Large",
        "credits": 1000,
        "bonusCredits": 150,
        "price": {"amount": "150.00", "currency": "USD"},
        "pricePerCredit": "0.130435",
        "validityDays": None,
        "position": 0,
        "visibility": "PUBLIC",
        "archived": False,
        "sellable": True,
        "margin": {"amount": "12.00"},
    }


async def test_validity_can_be_kept_changed_and_removed(h: Harness, agency: str) -> None:
    owner = h.token(Role.OWNER, agency=agency)
    made = await h.mutate(
        owner,
        "createCreditPackage",
        PACKAGE,
        agencyId=agency,
        price="150.00",
        validityDays=30,
        **LARGE,
    )
    id = made["package"]["id"]
    kept = await h.mutate(owner, "updateCreditPackage", PACKAGE, packageId=id, name="Huge")
    assert (kept["package"]["name"], kept["package"]["validityDays"]) == ("Huge", 30)
    longer = await h.mutate(owner, "updateCreditPackage", PACKAGE, packageId=id, validityDays=60)
    assert longer["package"]["validityDays"] == 60
    ever = await h.mutate(owner, "updateCreditPackage", PACKAGE, packageId=id, validityDays=None)
    assert (ever["package"]["name"], ever["package"]["validityDays"]) == ("Huge", None)


async def test_clients_see_what_is_on_offer_and_no_margin(h: Harness, agency: str) -> None:
    owner = h.token(Role.OWNER, agency=agency)
    for name, more in (
        ("Second", {"position": 2}),
        ("First", {"position": 1}),
        ("Hidden", {"visibility": "HIDDEN"}),
        ("Gone", {}),
    ):
        made = await h.mutate(
            owner,
            "createCreditPackage",
            "package { id }",
            agencyId=agency,
            price="150.00",
            **{**LARGE, "name": name},
            **more,
        )
    gone = await h.mutate(owner, "archiveCreditPackage", PACKAGE, packageId=made["package"]["id"])
    assert gone["package"]["archived"]
    client = await h.mutate(
        owner, "createSubAccount", "subAccount { id }", agencyId=agency, name="Client"
    )
    buyer = h.token(Role.BILLING, agency=agency, sub_account=client["subAccount"]["id"])
    query = "query($id: ID!) { agency(id: $id) { packages { name } } }"
    assert (await h.execute(buyer, query, {"id": agency})).data["agency"]["packages"] == [
        {"name": "First"},
        {"name": "Second"},
    ]
    assert (await h.execute(owner, query, {"id": agency})).data["agency"]["packages"] == [
        {"name": "Hidden"},
        {"name": "First"},
        {"name": "Second"},
    ]
    margin = await h.execute(
        buyer,
        "query($id: ID!) { agency(id: $id) { packages { name margin { amount } } } }",
        {"id": agency},
    )
    assert margin.codes == ["FORBIDDEN", "FORBIDDEN"]
    assert margin.body["data"]["agency"]["packages"][0] == {"name": "First", "margin": None}


async def test_the_preview_shows_margin_before_and_after_stripe(h: Harness, agency: str) -> None:
    owner = h.token(Role.OWNER, agency=agency)
    query = (
        "query($price: Decimal!, $credits: Credits!, $bonus: Credits!) { pricePreview("
        "pricePerCredit: $price, credits: $credits, bonusCredits: $bonus) { floor accepted "
        "total { amount } wholesaleTotal { amount } margin { amount } stripeFeeEstimate { amount }"
        " marginAfterStripeFee { amount } warning refusal { code } } }"
    )

    async def preview(price: str, credits: int, bonus: int) -> dict[str, object]:
        asked = {"price": price, "credits": credits, "bonus": bonus}
        seen: dict[str, object] = (await h.execute(owner, query, asked)).data["pricePreview"]
        return seen

    assert await preview("0.25", 100, 0) == {
        "floor": "0.1201",
        "accepted": True,
        "total": {"amount": "25.00"},
        "wholesaleTotal": {"amount": "12.00"},
        "margin": {"amount": "13.00"},
        "stripeFeeEstimate": {"amount": "1.03"},
        "marginAfterStripeFee": {"amount": "11.97"},
        "warning": None,
        "refusal": None,
    }
    thin = await preview("0.121", 100, 0)
    assert (thin["accepted"], thin["marginAfterStripeFee"]) == (True, {"amount": "-0.55"})
    assert thin["warning"]
    bonus = await preview("0.13", 1000, 150)
    assert (bonus["accepted"], bonus["refusal"]) == (False, {"code": "BELOW_WHOLESALE"})
    client = await h.mutate(
        owner, "createSubAccount", "subAccount { id }", agencyId=agency, name="Client"
    )
    buyer = h.token(Role.BILLING, agency=agency, sub_account=client["subAccount"]["id"])
    asked = {"price": "0.25", "credits": 100, "bonus": 0}
    assert (await h.execute(buyer, query, asked)).codes == ["FORBIDDEN"]
