from datetime import datetime
from typing import Self

import strawberry

from gateway.agencies.plans import Plan as PlanRecord
from gateway.agencies.plans import plans
from schema.context import Info
from schema.errors import UserError
from schema.node import Node


@strawberry.type(description="What an agency buys from the platform.")
class Plan(Node):
    name: str = strawberry.field(description="Unique name.")
    white_label: bool = strawberry.field(
        description="True when agencies on this plan may open wallets to their clients."
    )
    created_at: datetime = strawberry.field(description="When it was made.")

    @classmethod
    def from_row(cls, plan: PlanRecord) -> Self:
        return cls(
            id=strawberry.ID(plan.id),
            name=plan.name,
            white_label=plan.white_label,
            created_at=plan.created_at,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(plans, id) if id else None
        return cls.from_row(found) if found else None


@strawberry.input(description="A plan to make.")
class CreatePlanInput:
    name: str = strawberry.field(description="Unique name, 1 to 200 characters.")
    white_label: bool = strawberry.field(
        default=False, description="Whether agencies on it may open wallets to their clients."
    )


@strawberry.type(description="Answer of createPlan.")
class CreatePlanPayload:
    plan: Plan | None = strawberry.field(
        default=None, description="The new plan; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )
