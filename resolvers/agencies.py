from typing import Annotated

import strawberry

from gateway.agencies.manage import create_agency, update_agency
from gateway.agencies.read import agency_page
from gateway.agencies.rebilling import disable_rebilling, enable_rebilling
from resolvers.guards import AGENCY, PLATFORM, READERS, mutation, require
from schema.agencies import Agency
from schema.agency_mutations import (
    CreateAgencyInput,
    CreateAgencyPayload,
    DisableRebillingInput,
    DisableRebillingPayload,
    EnableRebillingInput,
    EnableRebillingPayload,
    UpdateAgencyInput,
    UpdateAgencyPayload,
)
from schema.connection import DEFAULT_FIRST, After, Connection, First, page_of
from schema.context import Info


@strawberry.type
class AgencyQueries:
    @strawberry.field(description="All agencies, newest first. For the platform.")
    async def agencies(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[Agency]:
        viewer = info.context.viewer
        require(viewer, PLATFORM)
        page = page_of(first, after, keys=1)
        found = await agency_page(
            viewer, after=page.after[0] if page.after else None, limit=page.limit
        )
        return Connection.of(found, page, node=Agency.from_row, keys=lambda row: (row.id,))

    @strawberry.field(description="An agency; null when no such agency is visible to you.")
    async def agency(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which agency.")],
    ) -> Agency | None:
        require(info.context.viewer, READERS)
        return await Agency.load(info, id)


@strawberry.type
class AgencyMutations:
    @mutation(
        CreateAgencyPayload, allow=PLATFORM, description="Make an agency, with its empty pool."
    )
    async def create_agency(self, info: Info, input: CreateAgencyInput) -> CreateAgencyPayload:
        agency = await create_agency(
            info.context.runtime,
            name=input.name,
            plan_id=input.plan_id,
            currency=input.currency,
            time_zone=input.time_zone,
        )
        return CreateAgencyPayload(agency=Agency.from_row(agency))

    @mutation(
        UpdateAgencyPayload, allow=PLATFORM, description="Change an agency's name, plan or zone."
    )
    async def update_agency(self, info: Info, input: UpdateAgencyInput) -> UpdateAgencyPayload:
        agency = await update_agency(
            info.context.runtime,
            info.context.viewer,
            agency_id=input.agency_id,
            name=input.name,
            plan_id=input.plan_id,
            time_zone=input.time_zone,
        )
        return UpdateAgencyPayload(agency=Agency.from_row(agency))

    @mutation(
        EnableRebillingPayload,
        allow=AGENCY,
        description="Let the agency's clients buy. Needs a plan with white-label, Stripe, and a "
        "price at or above the floor.",
    )
    async def enable_rebilling(
        self, info: Info, input: EnableRebillingInput
    ) -> EnableRebillingPayload:
        context = info.context
        agency = await enable_rebilling(context.runtime, context.viewer, agency_id=input.agency_id)
        return EnableRebillingPayload(agency=Agency.from_row(agency))

    @mutation(
        DisableRebillingPayload,
        allow=AGENCY,
        description="Stop the sale of credits; balances and spending stay.",
    )
    async def disable_rebilling(
        self, info: Info, input: DisableRebillingInput
    ) -> DisableRebillingPayload:
        context = info.context
        agency = await disable_rebilling(context.runtime, context.viewer, agency_id=input.agency_id)
        return DisableRebillingPayload(agency=Agency.from_row(agency))
