import strawberry

from gateway.agencies.plans import create_plan, plan_page
from resolvers.guards import PLATFORM, mutation, require
from schema.connection import DEFAULT_FIRST, After, Connection, First, page_of
from schema.context import Info
from schema.plans import CreatePlanInput, CreatePlanPayload, Plan


@strawberry.type
class PlanQueries:
    @strawberry.field(description="All plans, newest first. For the platform.")
    async def plans(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[Plan]:
        require(info.context.viewer, PLATFORM)
        page = page_of(first, after, keys=1)
        found = await plan_page(after=page.after[0] if page.after else None, limit=page.limit)
        return Connection.of(found, page, node=Plan.from_row, keys=lambda row: (row.id,))


@strawberry.type
class PlanMutations:
    @mutation(CreatePlanPayload, allow=PLATFORM, description="Make a plan.")
    async def create_plan(self, info: Info, input: CreatePlanInput) -> CreatePlanPayload:
        plan = await create_plan(
            info.context.runtime, name=input.name, white_label=input.white_label
        )
        return CreatePlanPayload(plan=Plan.from_row(plan))
