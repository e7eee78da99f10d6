from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.agencies.connection import (
    ConnectionStatus,
    Door,
    StripeConnection,
    connection_history,
    stripe_connections,
)
from gateway.agencies.manage import update_agency
from gateway.agencies.oauth import complete_oauth, start_oauth
from gateway.agencies.onboarding import start_onboarding
from gateway.agencies.plans import create_plan
from gateway.agencies.read import Agency, agencies
from gateway.agencies.refresh import (
    disconnect_stripe,
    refresh_after_return,
    refresh_connection,
    refresh_connection_by_account,
)
from gateway.database import rows
from gateway.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidState,
    NotFound,
    PaymentUnavailable,
    PlanNotEligible,
)
from gateway.wallets.blocks import BlockReason
from tests.gateway.agencies.office import ADMIN, Office, billing_of, owner_of

pytestmark = pytest.mark.anyio


async def connection_of(office: Office, agency: Agency) -> StripeConnection:
    return (await stripe_connections(office.rt, ADMIN, [agency.id]))[agency.id]


async def allowed_at_stripe(office: Office, url: str, account: str | None = None) -> str:
    """What the agency does on Stripe's page; → the code."""
    form = {"allow": "1"} | ({"account": account} if account else {})
    async with office.http.post(url, data=form, allow_redirects=False) as answer:
        assert answer.status in {302, 303}, await answer.text()
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def stripe_is_down(office: Office) -> None:
    """For one call with all its tries."""
    office.box.faults.add(
        "status_before", match="^/v1/accounts$", method="POST", status=503, count=3
    )


def state_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


async def test_onboarding_leads_from_nothing_to_active(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    link = await start_onboarding(office.rt, owner, agency_id=agency.id)
    assert link.url.startswith(office.box.url)
    assert link.expires_at > office.clock()
    begun = await connection_of(office, agency)
    assert (begun.status, begun.door) == (ConnectionStatus.ONBOARDING, Door.LINK)
    assert begun.account_id is not None
    assert not begun.charges_enabled
    assert begun.requirements_due != ()
    office.box.actions.set_ready(begun.account_id, ready=True)
    active = await refresh_connection(office.rt, owner, agency_id=agency.id)
    assert (active.status, active.charges_enabled) == (ConnectionStatus.ACTIVE, True)
    assert active.dashboard_url == (
        f"https://dashboard.stripe.com/{begun.account_id}/test/payments"
    )
    assert await office.events(agency) == [
        "CONNECTION_UPDATED",
        "WALLETS_OPENED",
        "CONNECTION_UPDATED",
    ]


async def test_the_account_is_made_once_however_often_it_is_asked(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    links = await asyncio.gather(
        *(start_onboarding(office.rt, owner, agency_id=agency.id) for _ in range(4))
    )
    assert len({link.url for link in links}) == 4
    assert len(office.box.state.store.everywhere("account")) == 1
    assert len(await rows("SELECT 1 FROM stripe_connections")) == 1


async def test_a_lost_answer_makes_no_second_account(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    office.box.faults.add("cut_after_success", match="^/v1/accounts$", method="POST", count=3)
    with pytest.raises(PaymentUnavailable):
        await start_onboarding(office.rt, owner, agency_id=agency.id)
    await start_onboarding(office.rt, owner, agency_id=agency.id)
    assert len(office.box.state.store.everywhere("account")) == 1


async def test_when_stripe_is_down_onboarding_can_be_asked_again(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    stripe_is_down(office)
    with pytest.raises(PaymentUnavailable):
        await start_onboarding(office.rt, owner, agency_id=agency.id)
    assert (await connection_of(office, agency)).status is ConnectionStatus.NONE
    await start_onboarding(office.rt, owner, agency_id=agency.id)
    assert (await connection_of(office, agency)).status is ConnectionStatus.ONBOARDING
    assert len(await rows("SELECT 1 FROM stripe_connections")) == 1


async def test_a_wish_older_than_stripes_memory_begins_anew(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    stripe_is_down(office)
    with pytest.raises(PaymentUnavailable):
        await start_onboarding(office.rt, owner, agency_id=agency.id)
    office.clock.advance(hours=23, seconds=1)
    await start_onboarding(office.rt, owner, agency_id=agency.id)
    found = await connection_history(owner, agency.id)
    assert [one.status for one in found] == [
        ConnectionStatus.ONBOARDING,
        ConnectionStatus.DISCONNECTED,
    ]


async def test_without_white_label_there_is_no_onboarding(office: Office) -> None:
    agency = await office.agency(white_label=False)
    for start in (start_onboarding, start_oauth):
        with pytest.raises(PlanNotEligible) as refused:
            await start(office.rt, owner_of(agency.id), agency_id=agency.id)
        assert refused.value.plan.startswith("Plan")
    assert await rows("SELECT 1 FROM stripe_connections") == []
    assert office.box.state.store.everywhere("account") == []


async def test_restricted_and_active_again_by_stripes_word(office: Office) -> None:
    agency = await office.agency()
    account = await office.connected(agency)
    office.box.actions.set_ready(account, ready=False)
    assert await refresh_connection_by_account(office.rt, account)
    restricted = await connection_of(office, agency)
    assert restricted.status is ConnectionStatus.RESTRICTED
    assert restricted.disabled_reason == "requirements.past_due"
    office.box.actions.set_ready(account, ready=True)
    assert await refresh_connection_by_account(office.rt, account)
    assert (await connection_of(office, agency)).status is ConnectionStatus.ACTIVE
    assert not await refresh_connection_by_account(office.rt, "acct_unknown")


async def test_nothing_new_from_stripe_is_no_event(office: Office) -> None:
    agency = await office.agency()
    account = await office.connected(agency)
    before = await office.events(agency)
    await refresh_connection_by_account(office.rt, account)
    assert await office.events(agency) == before


async def test_deauthorized_at_stripe_ends_the_connection(office: Office) -> None:
    agency = await office.agency()
    account = await office.connected(agency)
    office.box.actions.deauthorize(account)
    assert await refresh_connection_by_account(office.rt, account)
    ended = await connection_of(office, agency)
    assert ended.status is ConnectionStatus.DISCONNECTED
    assert ended.disconnected_at is not None
    assert not ended.charges_enabled


async def test_after_disconnecting_another_account_can_be_connected(office: Office) -> None:
    agency = await office.agency()
    client = await office.client(agency)
    first = await office.connected(agency)
    owner = owner_of(agency.id)
    ended = await disconnect_stripe(office.rt, owner, agency_id=agency.id)
    assert ended.status is ConnectionStatus.DISCONNECTED
    wallet = await office.wallet(client)
    assert wallet is not None
    assert BlockReason.STRIPE_NOT_READY in [block.reason for block in wallet.blocks]
    with pytest.raises(InvalidState):
        await disconnect_stripe(office.rt, owner, agency_id=agency.id)
    with pytest.raises(InvalidState):
        await refresh_connection(office.rt, owner, agency_id=agency.id)
    second = await office.connected(agency)
    assert second != first
    found = await connection_history(owner, agency.id)
    assert [(one.account_id, one.status) for one in found] == [
        (second, ConnectionStatus.ACTIVE),
        (first, ConnectionStatus.DISCONNECTED),
    ]


async def test_an_existing_account_connects_by_oauth(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    link = await start_oauth(office.rt, owner, agency_id=agency.id)
    code = await allowed_at_stripe(office, link.url)
    connected = await complete_oauth(office.rt, owner, code=code, state=state_of(link.url))
    assert (connected.door, connected.status) == (Door.OAUTH, ConnectionStatus.ACTIVE)
    with pytest.raises(InvalidState):
        await start_onboarding(office.rt, owner, agency_id=agency.id)
    await disconnect_stripe(office.rt, owner, agency_id=agency.id)
    record = dict(office.box.state.store.everywhere("account"))
    assert [account["_connected"] for account in record.values()] == [False]


async def test_an_oauth_state_works_once_for_its_own_person(office: Office) -> None:
    agency, other = await office.agency(), await office.agency()
    owner = owner_of(agency.id)
    link = await start_oauth(office.rt, owner, agency_id=agency.id)
    code, state = await allowed_at_stripe(office, link.url), state_of(link.url)
    before = await office.snapshot("stripe_connections", "stripe_oauth_states")
    wrong: list[tuple[Any, str]] = [
        (owner_of(other.id), state),
        (owner_of(agency.id, "owner-2"), state),
        (owner, "made-up"),
        (owner, "\ud800"),
    ]
    for viewer, given in wrong:
        with pytest.raises(InvalidInput) as refused:
            await complete_oauth(office.rt, viewer, code=code, state=given)
        assert refused.value.field == ("state",)
    assert await office.snapshot("stripe_connections", "stripe_oauth_states") == before
    await complete_oauth(office.rt, owner, code=code, state=state)
    with pytest.raises(InvalidInput):
        await complete_oauth(office.rt, owner, code=code, state=state)
    assert state not in "".join(await office.snapshot("stripe_oauth_states"))


async def test_an_oauth_state_ages(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    link = await start_oauth(office.rt, owner, agency_id=agency.id)
    code = await allowed_at_stripe(office, link.url)
    office.clock.offset += timedelta(minutes=10, seconds=1)
    with pytest.raises(InvalidInput):
        await complete_oauth(office.rt, owner, code=code, state=state_of(link.url))
    assert await rows("SELECT 1 FROM stripe_connections") == []


async def test_a_wrong_code_connects_nothing(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    for code in ("ac_unknown", "", "x" * 300, "a\nb"):
        link = await start_oauth(office.rt, owner, agency_id=agency.id)
        with pytest.raises((InvalidInput, PaymentUnavailable)):
            await complete_oauth(office.rt, owner, code=code, state=state_of(link.url))
    assert await rows("SELECT 1 FROM stripe_connections") == []


async def test_an_account_belongs_to_one_agency(office: Office) -> None:
    first, second = await office.agency(), await office.agency()
    account = await office.connected(first)
    owner = owner_of(second.id)
    link = await start_oauth(office.rt, owner, agency_id=second.id)
    code = await allowed_at_stripe(office, link.url, account)
    with pytest.raises(AlreadyExists):
        await complete_oauth(office.rt, owner, code=code, state=state_of(link.url))
    assert await stripe_connections(office.rt, ADMIN, [second.id]) == {}
    assert (await connection_of(office, first)).status is ConnectionStatus.ACTIVE


async def test_oauth_takes_the_place_of_an_unfinished_onboarding(office: Office) -> None:
    agency = await office.agency()
    owner = owner_of(agency.id)
    await start_onboarding(office.rt, owner, agency_id=agency.id)
    link = await start_oauth(office.rt, owner, agency_id=agency.id)
    code = await allowed_at_stripe(office, link.url)
    await complete_oauth(office.rt, owner, code=code, state=state_of(link.url))
    found = await connection_history(owner, agency.id)
    assert [(one.door, one.status) for one in found] == [
        (Door.OAUTH, ConnectionStatus.ACTIVE),
        (Door.LINK, ConnectionStatus.DISCONNECTED),
    ]


async def test_coming_back_reads_the_account_at_most_every_five_seconds(office: Office) -> None:
    agency = await office.agency()
    await start_onboarding(office.rt, owner_of(agency.id), agency_id=agency.id)
    begun = await connection_of(office, agency)
    assert begun.account_id is not None
    office.box.actions.set_ready(begun.account_id, ready=True)
    await refresh_after_return(office.rt, begun.id)
    assert (await connection_of(office, agency)).status is ConnectionStatus.ONBOARDING
    office.clock.advance(seconds=6)
    for nonsense in ("", "sco_nothing", begun.account_id, "\x00"):
        await refresh_after_return(office.rt, nonsense)
    assert (await connection_of(office, agency)).status is ConnectionStatus.ONBOARDING
    await refresh_after_return(office.rt, begun.id)
    assert (await connection_of(office, agency)).status is ConnectionStatus.ACTIVE


async def test_connections_are_between_agency_and_platform(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    await office.connected(other)
    client = billing_of(await office.client(other))
    assert await stripe_connections(office.rt, client, [other.id]) == {}
    assert await connection_history(client, other.id) == []
    owner = owner_of(mine.id)
    assert await stripe_connections(office.rt, owner, [other.id]) == {}
    assert await connection_history(owner, other.id) == []
    for act in (start_onboarding, start_oauth, refresh_connection, disconnect_stripe):
        with pytest.raises(NotFound):
            await act(office.rt, owner, agency_id=other.id)
    assert (await connection_of(office, other)).status is ConnectionStatus.ACTIVE


async def test_wallets_open_when_plan_and_stripe_are_ready_and_stay(office: Office) -> None:
    agency = await office.agency()
    before, plain = (
        await office.client(agency),
        await create_plan(office.rt, name="Plain", white_label=False),
    )
    assert await office.wallet(before) is None
    await office.connected(agency)
    after = await office.client(agency)
    for client in (before, after):
        wallet = await office.wallet(client)
        assert wallet is not None
        assert (wallet.available, wallet.version) == (0, 0)
    await update_agency(office.rt, ADMIN, agency_id=agency.id, plan_id=plain.id)
    wallet = await office.wallet(before)
    assert wallet is not None
    assert wallet.blocks[0].reason is BlockReason.PLAN_NOT_ELIGIBLE
    assert not wallet.blocks[0].stops_spending
    assert await office.wallet(await office.client(agency)) is not None


async def test_wallets_open_when_the_plan_comes_after_stripe(office: Office) -> None:
    agency = await office.agency()
    white = agency.plan_id
    plain = await create_plan(office.rt, name="Plain", white_label=False)
    await start_onboarding(office.rt, owner_of(agency.id), agency_id=agency.id)
    await update_agency(office.rt, ADMIN, agency_id=agency.id, plan_id=plain.id)
    client = await office.client(agency)
    account = await office.account_of(agency)
    office.box.actions.set_ready(account, ready=True)
    await refresh_connection_by_account(office.rt, account)
    assert await office.wallet(client) is None
    await update_agency(office.rt, ADMIN, agency_id=agency.id, plan_id=white)
    assert await office.wallet(client) is not None
    opened = (await agencies(office.rt, ADMIN, [agency.id]))[agency.id].wallets_opened_at
    assert opened is not None


async def test_plan_and_stripe_at_the_same_moment_open_the_wallets(office: Office) -> None:
    plain = await create_plan(office.rt, name="Plain", white_label=False)
    for _ in range(5):
        agency = await office.agency()
        white = agency.plan_id
        await start_onboarding(office.rt, owner_of(agency.id), agency_id=agency.id)
        await update_agency(office.rt, ADMIN, agency_id=agency.id, plan_id=plain.id)
        account = await office.account_of(agency)
        office.box.actions.set_ready(account, ready=True)
        _, _, client = await asyncio.gather(
            update_agency(office.rt, ADMIN, agency_id=agency.id, plan_id=white),
            refresh_connection_by_account(office.rt, account),
            office.client(agency),
        )
        assert await office.wallet(client) is not None
