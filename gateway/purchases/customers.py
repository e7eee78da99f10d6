"""A sub-account as a Stripe customer: one per (sub-account, Stripe account, mode)."""

from __future__ import annotations

from typing import Final

from gateway.database import row
from gateway.ids import new_id
from gateway.runtime import Runtime

# DO UPDATE and not DO NOTHING: it answers the row that is there.
_OPEN: Final = """
    INSERT INTO stripe_customers
        (id, agency_id, sub_account_id, stripe_account_id, livemode, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (agency_id, sub_account_id, stripe_account_id, livemode)
        DO UPDATE SET livemode = excluded.livemode
    RETURNING id, customer_id
"""
_KEEP: Final = """
    UPDATE stripe_customers SET customer_id = coalesce(customer_id, $3)
    WHERE agency_id = $1 AND id = $2 RETURNING customer_id
"""
_FIND: Final = """
    SELECT customer_id FROM stripe_customers
    WHERE agency_id = $1 AND sub_account_id = $2 AND stripe_account_id = $3 AND livemode = $4
"""


async def ensure_customer(rt: Runtime, *, agency_id: str, sub_account_id: str, account: str) -> str:
    """The customer's id at Stripe, made there if need be. Raises StripeFailure.

    The row is committed before Stripe is called and its id is the idempotency key, so a crash
    leaves at most one customer."""
    owner = (agency_id, sub_account_id, account, rt.settings.livemode)
    known = await row(_OPEN, new_id("customer"), *owner, rt.clock())
    assert known is not None
    if known["customer_id"] is not None:
        return str(known["customer_id"])
    made = await rt.stripe.create_customer(
        account=account,
        sub_account_id=sub_account_id,
        agency_id=agency_id,
        key=f"rebill:cus:{known['id']}",
    )
    kept = await row(_KEEP, agency_id, known["id"], made)
    assert kept is not None
    return str(kept["customer_id"])


async def known_customer(
    rt: Runtime, *, agency_id: str, sub_account_id: str, account: str
) -> str | None:
    """The customer's id if Stripe was ever asked for one; nothing is made."""
    found = await row(_FIND, agency_id, sub_account_id, account, rt.settings.livemode)
    return None if found is None else found["customer_id"]
