from datetime import datetime
from typing import Annotated, Self

import strawberry

from gateway.agencies.api_keys import api_keys_of
from gateway.agencies.clients import sub_account_pages
from gateway.agencies.connection import connection_history, stripe_connections
from gateway.agencies.earnings import EarningsReport as EarningsReportRecord
from gateway.agencies.earnings import earnings
from gateway.agencies.read import Agency as AgencyRecord
from gateway.agencies.read import agencies
from gateway.agencies.readiness import Readiness, StepState, readiness
from gateway.agencies.readiness import ReadinessStep as StepName
from gateway.pages import PageRequest
from gateway.pricing.packages import packages_of_agencies
from gateway.pricing.terms import agency_terms
from gateway.wallets.read import pools
from gateway.wallets.transactions import agency_transaction_pages
from schema.api_keys import ApiKey
from schema.connection import DEFAULT_FIRST, After, Connection, First, page_of
from schema.context import Info, require_agency_side
from schema.enums import described
from schema.money import Money
from schema.node import Node
from schema.packages import CreditPackage
from schema.plans import Plan
from schema.pricing import QuantityRules, Rebilling
from schema.purchases import Purchase, PurchaseFilter, agency_purchases
from schema.scalars import CurrencyCode
from schema.stripe_connection import StripeConnection
from schema.sub_accounts import SubAccount
from schema.transactions import Transaction
from schema.wallets import Wallet

described(
    StepName,
    "The steps to a first sale, in their order.",
    {
        StepName.PLAN: "The plan includes white-label wallets.",
        StepName.STRIPE: "The Stripe account can take card payments.",
        StepName.PRICE: "A price per credit stands at or above the floor.",
        StepName.WALLETS: "Selling is on and some client may buy.",
    },
    name="ReadinessStepName",
)
described(
    StepState,
    "How far a step is.",
    {
        StepState.DONE: "Done.",
        StepState.TODO: "Can be done now.",
        StepState.BLOCKED: "Something else comes first.",
    },
    name="ReadinessState",
)


@strawberry.type(description="One step on the way to a first sale.")
class ReadinessStep:
    step: StepName = strawberry.field(description="Which step.")
    state: StepState = strawberry.field(description="How far it is.")
    fix: str | None = strawberry.field(description="What to do, in a sentence; null when done.")

    @classmethod
    def from_row(cls, step: Readiness) -> Self:
        return cls(step=step.step, state=step.state, fix=step.fix)


@strawberry.type(description="What an agency earned with the completed sales of a time range.")
class EarningsReport:
    from_: datetime = strawberry.field(name="from", description="Begin, included.")
    to: datetime = strawberry.field(description="End, not included.")
    count: int = strawberry.field(description="Completed purchases.")
    gross: Money = strawberry.field(description="What buyers paid.")
    wholesale: Money = strawberry.field(description="What the platform took.")
    margin: Money = strawberry.field(description="Net less wholesale, before Stripe's fee.")
    stripe_fee: Money = strawberry.field(description="Stripe's fees, as far as booked.")
    fees_unknown: int = strawberry.field(
        description="Purchases whose Stripe fee is not booked yet."
    )

    @classmethod
    def from_row(cls, report: EarningsReportRecord) -> Self:
        currency = report.currency
        return cls(
            from_=report.start,
            to=report.end,
            count=report.count,
            gross=Money.of(report.gross_minor, currency),
            wholesale=Money.of(report.wholesale_minor, currency),
            margin=Money.of(report.margin_minor, currency),
            stripe_fee=Money.of(report.stripe_fee_minor, currency),
            fees_unknown=report.fees_unknown,
        )


@strawberry.type(description="A reseller: it sells credits to its clients at its own price.")
class Agency(Node):
    name: str = strawberry.field(description="Its name.")
    currency: CurrencyCode = strawberry.field(description="The one currency it sells in.")
    time_zone: str = strawberry.field(description="IANA time zone of its calendar.")
    created_at: datetime = strawberry.field(description="When it was made.")
    record: strawberry.Private[AgencyRecord]

    @strawberry.field(
        description="What it buys from the platform. Null and FORBIDDEN for a client's viewer."
    )
    async def plan(self, info: Info) -> Plan | None:
        require_agency_side(info)
        return await Plan.load(info, self.record.plan_id)

    @strawberry.field(
        description="The steps to a first sale, in their order. Null and FORBIDDEN for a client's "
        "viewer."
    )
    async def readiness(self, info: Info) -> list[ReadinessStep] | None:
        require_agency_side(info)
        found = await info.context.loaders.load(readiness, self.record.id)
        return [ReadinessStep.from_row(step) for step in found or ()]

    @strawberry.field(
        description="Its Stripe account, the last one when none stands. Null and FORBIDDEN for a "
        "client's viewer."
    )
    async def stripe(self, info: Info) -> StripeConnection | None:
        require_agency_side(info)
        found = await info.context.loaders.load(stripe_connections, self.record.id)
        if found is None:
            return StripeConnection.none_yet(livemode=info.context.runtime.settings.livemode)
        return StripeConnection.from_row(found)

    @strawberry.field(
        description="Every Stripe account that it had, newest first. Null and FORBIDDEN for a "
        "client's viewer."
    )
    async def stripe_history(self, info: Info) -> list[StripeConnection] | None:
        require_agency_side(info)
        found = await connection_history(info.context.viewer, self.record.id)
        return [StripeConnection.from_row(connection) for connection in found]

    @strawberry.field(description="How it sells credits.")
    async def rebilling(self, info: Info) -> Rebilling:
        terms = await info.context.loaders.load(agency_terms, self.record.id)
        assert terms is not None, "a visible agency has terms"
        return Rebilling(
            enabled=self.record.rebilling_enabled,
            quantity=QuantityRules.from_row(self.record.quantity),
            terms=terms,
        )

    @strawberry.field(
        description="Its own stock of credits; what clients buy never touches it. Null and "
        "FORBIDDEN for a client's viewer."
    )
    async def pool(self, info: Info) -> Wallet | None:
        require_agency_side(info)
        found = await info.context.loaders.load(pools, self.record.id)
        return Wallet.from_row(found) if found else None

    @strawberry.field(description="Packages that it offers, in its order, without archived ones.")
    async def packages(self, info: Info) -> list[CreditPackage]:
        found = await info.context.loaders.load(packages_of_agencies, self.record.id)
        return [CreditPackage.from_row(package) for package in found or ()]

    @strawberry.field(description="Its clients, newest first. A client's viewer finds itself.")
    async def sub_accounts(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[SubAccount]:
        page = page_of(first, after, keys=1)
        request = PageRequest(self.record.id, page.after, page.limit)
        found = await info.context.loaders.load(sub_account_pages, request)
        return Connection.of(
            found or [], page, node=SubAccount.from_row, keys=lambda row: (row.id,)
        )

    @strawberry.field(
        description="Changes of all its wallets, its pool's too, last booked first. A client's "
        "viewer finds its own."
    )
    async def transactions(
        self, info: Info, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[Transaction]:
        page = page_of(first, after, keys=1)
        request = PageRequest(self.record.id, page.after, page.limit)
        found = await info.context.loaders.load(agency_transaction_pages, request)
        return Connection.of(
            found or [],
            page,
            node=Transaction.from_row,
            keys=lambda row: (row.id,),
        )

    @strawberry.field(
        description="Every attempt of its clients to buy, newest first. A client's viewer finds "
        "its own."
    )
    async def purchases(
        self,
        info: Info,
        first: First = DEFAULT_FIRST,
        after: After = None,
        filter: Annotated[
            PurchaseFilter | None, strawberry.argument(description="Only these; null: all.")
        ] = None,
    ) -> Connection[Purchase]:
        return await agency_purchases(info, self.record.id, filter, first=first, after=after)

    @strawberry.field(
        description="What it earned in a time range. Null and FORBIDDEN for a client's viewer."
    )
    async def earnings(
        self,
        info: Info,
        from_: Annotated[
            datetime, strawberry.argument(name="from", description="Begin, included.")
        ],
        to: Annotated[datetime, strawberry.argument(description="End, not included.")],
    ) -> EarningsReport | None:
        found = await earnings(info.context.viewer, agency_id=self.record.id, start=from_, end=to)
        return EarningsReport.from_row(found) if found else None

    @strawberry.field(
        description="API keys of its services and partners, newest first. Null and FORBIDDEN for "
        "a client's viewer."
    )
    async def api_keys(self, info: Info) -> list[ApiKey] | None:
        require_agency_side(info)
        found = await api_keys_of(info.context.viewer, self.record.id)
        return [ApiKey.from_row(key) for key in found]

    @classmethod
    def from_row(cls, agency: AgencyRecord) -> Self:
        return cls(
            id=strawberry.ID(agency.id),
            name=agency.name,
            currency=CurrencyCode(agency.currency),
            time_zone=agency.time_zone,
            created_at=agency.created_at,
            record=agency,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(agencies, id) if id else None
        return cls.from_row(found) if found else None
