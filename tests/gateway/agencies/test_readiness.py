from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.agencies.manage import update_agency
from gateway.agencies.onboarding import start_onboarding
from gateway.agencies.plans import create_plan
from gateway.agencies.read import Agency, agencies
from gateway.agencies.readiness import ReadinessStep, StepState, readiness
from gateway.agencies.rebilling import disable_rebilling, enable_rebilling
from gateway.agencies.refresh import refresh_connection_by_account
from gateway.errors import (
    BelowWholesale,
    NotFound,
    PlanNotEligible,
    PriceUnavailable,
    StripeNotReady,
)
from tests.gateway.agencies.office import ADMIN, Office, billing_of, owner_of

pytestmark = pytest.mark.anyio

DONE, TODO, BLOCKED = StepState.DONE, StepState.TODO, StepState.BLOCKED


async def steps(office: Office, agency: Agency) -> list[StepState]:
    found = (await readiness(office.rt, owner_of(agency.id), [agency.id]))[agency.id]
    assert [step.step for step in found] == list(ReadinessStep)
    assert all((step.fix is None) is (step.state is DONE) for step in found)
    return [step.state for step in found]


async def fix(office: Office, agency: Agency, step: ReadinessStep) -> str:
    found = (await readiness(office.rt, owner_of(agency.id), [agency.id]))[agency.id]
    return next(one.fix or "" for one in found if one.step is step)


async def test_the_steps_are_done_one_by_one(office: Office) -> None:
    agency = await office.agency(white_label=False)
    owner = owner_of(agency.id)
    assert await steps(office, agency) == [TODO, BLOCKED, BLOCKED, BLOCKED]
    white = await create_plan(office.rt, name="White", white_label=True)
    await update_agency(office.rt, ADMIN, agency_id=agency.id, plan_id=white.id)
    assert await steps(office, agency) == [DONE, TODO, BLOCKED, BLOCKED]
    await office.wholesale("0.12")
    assert await steps(office, agency) == [DONE, TODO, TODO, BLOCKED]
    assert "0.1201 USD" in await fix(office, agency, ReadinessStep.PRICE)
    await start_onboarding(office.rt, owner, agency_id=agency.id)
    assert await steps(office, agency) == [DONE, TODO, TODO, BLOCKED]
    await office.connected(agency)
    assert await steps(office, agency) == [DONE, DONE, TODO, BLOCKED]
    await office.price(agency, "0.25")
    assert await steps(office, agency) == [DONE, DONE, DONE, TODO]
    await enable_rebilling(office.rt, owner, agency_id=agency.id)
    assert await steps(office, agency) == [DONE, DONE, DONE, TODO]
    assert "createSubAccount" in await fix(office, agency, ReadinessStep.WALLETS)
    await office.client(agency)
    assert await steps(office, agency) == [DONE, DONE, DONE, DONE]


async def test_what_stripe_asks_for_is_named(office: Office) -> None:
    agency = await office.agency()
    account = await office.connected(agency)
    office.box.actions.set_ready(account, ready=False)
    await refresh_connection_by_account(office.rt, account)
    assert "business_profile.url" in await fix(office, agency, ReadinessStep.STRIPE)


async def test_a_price_under_a_risen_floor_is_a_step_again(office: Office) -> None:
    agency = await office.agency()
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    office.clock.advance(seconds=1)
    await office.wholesale("0.30")
    assert "0.25 is under the floor" in await fix(office, agency, ReadinessStep.PRICE)


async def test_selling_needs_plan_stripe_and_price_in_that_order(office: Office) -> None:
    agency = await office.agency(white_label=False)
    owner = owner_of(agency.id)

    async def enable() -> Agency:
        return await enable_rebilling(office.rt, owner, agency_id=agency.id)

    with pytest.raises(PlanNotEligible):
        await enable()
    white = await create_plan(office.rt, name="White", white_label=True)
    await update_agency(office.rt, ADMIN, agency_id=agency.id, plan_id=white.id)
    with pytest.raises(StripeNotReady) as not_ready:
        await enable()
    assert not_ready.value.status == "NONE"
    await start_onboarding(office.rt, owner, agency_id=agency.id)
    with pytest.raises(StripeNotReady) as not_ready:
        await enable()
    assert not_ready.value.status == "ONBOARDING"
    await office.connected(agency)
    with pytest.raises(PriceUnavailable):
        await enable()
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    office.clock.advance(seconds=1)
    await office.wholesale("0.25")
    with pytest.raises(BelowWholesale) as below:
        await enable()
    assert below.value.floor == Decimal("0.2501")
    assert not (await agencies(office.rt, ADMIN, [agency.id]))[agency.id].rebilling_enabled
    await office.price(agency, "0.26")
    assert (await enable()).rebilling_enabled


async def test_switching_twice_is_the_same(office: Office) -> None:
    agency = await office.agency()
    await office.connected(agency)
    await office.wholesale("0.12")
    await office.price(agency, "0.25")
    owner = owner_of(agency.id)
    before = await office.events(agency)
    for _ in range(2):
        on = await enable_rebilling(office.rt, owner, agency_id=agency.id)
    assert on.rebilling_enabled
    for _ in range(2):
        off = await disable_rebilling(office.rt, owner, agency_id=agency.id)
    assert not off.rebilling_enabled
    assert await office.events(agency) == [*before, "BLOCKS_UPDATED", "BLOCKS_UPDATED"]


async def test_another_agency_cannot_be_switched_or_seen(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    owner = owner_of(mine.id)
    for switch in (enable_rebilling, disable_rebilling):
        with pytest.raises(NotFound):
            await switch(office.rt, owner, agency_id=other.id)
    assert await readiness(office.rt, owner, [other.id]) == {}
    client = billing_of(await office.client(mine))
    assert await readiness(office.rt, client, [mine.id]) == {}
