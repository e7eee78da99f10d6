"""The words in which an agency and a wallet say where they stand."""

from gateway.agencies.connection import ConnectionStatus
from gateway.wallets.blocks import BlockReason
from schema.enums import described

__all__ = ["BlockReason", "ConnectionStatus"]

described(
    ConnectionStatus,
    "Where an agency stands with Stripe. Only ACTIVE can sell.",
    {
        ConnectionStatus.NONE: "No account yet.",
        ConnectionStatus.ONBOARDING: "The account exists; Stripe's forms are not finished.",
        ConnectionStatus.ACTIVE: "The account can take card payments.",
        ConnectionStatus.RESTRICTED: "It could, and Stripe asks for something now.",
        ConnectionStatus.DISCONNECTED: "The account is not connected any more.",
    },
    name="StripeConnectionStatus",
)
described(
    BlockReason,
    "Why something cannot be done with a wallet now.",
    {
        BlockReason.PLAN_NOT_ELIGIBLE: "The agency's plan has no white-label wallets.",
        BlockReason.STRIPE_NOT_READY: "The agency's Stripe account cannot take charges.",
        BlockReason.REBILLING_OFF: "The agency has switched the sale of credits off.",
        BlockReason.WALLET_ACCESS_OFF: "The agency has switched buying off for this client.",
        BlockReason.PRICE_UNAVAILABLE: "No sellable price stands for some or all items.",
        BlockReason.SUB_ACCOUNT_SUSPENDED: "The client is suspended.",
        BlockReason.DEBT: "Credits are owed; the next purchase pays them first.",
    },
)
