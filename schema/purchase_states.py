"""The words in which a purchase says how it stands."""

from gateway.purchases.declines import DeclineReason
from gateway.purchases.record import DisputeState, PurchaseFlag, PurchaseStatus, RefundState
from schema.enums import described

__all__ = ["DeclineReason", "DisputeState", "PurchaseFlag", "PurchaseStatus", "RefundState"]

described(
    PurchaseStatus,
    "Where a purchase stands.",
    {
        PurchaseStatus.PENDING: "Waits for the buyer's card.",
        PurchaseStatus.REQUIRES_ACTION: "The bank wants to see the buyer (3-D Secure).",
        PurchaseStatus.PROCESSING: "The bank is deciding; the credits count as pending.",
        PurchaseStatus.COMPLETED: "Paid; the credits are in the wallet.",
        PurchaseStatus.FAILED: "Ended after too many attempts, or refused by Stripe.",
        PurchaseStatus.CANCELED: "Ended by the buyer or the seller, unpaid.",
        PurchaseStatus.EXPIRED: "Ended by its time, unpaid.",
        PurchaseStatus.QUARANTINED: "The payment differs from the purchase: set aside for a "
        "person, no credits were issued.",
    },
)
described(
    RefundState,
    "How much of the money went back.",
    {
        RefundState.NONE: "Nothing.",
        RefundState.PARTIAL: "A part.",
        RefundState.FULL: "All of it.",
    },
)
described(
    DisputeState,
    "Whether the cardholder's bank takes the money back.",
    {
        DisputeState.NONE: "No dispute.",
        DisputeState.INQUIRY: "The bank only asks.",
        DisputeState.OPEN: "The bank has taken the money and is deciding.",
        DisputeState.WON: "Decided for the seller.",
        DisputeState.LOST: "Decided for the cardholder.",
    },
)
described(
    PurchaseFlag,
    "Something about a purchase that a person should look at.",
    {
        PurchaseFlag.LATE_SUCCESS: "It was paid after it had ended; the credits were issued.",
        PurchaseFlag.ACCOUNT_LOST: "The bank was still deciding when the agency took back our "
        "permission to act for its Stripe account: look there whether it was paid.",
    },
)
described(
    DeclineReason,
    "Why a payment did not pass.",
    {
        DeclineReason.INSUFFICIENT_FUNDS: "Too little money on the card.",
        DeclineReason.CARD_EXPIRED: "The card has expired.",
        DeclineReason.INCORRECT_DETAILS: "Number, date or code is wrong.",
        DeclineReason.AUTHENTICATION_FAILED: "The bank could not confirm the buyer.",
        DeclineReason.LOST_OR_STOLEN: "The bank does not accept this card any more.",
        DeclineReason.LIMIT_EXCEEDED: "The card is over its limit.",
        DeclineReason.NOT_SUPPORTED: "The card cannot be used for this.",
        DeclineReason.PROCESSING_ERROR: "The bank could not be reached.",
        DeclineReason.DECLINED: "The bank refused without a reason.",
        DeclineReason.REFUSED: "Stripe refused to start the payment.",
    },
)
