"""From nothing to an agency that sells, through GraphQL, as platform, owner and client see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.auth.viewer import Role
from tests.harness import Harness, eventually, harness

pytestmark = pytest.mark.anyio

READINESS = """
query Readiness($id: ID!) {
  agency(id: $id) {
    readiness { step state fix }
    stripe { status accountId chargesEnabled requirementsDue dashboardUrl }
    rebilling {
      enabled pricePerCredit wholesalePerCredit floor marginPerCredit marginPercent
      quantity { min max step }
    }
  }
}
"""


@pytest.fixture
async def h(database_url: str) -> AsyncIterator[Harness]:
    async with harness(database_url) as running:
        yield running


async def new_agency(h: Harness, name: str = "Agency", *, white_label: bool = True) -> str:
    admin = h.token(Role.ADMIN)
    plan = await h.mutate(
        admin, "createPlan", "plan { id }", name=f"Plan of {name}", whiteLabel=white_label
    )
    made = await h.mutate(
        admin,
        "createAgency",
        "agency { id name currency timeZone plan { whiteLabel } pool { available version } }",
        name=name,
        planId=plan["plan"]["id"],
        timeZone="Europe/Berlin",
    )
    agency: dict[str, Any] = made["agency"]
    assert agency["pool"] == {"available": 0, "version": 0}
    assert agency["plan"] == {"whiteLabel": white_label}
    return str(agency["id"])


async def states(h: Harness, token: str, agency: str) -> list[str]:
    seen = (await h.execute(token, READINESS, {"id": agency})).data["agency"]
    return [step["state"] for step in seen["readiness"]]


async def test_an_owner_is_led_from_nothing_to_the_first_sale(h: Harness) -> None:
    agency = await new_agency(h)
    admin, owner = h.token(Role.ADMIN), h.token(Role.OWNER, agency=agency)
    assert await states(h, owner, agency) == ["DONE", "TODO", "BLOCKED", "BLOCKED"]
    await h.mutate(
        admin, "setWholesalePrice", "wholesalePrice { id }", currency="USD", pricePerCredit="0.12"
    )
    for price in ("0.12", "0.11"):
        refused = await h.mutate(
            owner,
            "setCreditPrice",
            "agency { id } ",
            agencyId=agency,
            pricePerCredit=price,
        )
        assert refused["agency"] is None
        assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [
            ("BELOW_WHOLESALE", ["pricePerCredit"])
        ]
    floor = await h.execute(
        owner,
        "mutation($input: SetCreditPriceInput!) { setCreditPrice(input: $input) { userErrors { "
        "code ... on BelowWholesaleError { floor offered } } } }",
        {"input": {"agencyId": agency, "pricePerCredit": "0.12"}},
    )
    assert floor.data["setCreditPrice"]["userErrors"] == [
        {"code": "BELOW_WHOLESALE", "floor": "0.1201", "offered": "0.12"}
    ]
    accepted = await h.mutate(
        owner,
        "setCreditPrice",
        "agency { rebilling { pricePerCredit } }",
        agencyId=agency,
        pricePerCredit="0.25",
    )
    assert accepted["agency"] == {"rebilling": {"pricePerCredit": "0.25"}}
    link = await h.mutate(
        owner, "startStripeOnboarding", "url agency { stripe { status } }", agencyId=agency
    )
    assert link["agency"] == {"stripe": {"status": "ONBOARDING"}}
    await finish_onboarding(h, link["url"])

    async def active() -> bool:
        seen = (await h.execute(owner, READINESS, {"id": agency})).data["agency"]
        return bool(seen["stripe"]["status"] == "ACTIVE")

    # Nobody asks Stripe: its webhook tells us.
    await eventually(active)
    client = await h.mutate(
        owner,
        "createSubAccount",
        "subAccount { id pricePerCredit wallet { available purchasable blocks { reason } } }",
        agencyId=agency,
        name="Client",
    )
    assert client["subAccount"]["wallet"] == {
        "available": 0,
        "purchasable": False,
        "blocks": [{"reason": "REBILLING_OFF"}],
    }
    await h.mutate(owner, "enableRebilling", "agency { id }", agencyId=agency)
    assert await states(h, owner, agency) == ["DONE"] * 4
    seen = (await h.execute(owner, READINESS, {"id": agency})).data["agency"]
    assert seen["rebilling"] == {
        "enabled": True,
        "pricePerCredit": "0.25",
        "wholesalePerCredit": "0.12",
        "floor": "0.1201",
        "marginPerCredit": "0.13",
        "marginPercent": "52.00",
        "quantity": {"min": 1, "max": 1000000, "step": 1},
    }


async def finish_onboarding(h: Harness, url: str) -> None:
    """What a person does on Stripe's pages; the browser ends at our return address."""
    async with h.http.get(url) as page:
        text = await page.text()
    form = text.split('name="form" value="', 1)[1].split('"', 1)[0]
    data = {"form": form, "complete": "1"}
    async with h.http.post(url, data=data, allow_redirects=False) as sent:
        assert sent.status in {302, 303}
        back = urlsplit(sent.headers["Location"])
    # `public_url` of the tests has no port of its own: the same path on the running gateway.
    here = urlsplit(h.url)
    returned = back._replace(scheme=here.scheme, netloc=here.netloc).geturl()
    async with h.http.get(returned) as answer:
        assert answer.status == 200
        assert "Thank you" in await answer.text()


async def test_without_white_label_nothing_can_be_started(h: Harness) -> None:
    agency = await new_agency(h, white_label=False)
    owner = h.token(Role.OWNER, agency=agency)
    assert await states(h, owner, agency) == ["TODO", "BLOCKED", "BLOCKED", "BLOCKED"]
    for name in ("startStripeOnboarding", "enableRebilling"):
        refused = await h.mutate(owner, name, "agency { id }", agencyId=agency)
        assert [one["__typename"] for one in refused["userErrors"]] == ["PlanNotEligibleError"]
        assert refused["agency"] is None


async def test_without_stripe_selling_cannot_be_enabled(h: Harness) -> None:
    agency = await new_agency(h)
    owner = h.token(Role.OWNER, agency=agency)
    refused = await h.execute(
        owner,
        "mutation($input: EnableRebillingInput!) { enableRebilling(input: $input) { "
        "userErrors { code message ... on StripeNotReadyError { status } } } }",
        {"input": {"agencyId": agency}},
    )
    (error,) = refused.data["enableRebilling"]["userErrors"]
    assert (error["code"], error["status"]) == ("STRIPE_NOT_READY", "NONE")
    assert "startStripeOnboarding" in error["message"]


async def test_an_existing_account_connects_when_who_began_finishes_signed_in(h: Harness) -> None:
    agency = await new_agency(h)
    owner = h.token(Role.OWNER, agency=agency)
    link = await h.mutate(
        owner, "startStripeOnboarding", "url", agencyId=agency, existingAccount=True
    )
    async with h.http.post(link["url"], data={"allow": "1"}, allow_redirects=False) as sent:
        back = urlsplit(sent.headers["Location"])
    here = urlsplit(h.url)
    callback = back._replace(scheme=here.scheme, netloc=here.netloc).geturl()
    async with h.http.get(callback) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert "completeStripeOAuth" in await answer.text()
    seen = (await h.execute(owner, READINESS, {"id": agency})).data["agency"]
    assert seen["stripe"]["status"] != "ACTIVE"

    query = parse_qs(back.query)
    proof = {"code": query["code"][0], "state": query["state"][0]}
    somebody_else = h.token(Role.OWNER, agency=agency, subject="not-who-began")
    for token, codes in (somebody_else, ["INVALID_INPUT"]), (owner, []), (owner, ["INVALID_INPUT"]):
        done = await h.mutate(token, "completeStripeOAuth", "connection { status }", **proof)
        assert [one["code"] for one in done["userErrors"]] == codes
    seen = (await h.execute(owner, READINESS, {"id": agency})).data["agency"]
    assert seen["stripe"]["status"] == "ACTIVE"


async def test_the_return_pages_trust_nothing(h: Harness) -> None:
    base = h.url.removesuffix("/graphql")
    injected = "%3Cscript%3Ealert(1)%3C/script%3E"
    for path in (
        f"/stripe/onboarding/return?connection={injected}",
        "/stripe/onboarding/return?connection=sco_%00",
        "/stripe/onboarding/refresh",
        f"/stripe/oauth/callback?code={injected}&state={injected}",
        "/stripe/oauth/callback",
        f"/stripe/oauth/callback?error=access_denied&error_description={injected}",
    ):
        async with h.http.get(base + path) as answer:
            assert answer.status == 200, path
            assert "script" not in await answer.text()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_clients_viewer_does_not_see_the_agencys_side(h: Harness) -> None:
    agency = await new_agency(h)
    admin, owner = h.token(Role.ADMIN), h.token(Role.OWNER, agency=agency)
    await h.mutate(
        admin, "setWholesalePrice", "wholesalePrice { id }", currency="USD", pricePerCredit="0.12"
    )
    await h.mutate(owner, "setCreditPrice", "agency { id }", agencyId=agency, pricePerCredit="0.25")
    made = [
        await h.mutate(
            owner, "createSubAccount", "subAccount { id }", agencyId=agency, name=f"Client {n}"
        )
        for n in range(2)
    ]
    mine, sibling = (one["subAccount"]["id"] for one in made)
    buyer = h.token(Role.BILLING, agency=agency, sub_account=mine)
    fields = (
        "plan { id }",
        "readiness { step }",
        "stripe { accountId }",
        "stripeHistory { accountId }",
        "pool { available }",
        "apiKeys { id }",
        'earnings(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") { count }',
    )
    for field in fields:
        answer = await h.execute(
            buyer, f"query($id: ID!) {{ agency(id: $id) {{ name {field} }} }}", {"id": agency}
        )
        assert answer.codes == ["FORBIDDEN"], field
        name = field.split()[0].split("(")[0]
        assert answer.body["data"]["agency"] == {"name": "Agency", name: None}
    for field in ("pricePerCredit", "wholesalePerCredit", "floor", "marginPerCredit"):
        answer = await h.execute(
            buyer,
            f"query($id: ID!) {{ agency(id: $id) {{ rebilling {{ enabled {field} }} }} }}",
            {"id": agency},
        )
        assert answer.codes == ["FORBIDDEN"], field
        assert answer.body["data"]["agency"]["rebilling"] == {"enabled": False, field: None}
    seen = await h.execute(
        buyer,
        "query($id: ID!, $sibling: ID!) { agency(id: $id) { subAccounts { nodes { id "
        "pricePerCredit } } } subAccount(id: $sibling) { id } }",
        {"id": agency, "sibling": sibling},
    )
    assert seen.data == {
        "agency": {"subAccounts": {"nodes": [{"id": mine, "pricePerCredit": "0.25"}]}},
        "subAccount": None,
    }
    refused = await h.mutate(
        buyer, "setCreditPrice", "agency { id }", agencyId=agency, pricePerCredit="0.99"
    )
    assert [one["code"] for one in refused["userErrors"]] == ["FORBIDDEN"]


async def test_a_foreign_agency_answers_like_an_unknown_one(h: Harness) -> None:
    mine, other = await new_agency(h, "Mine"), await new_agency(h, "Other")
    owner = h.token(Role.OWNER, agency=mine)
    for name, fields in (
        ("setCreditPrice", {"pricePerCredit": "0.25"}),
        ("setQuantityRules", {"min": 1, "max": 5}),
        ("enableRebilling", {}),
        ("startStripeOnboarding", {}),
        ("disconnectStripe", {}),
        ("createSubAccount", {"name": "Client"}),
    ):
        answers = [
            (await h.mutate(owner, name, "", agencyId=id, **fields))["userErrors"]
            for id in (other, mine[:-4] + "0000")
        ]
        assert answers[0] == answers[1], name
        assert [one["code"] for one in answers[0]] == ["NOT_FOUND"], name
    seen = await h.execute(owner, "query($id: ID!) { agency(id: $id) { id } }", {"id": other})
    assert seen.data == {"agency": None}
    listed = await h.execute(owner, "{ agencies { nodes { id } } }")
    assert listed.codes == ["FORBIDDEN"]
