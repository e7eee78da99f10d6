from typing import Annotated

import strawberry

from gateway.agencies.clients import SubAccountStatus
from gateway.agencies.configure import Configuration, configure_sub_accounts
from gateway.agencies.sub_accounts import (
    SubAccountChange,
    create_sub_account,
    update_sub_account,
)
from resolvers.guards import AGENCY, READERS, mutation, require
from schema.configuration import (
    ConfigureSubAccountsInput,
    ConfigureSubAccountsPayload,
    SubAccountConfiguration,
)
from schema.context import Info
from schema.sub_accounts import (
    CreateSubAccountInput,
    CreateSubAccountPayload,
    ResumeSubAccountInput,
    ResumeSubAccountPayload,
    SetWalletAccessInput,
    SetWalletAccessPayload,
    SubAccount,
    SuspendSubAccountInput,
    SuspendSubAccountPayload,
    UpdateSubAccountInput,
    UpdateSubAccountPayload,
)


@strawberry.type
class SubAccountQueries:
    @strawberry.field(description="A client; null when no such client is visible to you.")
    async def sub_account(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which client.")],
    ) -> SubAccount | None:
        require(info.context.viewer, READERS)
        return await SubAccount.load(info, id)


async def _change(info: Info, sub_account_id: str, change: SubAccountChange) -> SubAccount:
    context = info.context
    client = await update_sub_account(
        context.runtime, context.viewer, sub_account_id=sub_account_id, change=change
    )
    return SubAccount.from_row(client)


@strawberry.type
class SubAccountMutations:
    @mutation(
        CreateSubAccountPayload,
        allow=AGENCY,
        description="Make a client, with its empty wallet once the agency's wallets are open.",
    )
    async def create_sub_account(
        self, info: Info, input: CreateSubAccountInput
    ) -> CreateSubAccountPayload:
        client = await create_sub_account(
            info.context.runtime,
            info.context.viewer,
            agency_id=input.agency_id,
            name=input.name,
            external_id=input.external_id,
            wallet_access=input.wallet_access,
        )
        return CreateSubAccountPayload(sub_account=SubAccount.from_row(client))

    @mutation(UpdateSubAccountPayload, allow=AGENCY, description="Change a client's names.")
    async def update_sub_account(
        self, info: Info, input: UpdateSubAccountInput
    ) -> UpdateSubAccountPayload:
        change = SubAccountChange(name=input.name, external_id=input.external_id)
        client = await _change(info, input.sub_account_id, change)
        return UpdateSubAccountPayload(sub_account=client)

    @mutation(
        SuspendSubAccountPayload,
        allow=AGENCY,
        description="Suspend a client: it can neither buy nor spend; its credits are kept.",
    )
    async def suspend_sub_account(
        self, info: Info, input: SuspendSubAccountInput
    ) -> SuspendSubAccountPayload:
        change = SubAccountChange(status=SubAccountStatus.SUSPENDED)
        client = await _change(info, input.sub_account_id, change)
        return SuspendSubAccountPayload(sub_account=client)

    @mutation(ResumeSubAccountPayload, allow=AGENCY, description="End a client's suspension.")
    async def resume_sub_account(
        self, info: Info, input: ResumeSubAccountInput
    ) -> ResumeSubAccountPayload:
        change = SubAccountChange(status=SubAccountStatus.ACTIVE)
        client = await _change(info, input.sub_account_id, change)
        return ResumeSubAccountPayload(sub_account=client)

    @mutation(
        SetWalletAccessPayload,
        allow=AGENCY,
        description="Allow or stop a client's buying; what it has stays usable.",
    )
    async def set_wallet_access(
        self, info: Info, input: SetWalletAccessInput
    ) -> SetWalletAccessPayload:
        change = SubAccountChange(wallet_access=input.enabled)
        client = await _change(info, input.sub_account_id, change)
        return SetWalletAccessPayload(sub_account=client)

    @mutation(
        ConfigureSubAccountsPayload,
        allow=AGENCY,
        description="Set up many clients in one call, each by itself: one that is refused stops "
        "no other. With dryRun nothing is changed.",
    )
    async def configure_sub_accounts(
        self, info: Info, input: ConfigureSubAccountsInput
    ) -> ConfigureSubAccountsPayload:
        done = await configure_sub_accounts(
            info.context.runtime,
            info.context.viewer,
            agency_id=input.agency_id,
            items=[
                Configuration(
                    sub_account_id=item.sub_account_id,
                    change=SubAccountChange(
                        name=item.name, status=item.status, wallet_access=item.wallet_access
                    ),
                    price=item.price_per_credit,
                    inherit_price=item.inherit_price,
                )
                for item in input.items
            ],
            dry_run=input.dry_run,
        )
        return ConfigureSubAccountsPayload(
            results=[SubAccountConfiguration.from_row(one) for one in done],
            dry_run=input.dry_run,
        )
