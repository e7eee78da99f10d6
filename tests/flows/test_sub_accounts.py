"""Clients through GraphQL: access, suspension, own prices, bulk set-up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.auth.viewer import Role
from tests.flows.test_agency_setup import new_agency
from tests.harness import Harness, harness

pytestmark = pytest.mark.anyio

CLIENT = "subAccount { id name externalId status walletAccess pricePerCredit }"


@pytest.fixture
async def h(database_url: str) -> AsyncIterator[Harness]:
    async with harness(database_url) as running:
        yield running


@pytest.fixture
async def agency(h: Harness) -> str:
    """Sells at 0.25 over 0.12; Stripe is ready."""
    agency = await new_agency(h)
    owner = h.token(Role.OWNER, agency=agency)
    await h.mutate(
        h.token(Role.ADMIN),
        "setWholesalePrice",
        "wholesalePrice { id }",
        currency="USD",
        pricePerCredit="0.12",
    )
    await h.mutate(owner, "setCreditPrice", "agency { id }", agencyId=agency, pricePerCredit="0.25")
    started = await h.mutate(
        owner, "startStripeOnboarding", "agency { stripe { accountId } }", agencyId=agency
    )
    h.stripe.actions.set_ready(started["agency"]["stripe"]["accountId"], ready=True)
    await h.mutate(owner, "refreshStripeConnection", "connection { status }", agencyId=agency)
    await h.mutate(owner, "enableRebilling", "agency { id }", agencyId=agency)
    return agency


async def client(h: Harness, agency: str, name: str = "Client", **more: Any) -> str:
    owner = h.token(Role.OWNER, agency=agency)
    made = await h.mutate(owner, "createSubAccount", CLIENT, agencyId=agency, name=name, **more)
    assert made["userErrors"] == []
    return str(made["subAccount"]["id"])


async def blocks(h: Harness, agency: str, id: str) -> list[str]:
    buyer = h.token(Role.BILLING, agency=agency, sub_account=id)
    seen = await h.execute(
        buyer,
        "query($id: ID!) { subAccount(id: $id) { wallet { purchasable blocks { reason } } } }",
        {"id": id},
    )
    wallet = seen.data["subAccount"]["wallet"]
    reasons = [block["reason"] for block in wallet["blocks"]]
    assert wallet["purchasable"] is (reasons == [])
    return reasons


async def test_access_and_suspension_show_as_blocks(h: Harness, agency: str) -> None:
    id = await client(h, agency)
    owner = h.token(Role.OWNER, agency=agency)
    assert await blocks(h, agency, id) == []
    await h.mutate(owner, "setWalletAccess", CLIENT, subAccountId=id, enabled=False)
    assert await blocks(h, agency, id) == ["WALLET_ACCESS_OFF"]
    suspended = await h.mutate(owner, "suspendSubAccount", CLIENT, subAccountId=id)
    assert suspended["subAccount"]["status"] == "SUSPENDED"
    assert await blocks(h, agency, id) == ["WALLET_ACCESS_OFF", "SUB_ACCOUNT_SUSPENDED"]
    await h.mutate(owner, "resumeSubAccount", CLIENT, subAccountId=id)
    await h.mutate(owner, "setWalletAccess", CLIENT, subAccountId=id, enabled=True)
    assert await blocks(h, agency, id) == []


async def test_staff_may_and_members_may_not(h: Harness, agency: str) -> None:
    id = await client(h, agency)
    staff = h.token(Role.STAFF, agency=agency)
    renamed = await h.mutate(staff, "updateSubAccount", CLIENT, subAccountId=id, name="Renamed")
    assert renamed["subAccount"]["name"] == "Renamed"
    for role in (Role.BILLING, Role.MEMBER):
        token = h.token(role, agency=agency, sub_account=id)
        refused = await h.mutate(token, "updateSubAccount", CLIENT, subAccountId=id, name="Mine")
        assert [one["code"] for one in refused["userErrors"]] == ["FORBIDDEN"]
        assert refused["subAccount"] is None


async def test_the_external_id_is_unique(h: Harness, agency: str) -> None:
    await client(h, agency, externalId="crm-1")
    owner = h.token(Role.OWNER, agency=agency)
    refused = await h.mutate(
        owner, "createSubAccount", CLIENT, agencyId=agency, name="Other", externalId="crm-1"
    )
    assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [
        ("ALREADY_EXISTS", ["externalId"])
    ]


async def test_a_client_has_its_own_price(h: Harness, agency: str) -> None:
    id = await client(h, agency)
    owner = h.token(Role.OWNER, agency=agency)
    own = await h.mutate(
        owner,
        "setCreditPrice",
        "subAccount { pricePerCredit } agency { rebilling { pricePerCredit } }",
        agencyId=agency,
        subAccountId=id,
        pricePerCredit="0.20",
    )
    assert own["subAccount"] == {"pricePerCredit": "0.20"}
    assert own["agency"] == {"rebilling": {"pricePerCredit": "0.25"}}
    back = await h.mutate(
        owner,
        "setCreditPrice",
        "subAccount { pricePerCredit }",
        agencyId=agency,
        subAccountId=id,
        inherit=True,
    )
    assert back["subAccount"] == {"pricePerCredit": "0.25"}


async def test_many_clients_are_set_up_after_a_rehearsal(h: Harness, agency: str) -> None:
    ids = [await client(h, agency, f"Client {number}") for number in range(4)]
    owner = h.token(Role.OWNER, agency=agency)
    items = [
        {"subAccountId": ids[0], "pricePerCredit": "0.20"},
        {"subAccountId": ids[1], "pricePerCredit": "0.12"},
        {"subAccountId": ids[2], "walletAccess": False},
        {"subAccountId": ids[3], "pricePerCredit": "0.20", "inheritPrice": True},
    ]
    selection = (
        "dryRun results { subAccountId subAccount { pricePerCredit walletAccess } "
        "userErrors { code } }"
    )

    async def prices() -> dict[str, Any]:
        seen = await h.execute(
            owner,
            "query($id: ID!) { agency(id: $id) { subAccounts { nodes { id pricePerCredit "
            "walletAccess } } } }",
            {"id": agency},
        )
        nodes = seen.data["agency"]["subAccounts"]["nodes"]
        return {node["id"]: (node["pricePerCredit"], node["walletAccess"]) for node in nodes}

    before = await prices()
    rehearsed = await h.mutate(
        owner, "configureSubAccounts", selection, agencyId=agency, items=items, dryRun=True
    )
    assert rehearsed["dryRun"]
    codes = [[one["code"] for one in item["userErrors"]] for item in rehearsed["results"]]
    assert codes == [[], ["BELOW_WHOLESALE"], [], ["INVALID_INPUT"]]
    assert await prices() == before
    real = await h.mutate(
        owner, "configureSubAccounts", selection, agencyId=agency, items=items, dryRun=False
    )
    assert [[one["code"] for one in item["userErrors"]] for item in real["results"]] == codes
    assert await prices() == {
        ids[0]: ("0.20", True),
        ids[1]: ("0.25", True),
        ids[2]: ("0.25", False),
        ids[3]: ("0.25", True),
    }


async def test_lists_are_pages_with_cursors(h: Harness, agency: str) -> None:
    ids = [await client(h, agency, f"Client {number}") for number in range(5)]
    owner = h.token(Role.OWNER, agency=agency)
    query = (
        "query($id: ID!, $first: Int!, $after: String) { agency(id: $id) { subAccounts("
        "first: $first, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } }"
    )
    seen: list[str] = []
    after = None
    while True:
        asked = {"id": agency, "first": 2, "after": after}
        page = (await h.execute(owner, query, asked)).data["agency"]["subAccounts"]
        seen += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == list(reversed(ids))
    for wrong in ({"first": 0}, {"first": 101}, {"first": 2, "after": "nonsense"}):
        answer = await h.execute(owner, query, {"id": agency, **wrong})
        assert answer.codes == ["BAD_USER_INPUT"]


async def test_a_wallet_with_everything_around_it(h: Harness, agency: str) -> None:
    id = await client(h, agency)
    member = h.token(Role.MEMBER, agency=agency, sub_account=id)
    seen = await h.execute(
        member,
        """
        query($id: ID!) { subAccount(id: $id) { wallet {
          kind available held pending frozen debt version
          owner { __typename ... on SubAccount { id agency { name } } }
          nextExpiry { at credits } packages { id } paymentMethods { id }
          lots { nodes { id } } transactions { nodes { id } } purchases { nodes { id } }
        } } }
        """,
        {"id": id},
    )
    assert seen.data["subAccount"]["wallet"] == {
        "kind": "CLIENT",
        "available": 0,
        "held": 0,
        "pending": 0,
        "frozen": 0,
        "debt": 0,
        "version": 0,
        "owner": {"__typename": "SubAccount", "id": id, "agency": {"name": "Agency"}},
        "nextExpiry": None,
        "packages": [],
        "paymentMethods": [],
        "lots": {"nodes": []},
        "transactions": {"nodes": []},
        "purchases": {"nodes": []},
    }
