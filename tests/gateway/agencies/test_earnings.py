from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.agencies.earnings import earnings
from gateway.database import rows
from gateway.errors import AccessDenied, BadUserInput
from tests.gateway.agencies.office import ADMIN, Office, billing_of, owner_of

pytestmark = pytest.mark.anyio


async def test_only_completed_sales_of_the_range_count(office: Office) -> None:
    agency = await office.agency()
    await office.connected(agency)
    client = await office.client(agency)
    wallet = await office.wallet(client)
    assert wallet is not None
    start = office.clock()
    for status, credits in (("COMPLETED", 100), ("COMPLETED", 200), ("PENDING", 1000)):
        await office.add_purchase(client, wallet, status=status, credits=credits, bonus=0)
    await rows("UPDATE purchases SET stripe_fee_minor = 103 WHERE credits = 100")
    end = office.clock() + timedelta(seconds=1)
    report = await earnings(owner_of(agency.id), agency_id=agency.id, start=start, end=end)
    assert report is not None
    assert (report.count, report.gross_minor, report.wholesale_minor) == (2, 7500, 3600)
    assert (report.margin_minor, report.stripe_fee_minor, report.fees_unknown) == (3900, 103, 1)
    later = await earnings(ADMIN, agency_id=agency.id, start=end, end=end + timedelta(days=1))
    assert later is not None
    assert (later.count, later.gross_minor, later.currency) == (0, 0, "USD")


async def test_earnings_are_the_agencys_alone(office: Office) -> None:
    mine, other = await office.agency(), await office.agency()
    start = office.clock()
    end = start + timedelta(days=1)
    client = billing_of(await office.client(mine))
    with pytest.raises(AccessDenied):
        await earnings(client, agency_id=mine.id, start=start, end=end)
    assert await earnings(owner_of(mine.id), agency_id=other.id, start=start, end=end) is None
    with pytest.raises(BadUserInput):
        await earnings(ADMIN, agency_id=mine.id, start=end, end=start)
