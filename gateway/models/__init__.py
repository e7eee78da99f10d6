"""All tables in one place, because foreign keys cross nouns.

Rows are keyed by (agency_id, id) in the database, so that the tables can be distributed by
agency; the models name `id` alone, which is unique by construction (TypeID)."""

from gateway.models.agencies import Agency, ApiKey, Plan, SubAccount
from gateway.models.ledger import (
    Allocation,
    IdempotencyKey,
    Lot,
    OutboxEvent,
    Posting,
    Transaction,
    Wallet,
)
from gateway.models.pricing import CreditPackage, RetailPrice, WholesalePrice
from gateway.models.purchases import Purchase
from gateway.models.stripe import (
    CardSetup,
    PaymentMethod,
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    StripeOAuthState,
)

__all__ = [
    "Agency",
    "Allocation",
    "ApiKey",
    "CardSetup",
    "CreditPackage",
    "IdempotencyKey",
    "Lot",
    "OutboxEvent",
    "PaymentMethod",
    "Plan",
    "Posting",
    "Purchase",
    "RetailPrice",
    "StripeConnection",
    "StripeCustomer",
    "StripeEvent",
    "StripeOAuthState",
    "SubAccount",
    "Transaction",
    "Wallet",
    "WholesalePrice",
]
