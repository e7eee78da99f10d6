from decimal import Decimal
from typing import Self

import strawberry

from gateway.agencies.clients import SubAccountStatus
from gateway.agencies.configure import Configured
from schema.errors import UserError, to_user_error
from schema.sub_accounts import SubAccount


@strawberry.input(description="What one client should look like; null: unchanged.")
class SubAccountConfigurationInput:
    sub_account_id: strawberry.ID = strawberry.field(description="Which client.")
    name: str | None = strawberry.field(
        default=None, description="New name, 1 to 200 characters; null: unchanged."
    )
    status: SubAccountStatus | None = strawberry.field(
        default=None, description="Suspend or resume it; null: unchanged."
    )
    wallet_access: bool | None = strawberry.field(
        default=None, description="Whether it may buy credits; null: unchanged."
    )
    price_per_credit: Decimal | None = strawberry.field(
        default=None, description="Its own price per credit, major units; null: unchanged."
    )
    inherit_price: bool = strawberry.field(
        default=False, description="True to take its own price back and follow the agency's."
    )


@strawberry.input(description="Many clients to set up in one call, each by itself.")
class ConfigureSubAccountsInput:
    agency_id: strawberry.ID = strawberry.field(description="Whose clients.")
    items: list[SubAccountConfigurationInput] = strawberry.field(
        description="1 to 100 clients, each named once."
    )
    dry_run: bool = strawberry.field(
        default=False, description="True to learn what would happen; nothing is changed."
    )


@strawberry.type(description="What came of one item.")
class SubAccountConfiguration:
    sub_account_id: strawberry.ID = strawberry.field(description="Which client was meant.")
    sub_account: SubAccount | None = strawberry.field(
        description="The client afterwards, or as it would be; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why this item was refused; empty on success."
    )

    @classmethod
    def from_row(cls, done: Configured) -> Self:
        client, refusal = done.sub_account, done.refusal
        return cls(
            sub_account_id=strawberry.ID(done.sub_account_id),
            sub_account=SubAccount.from_row(client) if client else None,
            user_errors=[to_user_error(refusal, agency_side=True)] if refusal else [],
        )


@strawberry.type(description="Answer of configureSubAccounts.")
class ConfigureSubAccountsPayload:
    results: list[SubAccountConfiguration] = strawberry.field(
        default_factory=list, description="What came of each item, in their order."
    )
    dry_run: bool = strawberry.field(
        default=False, description="True when nothing was changed on purpose."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list,
        description="Why the whole call was refused; items have errors of their own.",
    )
