import strawberry

from gateway.agencies.oauth import complete_oauth, start_oauth
from gateway.agencies.onboarding import start_onboarding
from gateway.agencies.refresh import disconnect_stripe, refresh_connection
from resolvers.guards import OWNERS, mutation
from schema.agencies import Agency
from schema.context import Info
from schema.stripe_connection import (
    CompleteStripeOAuthInput,
    CompleteStripeOAuthPayload,
    DisconnectStripeInput,
    DisconnectStripePayload,
    RefreshStripeConnectionInput,
    RefreshStripeConnectionPayload,
    StartStripeOnboardingInput,
    StartStripeOnboardingPayload,
    StripeConnection,
)


@strawberry.type
class StripeConnectionMutations:
    @mutation(
        StartStripeOnboardingPayload,
        allow=OWNERS,
        description="Lead an agency to Stripe: to a new account's forms, or to connect the account "
        "that it has. Needs a plan with white-label.",
    )
    async def start_stripe_onboarding(
        self, info: Info, input: StartStripeOnboardingInput
    ) -> StartStripeOnboardingPayload:
        start = start_oauth if input.existing_account else start_onboarding
        context = info.context
        link = await start(context.runtime, context.viewer, agency_id=input.agency_id)
        return StartStripeOnboardingPayload(
            url=link.url,
            expires_at=link.expires_at,
            agency=await Agency.load(info, input.agency_id),
        )

    @mutation(
        CompleteStripeOAuthPayload,
        allow=OWNERS,
        description="Connect the account that the agency allowed at Stripe.",
    )
    async def complete_stripe_o_auth(
        self, info: Info, input: CompleteStripeOAuthInput
    ) -> CompleteStripeOAuthPayload:
        context = info.context
        connection = await complete_oauth(
            context.runtime, context.viewer, code=input.code, state=input.state
        )
        return CompleteStripeOAuthPayload(
            connection=StripeConnection.from_row(connection),
            agency=await Agency.load(info, connection.agency_id),
        )

    @mutation(
        RefreshStripeConnectionPayload,
        allow=OWNERS,
        description="Read the agency's account from Stripe now.",
    )
    async def refresh_stripe_connection(
        self, info: Info, input: RefreshStripeConnectionInput
    ) -> RefreshStripeConnectionPayload:
        context = info.context
        connection = await refresh_connection(
            context.runtime, context.viewer, agency_id=input.agency_id
        )
        return RefreshStripeConnectionPayload(
            connection=StripeConnection.from_row(connection),
            agency=await Agency.load(info, input.agency_id),
        )

    @mutation(
        DisconnectStripePayload,
        allow=OWNERS,
        description="End the connection: nothing can be sold; balances and spending stay; saved "
        "cards are lost.",
    )
    async def disconnect_stripe(
        self, info: Info, input: DisconnectStripeInput
    ) -> DisconnectStripePayload:
        context = info.context
        connection = await disconnect_stripe(
            context.runtime, context.viewer, agency_id=input.agency_id
        )
        return DisconnectStripePayload(
            connection=StripeConnection.from_row(connection),
            agency=await Agency.load(info, input.agency_id),
        )
