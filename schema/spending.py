import strawberry

from schema.errors import UserError
from schema.scalars import Credits
from schema.transactions import Transaction
from schema.wallets import Wallet


@strawberry.input(description="Credits to use up.")
class SpendCreditsInput:
    wallet_id: strawberry.ID = strawberry.field(description="Whose credits.")
    credits: Credits = strawberry.field(description="How many, at least 1.")
    reference: str = strawberry.field(
        description="What they were used for, in your words, 1 to 200 printable characters."
    )
    idempotency_key: str = strawberry.field(
        description="Your own name for this wish; the same key never spends twice."
    )


@strawberry.type(description="Answer of spendCredits.")
class SpendCreditsPayload:
    transaction: Transaction | None = strawberry.field(
        default=None, description="The booked change; null when it was refused."
    )
    wallet: Wallet | None = strawberry.field(
        default=None, description="The wallet afterwards; null when it was refused."
    )
    replayed: bool = strawberry.field(
        default=False, description="True when this key had been answered before."
    )
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty on success."
    )
