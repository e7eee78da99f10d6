"""Setting up many clients in one call, with a rehearsal that changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.agencies.clients import SubAccount
from gateway.agencies.prices import optional_price_rule, store_credit_price
from gateway.agencies.read import lock_agency
from gateway.agencies.sub_accounts import SubAccountChange, lock_sub_account, store_change
from gateway.auth.viewer import Viewer
from gateway.database import Connection, transaction
from gateway.errors import InvalidInput, NotFound, Refusal
from gateway.runtime import Runtime

MAX_ITEMS: Final = 100


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one client should look like. price: its own per credit, in major units; inherit_price:
    take its own price back. With neither the price stays as it is; both are refused."""

    sub_account_id: str
    change: SubAccountChange
    price: Decimal | None = None
    inherit_price: bool = False


@dataclass(frozen=True, slots=True)
class Configured:
    """What came of one item: the client after the change, or why it was refused."""

    sub_account_id: str
    sub_account: SubAccount | None
    refusal: Refusal | None


class _Rehearsed(Exception):
    """Leaves the transaction of a dry run, so that the database takes everything back."""


async def configure_sub_accounts(
    rt: Runtime,
    viewer: Viewer,
    *,
    agency_id: str,
    items: Sequence[Configuration],
    dry_run: bool,
) -> list[Configured]:
    """Apply each item by itself: one that is refused changes nothing and stops no other.

    dry_run: the same judgement by the same code, and nothing is kept. Raises InvalidInput (none
    or more than 100 items, or a client named twice), NotFound (agency)."""
    ids = [item.sub_account_id for item in items]
    if not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidInput(f"Give 1 to {MAX_ITEMS} items.", field=("items",))
    if len(set(ids)) != len(ids):
        raise InvalidInput("A client is named twice.", field=("items",))
    async with transaction() as connection:
        await lock_agency(connection, viewer, agency_id)
    return [await _one(rt, viewer, agency_id, item, dry_run=dry_run) for item in items]


async def _one(
    rt: Runtime, viewer: Viewer, agency_id: str, item: Configuration, *, dry_run: bool
) -> Configured:
    outcome: SubAccount | None = None
    try:
        async with transaction() as connection:
            outcome = await _apply(rt, viewer, connection, agency_id, item)
            if dry_run:
                raise _Rehearsed
    except _Rehearsed:
        return Configured(item.sub_account_id, outcome, None)
    except Refusal as refusal:
        return Configured(item.sub_account_id, None, refusal)
    return Configured(item.sub_account_id, outcome, None)


async def _apply(
    rt: Runtime, viewer: Viewer, connection: Connection, agency_id: str, item: Configuration
) -> SubAccount:
    rule = optional_price_rule(price=item.price, inherit=item.inherit_price)
    await lock_agency(connection, viewer, agency_id)
    client = await lock_sub_account(connection, viewer, item.sub_account_id)
    if client.agency_id != agency_id:
        raise NotFound("sub-account", field=("subAccountId",))
    if rule is not None:
        await store_credit_price(
            rt,
            viewer,
            connection,
            agency_id=agency_id,
            sub_account_id=client.id,
            rule=rule,
        )
    return await store_change(connection, client, item.change, now=rt.clock())
