from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry

from gateway.agencies.packages import PackageChange
from gateway.pricing.packages import CreditPackage as CreditPackageRecord
from gateway.pricing.packages import Visibility, packages
from gateway.pricing.terms import agency_terms
from schema.context import Info, require_agency_side
from schema.enums import described
from schema.errors import UserError
from schema.money import Money
from schema.node import Node
from schema.scalars import Credits

described(
    Visibility,
    "Who sees a package.",
    {
        Visibility.PUBLIC: "Every client of the agency; it can be bought.",
        Visibility.HIDDEN: "The agency only; clients neither see it nor can buy it.",
    },
    name="PackageVisibility",
)


@strawberry.type(description="A fixed offer: credits and bonus credits for one price.")
class CreditPackage(Node):
    name: str = strawberry.field(description="Name shown to clients.")
    credits: Credits = strawberry.field(description="Credits that are paid for.")
    bonus_credits: Credits = strawberry.field(description="Credits given on top.")
    price: Money = strawberry.field(description="What the buyer pays.")
    price_per_credit: Decimal = strawberry.field(
        description="Effective price per credit in major units, bonus credits counted, rounded "
        "to 6 places."
    )
    validity_days: int | None = strawberry.field(
        description="Days from the sale until the credits expire; null: they do not expire."
    )
    position: int = strawberry.field(description="Place in the agency's order, low first.")
    visibility: Visibility = strawberry.field(description="Who sees it.")
    archived: bool = strawberry.field(description="True when it was taken off the shelf.")
    created_at: datetime = strawberry.field(description="When it was made.")
    record: strawberry.Private[CreditPackageRecord]

    @strawberry.field(
        description="False while its price lies under today's floor, so that it cannot be bought."
    )
    async def sellable(self, info: Info) -> bool:
        terms = await info.context.loaders.load(agency_terms, self.record.agency_id)
        return terms is not None and self.record.is_sellable(terms)

    @strawberry.field(
        description="What a sale leaves above today's wholesale price, before Stripe's fee; null "
        "without a wholesale price. For the agency and the platform."
    )
    async def margin(self, info: Info) -> Money | None:
        require_agency_side(info)
        terms = await info.context.loaders.load(agency_terms, self.record.agency_id)
        margin = self.record.margin_minor(terms) if terms else None
        return None if margin is None else Money.of(margin, self.record.currency)

    @classmethod
    def from_row(cls, package: CreditPackageRecord) -> Self:
        return cls(
            id=strawberry.ID(package.id),
            name=package.name,
            credits=Credits(package.credits),
            bonus_credits=Credits(package.bonus_credits),
            price=Money.of(package.price_minor, package.currency),
            price_per_credit=package.price_per_credit,
            validity_days=package.validity_days,
            position=package.position,
            visibility=package.visibility,
            archived=package.archived_at is not None,
            created_at=package.created_at,
            record=package,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(packages, id) if id else None
        return cls.from_row(found) if found else None


@strawberry.input(description="A package to offer.")
class CreateCreditPackageInput:
    agency_id: strawberry.ID = strawberry.field(description="Whose package.")
    name: str = strawberry.field(description="Name shown to clients, 1 to 200 characters.")
    credits: Credits = strawberry.field(description="Credits that are paid for, at least 1.")
    bonus_credits: Credits = strawberry.field(
        default=Credits(0), description="Credits given on top; they owe wholesale too."
    )
    price: Decimal = strawberry.field(
        description='What the buyer pays, in major units of the agency\'s currency: "150.00".'
    )
    validity_days: int | None = strawberry.field(
        default=None, description="Days until the credits expire, 1 to 3650; null: never."
    )
    position: int = strawberry.field(
        default=0, description="Place in the agency's order, low first."
    )
    visibility: Visibility = strawberry.field(default=Visibility.PUBLIC, description="Who sees it.")


@strawberry.input(description="What to change of a package; what is left out stays.")
class UpdateCreditPackageInput:
    package_id: strawberry.ID = strawberry.field(description="Which package.")
    name: str | None = strawberry.field(
        default=None, description="New name, 1 to 200 characters; null: unchanged."
    )
    credits: Credits | None = strawberry.field(
        default=None, description="New number of paid credits; null: unchanged."
    )
    bonus_credits: Credits | None = strawberry.field(
        default=None, description="New number of bonus credits; null: unchanged."
    )
    price: Decimal | None = strawberry.field(
        default=None, description="New price in major units; null: unchanged."
    )
    validity_days: strawberry.Maybe[int | None] = strawberry.field(
        description="New days until the credits expire; null: never; left out: unchanged."
    )
    position: int | None = strawberry.field(
        default=None, description="New place in the order; null: unchanged."
    )
    visibility: Visibility | None = strawberry.field(
        default=None, description="Who sees it from now on; null: unchanged."
    )

    def change(self) -> PackageChange:
        """What the business is asked to change."""
        return PackageChange(
            name=self.name,
            credits=self.credits,
            bonus_credits=self.bonus_credits,
            price=self.price,
            validity_days=self.validity_days.value if self.validity_days else None,
            keep_validity=self.validity_days is None,
            position=self.position,
            visibility=self.visibility,
        )


@strawberry.input(description="A package to take off the shelf for ever.")
class ArchiveCreditPackageInput:
    package_id: strawberry.ID = strawberry.field(description="Which package.")


@strawberry.type(description="Answer of a mutation on a package.")
class CreditPackageAnswer:
    package: CreditPackage | None = strawberry.field(
        default=None, description="The package afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.type(description="Answer of createCreditPackage.")
class CreateCreditPackagePayload(CreditPackageAnswer):
    pass


@strawberry.type(description="Answer of updateCreditPackage.")
class UpdateCreditPackagePayload(CreditPackageAnswer):
    pass


@strawberry.type(description="Answer of archiveCreditPackage.")
class ArchiveCreditPackagePayload(CreditPackageAnswer):
    pass
