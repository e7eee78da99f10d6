from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from gateway.agencies.connection import Door
from gateway.agencies.connection import StripeConnection as StripeConnectionRecord
from schema.enums import described
from schema.errors import UserError
from schema.standing import ConnectionStatus

if TYPE_CHECKING:
    from schema.agencies import Agency

described(
    Door,
    "How the account was connected.",
    {
        Door.LINK: "Made for the agency and onboarded on Stripe's forms.",
        Door.OAUTH: "An account that the agency had already.",
    },
    name="StripeDoor",
)


# Clients take a type whose name ends in "Connection" for a Relay list.
@strawberry.type(
    name="AgencyStripe", description="An agency's Stripe account, as last read from Stripe."
)
class StripeConnection:
    status: ConnectionStatus = strawberry.field(description="Where the agency stands.")
    door: Door | None = strawberry.field(
        description="How it was connected; null before the first time."
    )
    account_id: str | None = strawberry.field(
        description="Stripe's id of the account, acct_…; null while there is none."
    )
    livemode: bool = strawberry.field(description="True when it moves real money.")
    charges_enabled: bool = strawberry.field(
        description="Stripe lets the account take charges. Selling also needs card payments."
    )
    card_payments_active: bool = strawberry.field(description="Stripe lets the account take cards.")
    requirements_due: list[str] = strawberry.field(
        description="What Stripe asks the agency for, in Stripe's names."
    )
    disabled_reason: str | None = strawberry.field(
        description="Why Stripe has disabled the account, in Stripe's words; null if it has not."
    )
    dashboard_url: str | None = strawberry.field(
        description="The account's own pages at Stripe; null while there is no account."
    )
    checked_at: datetime | None = strawberry.field(
        description="When the account was last read from Stripe; null: never."
    )
    disconnected_at: datetime | None = strawberry.field(
        description="When the connection ended; null while it stands."
    )

    @classmethod
    def from_row(cls, connection: StripeConnectionRecord) -> Self:
        return cls(
            status=connection.status,
            door=connection.door,
            account_id=connection.account_id,
            livemode=connection.livemode,
            charges_enabled=connection.charges_enabled,
            card_payments_active=connection.card_payments_active,
            requirements_due=list(connection.requirements_due),
            disabled_reason=connection.disabled_reason,
            dashboard_url=connection.dashboard_url,
            checked_at=connection.checked_at,
            disconnected_at=connection.disconnected_at,
        )

    @classmethod
    def none_yet(cls, *, livemode: bool) -> Self:
        """What an agency shows before its first connection."""
        return cls(
            status=ConnectionStatus.NONE,
            door=None,
            account_id=None,
            livemode=livemode,
            charges_enabled=False,
            card_payments_active=False,
            requirements_due=[],
            disabled_reason=None,
            dashboard_url=None,
            checked_at=None,
            disconnected_at=None,
        )


@strawberry.input(description="An agency to lead to Stripe.")
class StartStripeOnboardingInput:
    agency_id: strawberry.ID = strawberry.field(description="Which agency.")
    existing_account: bool = strawberry.field(
        default=False,
        description="True to connect an account that the agency has already (OAuth); false to "
        "make one, or to go on with the one that was made.",
    )


@strawberry.type(description="Answer of startStripeOnboarding.")
class StartStripeOnboardingPayload:
    url: str | None = strawberry.field(
        default=None,
        description="Where to send the agency's browser now; works once. Null when refused.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="Until when the address works; null when refused."
    )
    agency: Annotated["Agency", strawberry.lazy("schema.agencies")] | None = strawberry.field(
        default=None, description="The agency with its connection; null when refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.input(description="What Stripe gave back after the agency allowed the connection.")
class CompleteStripeOAuthInput:
    code: str = strawberry.field(description="`code` of Stripe's redirect.")
    state: str = strawberry.field(
        description="`state` of Stripe's redirect; works once, for whoever started."
    )


@strawberry.input(description="An agency whose account is to be read again.")
class RefreshStripeConnectionInput:
    agency_id: strawberry.ID = strawberry.field(description="Which agency.")


@strawberry.input(description="An agency whose connection is to end.")
class DisconnectStripeInput:
    agency_id: strawberry.ID = strawberry.field(description="Which agency.")


@strawberry.type(description="Answer of a mutation on a Stripe connection.")
class StripeConnectionAnswer:
    connection: StripeConnection | None = strawberry.field(
        default=None, description="The connection afterwards; null when it was refused."
    )
    agency: Annotated["Agency", strawberry.lazy("schema.agencies")] | None = strawberry.field(
        default=None, description="The agency afterwards; null when it was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )


@strawberry.type(description="Answer of completeStripeOAuth.")
class CompleteStripeOAuthPayload(StripeConnectionAnswer):
    pass


@strawberry.type(description="Answer of refreshStripeConnection.")
class RefreshStripeConnectionPayload(StripeConnectionAnswer):
    pass


@strawberry.type(description="Answer of disconnectStripe.")
class DisconnectStripePayload(StripeConnectionAnswer):
    pass
