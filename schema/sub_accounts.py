from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from gateway.agencies.clients import SubAccount as SubAccountRecord
from gateway.agencies.clients import SubAccountStatus, sub_accounts
from gateway.pricing.terms import sub_account_terms
from gateway.wallets.read import wallets_of_sub_accounts
from schema.context import Info
from schema.enums import described
from schema.errors import UserError
from schema.late import late
from schema.node import Node
from schema.wallets import Wallet

if TYPE_CHECKING:
    from schema.agencies import Agency

described(
    SubAccountStatus,
    "Whether a client may use its wallet.",
    {
        SubAccountStatus.ACTIVE: "It may.",
        SubAccountStatus.SUSPENDED: "It can neither buy nor spend; its credits are kept.",
    },
)


@strawberry.type(description="A client of an agency.")
class SubAccount(Node):
    name: str = strawberry.field(description="Its name.")
    external_id: str | None = strawberry.field(
        description="The platform's own id of this client, unique in its agency; null if none."
    )
    status: SubAccountStatus = strawberry.field(description="Whether it may use its wallet.")
    wallet_access: bool = strawberry.field(description="Whether it may buy credits.")
    created_at: datetime = strawberry.field(description="When it was made.")
    agency_id: strawberry.Private[str]

    @strawberry.field(description="Its agency.")
    async def agency(self, info: Info) -> Annotated["Agency", strawberry.lazy("schema.agencies")]:
        agency: Agency | None = await late("schema.agencies", "Agency").load(info, self.agency_id)
        assert agency is not None, "a visible client has a visible agency"
        return agency

    @strawberry.field(
        description="What one credit costs this client now, in major units; null while there is "
        "no price."
    )
    async def price_per_credit(self, info: Info) -> Decimal | None:
        terms = await info.context.loaders.load(sub_account_terms, str(self.id))
        return terms.retail if terms else None

    @strawberry.field(
        description="Its wallet; null until the agency's plan and Stripe account first allowed "
        "wallets."
    )
    async def wallet(self, info: Info) -> Wallet | None:
        found = await info.context.loaders.load(wallets_of_sub_accounts, str(self.id))
        return Wallet.from_row(found) if found else None

    @classmethod
    def from_row(cls, client: SubAccountRecord) -> Self:
        return cls(
            id=strawberry.ID(client.id),
            name=client.name,
            external_id=client.external_id,
            status=client.status,
            wallet_access=client.wallet_access,
            created_at=client.created_at,
            agency_id=client.agency_id,
        )

    @classmethod
    async def load(cls, info: Info, id: str | None) -> Self | None:
        found = await info.context.loaders.load(sub_accounts, id) if id else None
        return cls.from_row(found) if found else None


@strawberry.input(description="A client to make.")
class CreateSubAccountInput:
    agency_id: strawberry.ID = strawberry.field(description="Whose client.")
    name: str = strawberry.field(description="Its name, 1 to 200 characters.")
    external_id: str | None = strawberry.field(
        default=None, description="The platform's own id of it, unique in the agency."
    )
    wallet_access: bool = strawberry.field(default=True, description="Whether it may buy credits.")


@strawberry.input(description="What to change of a client; null and left out: unchanged.")
class UpdateSubAccountInput:
    sub_account_id: strawberry.ID = strawberry.field(description="Which client.")
    name: str | None = strawberry.field(
        default=None, description="New name, 1 to 200 characters; null: unchanged."
    )
    external_id: str | None = strawberry.field(
        default=None, description="New id of the platform's own, unique in the agency."
    )


@strawberry.input(description="A client to suspend: it can neither buy nor spend.")
class SuspendSubAccountInput:
    sub_account_id: strawberry.ID = strawberry.field(description="Which client.")


@strawberry.input(description="A suspended client to resume.")
class ResumeSubAccountInput:
    sub_account_id: strawberry.ID = strawberry.field(description="Which client.")


@strawberry.input(description="Whether a client may buy credits; what it has stays usable.")
class SetWalletAccessInput:
    sub_account_id: strawberry.ID = strawberry.field(description="Which client.")
    enabled: bool = strawberry.field(description="True to allow buying.")


@strawberry.type(description="Answer of a mutation on a client.")
class SubAccountAnswer:
    sub_account: SubAccount | None = strawberry.field(
        default=None, description="The client afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.type(description="Answer of createSubAccount.")
class CreateSubAccountPayload(SubAccountAnswer):
    pass


@strawberry.type(description="Answer of updateSubAccount.")
class UpdateSubAccountPayload(SubAccountAnswer):
    pass


@strawberry.type(description="Answer of suspendSubAccount.")
class SuspendSubAccountPayload(SubAccountAnswer):
    pass


@strawberry.type(description="Answer of resumeSubAccount.")
class ResumeSubAccountPayload(SubAccountAnswer):
    pass


@strawberry.type(description="Answer of setWalletAccess.")
class SetWalletAccessPayload(SubAccountAnswer):
    pass
