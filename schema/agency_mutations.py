import strawberry

from schema.agencies import Agency
from schema.errors import UserError
from schema.scalars import CurrencyCode


@strawberry.input(description="An agency to make.")
class CreateAgencyInput:
    name: str = strawberry.field(description="Unique name, 1 to 200 characters.")
    plan_id: strawberry.ID = strawberry.field(description="What it buys from the platform.")
    currency: CurrencyCode = strawberry.field(
        default=CurrencyCode("USD"), description="The one currency it sells in, for ever."
    )
    time_zone: str = strawberry.field(
        default="UTC", description='IANA time zone of its calendar: "Europe/Berlin".'
    )


@strawberry.input(description="What to change of an agency; null and left out: unchanged.")
class UpdateAgencyInput:
    agency_id: strawberry.ID = strawberry.field(description="Which agency.")
    name: str | None = strawberry.field(
        default=None, description="New unique name, 1 to 200 characters; null: unchanged."
    )
    plan_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="New plan; null: unchanged. Without white-label nothing can be sold any more, "
        "and every balance stays usable.",
    )
    time_zone: str | None = strawberry.field(
        default=None, description="New IANA time zone; null: unchanged."
    )


@strawberry.input(description="An agency whose clients may buy from now on.")
class EnableRebillingInput:
    agency_id: strawberry.ID = strawberry.field(description="Which agency.")


@strawberry.input(description="An agency whose clients cannot buy from now on.")
class DisableRebillingInput:
    agency_id: strawberry.ID = strawberry.field(description="Which agency.")


@strawberry.type(description="Answer of a mutation on an agency.")
class AgencyAnswer:
    agency: Agency | None = strawberry.field(
        default=None, description="The agency afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.type(description="Answer of createAgency.")
class CreateAgencyPayload(AgencyAnswer):
    pass


@strawberry.type(description="Answer of updateAgency.")
class UpdateAgencyPayload(AgencyAnswer):
    pass


@strawberry.type(description="Answer of enableRebilling.")
class EnableRebillingPayload(AgencyAnswer):
    pass


@strawberry.type(description="Answer of disableRebilling.")
class DisableRebillingPayload(AgencyAnswer):
    pass
