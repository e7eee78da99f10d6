"""A sub-account as a Stripe customer: one per (sub-account, Stripe account, mode)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar

import structlog

from gateway.database import row
from gateway.ids import new_id
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import NotFoundAtStripe

log = structlog.get_logger(__name__)

T = TypeVar("T")

# DO UPDATE and not DO NOTHING: it answers the row that is there.
_OPEN: Final = """
    INSERT INTO stripe_customers
        (id, agency_id, sub_account_id, stripe_account_id, livemode, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (agency_id, sub_account_id, stripe_account_id, livemode)
        DO UPDATE SET livemode = excluded.livemode
    RETURNING id, customer_id, created_at
"""
_KEEP: Final = """
    UPDATE stripe_customers SET customer_id = coalesce(customer_id, $3)
    WHERE agency_id = $1 AND id = $2 RETURNING customer_id
"""
_FIND: Final = """
    SELECT id, customer_id, created_at FROM stripe_customers
    WHERE agency_id = $1 AND sub_account_id = $2 AND stripe_account_id = $3 AND livemode = $4
"""
# Younger than every purchase that may have named the customer before, whatever the clocks say.
_REPLACE: Final = """
    UPDATE stripe_customers c SET id = $3, customer_id = NULL, created_at = greatest($4, (
        SELECT max(p.created_at) + interval '1 microsecond' FROM purchases p
        WHERE p.agency_id = c.agency_id AND p.sub_account_id = c.sub_account_id))
    WHERE c.agency_id = $1 AND c.id = $2
"""


class Owner(Protocol):
    """A purchase or a card setup: whose customer, and on which account."""

    @property
    def agency_id(self) -> str: ...
    @property
    def sub_account_id(self) -> str: ...
    @property
    def stripe_account_id(self) -> str: ...
    @property
    def livemode(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Customer:
    """id: of our row, another one for every customer that Stripe is asked for. since: when that
    row began. opened: this very reading began it, so nothing was asked in its name before."""

    id: str
    customer_id: str
    since: datetime
    opened: bool


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """customer_id: None while Stripe has not said."""

    customer_id: str | None
    since: datetime


async def with_customer(rt: Runtime, owner: Owner, ask: Callable[[Customer], Awaitable[T]]) -> T:
    """What `ask` answers for the owner's customer, who is made at Stripe if need be.

    A customer that was deleted in the agency's dashboard is replaced by a new one and `ask` is
    called once more, which has to send another idempotency key. Raises StripeFailure."""
    customer = await _ensure(rt, owner)
    try:
        return await ask(customer)
    except NotFoundAtStripe as missing:
        if missing.param != "customer":
            raise
    log.warning("customer_gone_at_stripe", customer=customer.customer_id)
    await row(_REPLACE, owner.agency_id, customer.id, new_id("customer"), rt.clock())
    return await ask(await _ensure(rt, owner))


async def known_customer(owner: Owner) -> KnownCustomer | None:
    """The owner's customer, if Stripe was ever asked for one; nothing is made."""
    found = await row(_FIND, *_key(owner))
    return None if found is None else KnownCustomer(found["customer_id"], found["created_at"])


async def _ensure(rt: Runtime, owner: Owner) -> Customer:
    """The row is committed before Stripe is called and its id is the idempotency key, so a crash
    leaves at most one customer."""
    id = new_id("customer")
    known = await row(_OPEN, id, *_key(owner), rt.clock())
    assert known is not None
    customer_id = known["customer_id"] or await _create(rt, owner, known["id"])
    return Customer(known["id"], customer_id, known["created_at"], opened=known["id"] == id)


async def _create(rt: Runtime, owner: Owner, id: str) -> str:
    made = await rt.stripe.create_customer(
        account=owner.stripe_account_id,
        sub_account_id=owner.sub_account_id,
        agency_id=owner.agency_id,
        key=f"rebill:cus:{id}",
    )
    kept = await row(_KEEP, owner.agency_id, id, made)
    # Without its row it was replaced meanwhile: whoever names it learns so from Stripe.
    return made if kept is None else str(kept["customer_id"])


def _key(owner: Owner) -> tuple[object, ...]:
    return (owner.agency_id, owner.sub_account_id, owner.stripe_account_id, owner.livemode)
