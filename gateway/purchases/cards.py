"""Saved cards: listed, made the default, removed. Card numbers never pass through here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, rows, transaction
from gateway.errors import NotFound
from gateway.ids import is_id
from gateway.purchases.intents import unavailable
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import NotFoundAtStripe, StripeFailure, StripeRefused

_COLUMNS: Final = (
    "m.id, m.agency_id, m.sub_account_id, m.stripe_account_id, m.stripe_payment_method_id, "
    "m.brand, m.last4, m.exp_month, m.exp_year, m.is_default, m.created_at, m.removed_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCardRecord:
    """A card that can be charged again without typing it in. removed_at: None while it can."""

    id: str
    agency_id: str
    sub_account_id: str
    stripe_account_id: str
    stripe_payment_method_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    is_default: bool
    created_at: datetime
    removed_at: datetime | None


async def payment_methods(
    rt: Runtime, viewer: Viewer, ids: Sequence[str]
) -> dict[str, SavedCardRecord]:
    """These cards, removed ones too, as far as the viewer may see them."""
    del rt
    scope = visible(viewer, first=2, agency="m.agency_id", sub_account="m.sub_account_id")
    sql = f"SELECT {_COLUMNS} FROM payment_methods m WHERE m.id = ANY($1) AND {scope.sql}"
    wanted = [id for id in ids if is_id(id, "payment_method")]
    found = await rows(sql, wanted, *scope.values) if wanted else []
    return {card["id"]: SavedCardRecord(**card) for card in found}


async def cards_of_wallets(
    rt: Runtime, viewer: Viewer, wallet_ids: Sequence[str]
) -> dict[str, list[SavedCardRecord]]:
    """The usable cards of each wallet's owner, the default first, then the newest.

    A card of a Stripe account that is no longer connected cannot be charged and is not shown."""
    scope = visible(viewer, first=3, agency="w.agency_id", sub_account="w.sub_account_id")
    sql = f"""
        SELECT w.id AS wallet_id, {_COLUMNS} FROM wallets w
        JOIN stripe_connections c ON c.agency_id = w.agency_id AND c.status <> 'DISCONNECTED'
        JOIN payment_methods m ON m.agency_id = w.agency_id
            AND m.sub_account_id = w.sub_account_id AND m.stripe_account_id = c.account_id
        WHERE w.id = ANY($1) AND m.livemode = $2 AND m.removed_at IS NULL AND {scope.sql}
        ORDER BY m.is_default DESC, m.created_at DESC, m.id DESC
    """
    found = await rows(sql, list(wallet_ids), rt.settings.livemode, *scope.values)
    cards: dict[str, list[SavedCardRecord]] = {id: [] for id in wallet_ids}
    for card in found:
        wallet_id = card.pop("wallet_id")
        cards[wallet_id].append(SavedCardRecord(**card))
    return cards


async def set_default_payment_method(
    rt: Runtime, viewer: Viewer, payment_method_id: str
) -> SavedCardRecord:
    """Make a saved card the one that is offered first. Raises NotFound.

    After: it is the only default of its owner on this Stripe account."""
    card = await _usable(rt, viewer, payment_method_id)
    async with transaction() as connection:
        await _lock_wallet(connection, card)
        sql = """
            UPDATE payment_methods SET is_default = FALSE
            WHERE agency_id = $1 AND sub_account_id = $2 AND stripe_account_id = $3 AND is_default
        """
        owner = [card.agency_id, card.sub_account_id, card.stripe_account_id]
        await connection.execute_query(sql, owner)
        sql = """
            UPDATE payment_methods m SET is_default = TRUE
            WHERE agency_id = $1 AND id = $2 AND removed_at IS NULL
        """
        changed = await row(f"{sql} RETURNING {_COLUMNS}", card.agency_id, card.id, on=connection)
        if changed is None:
            raise NotFound("payment method", field=("paymentMethodId",))
    return SavedCardRecord(**changed)


async def remove_payment_method(
    rt: Runtime, viewer: Viewer, payment_method_id: str
) -> SavedCardRecord:
    """Forget a saved card, here and at Stripe. Removing a removed one answers it again.

    After: it is never charged again. Raises NotFound, PaymentUnavailable (nothing changed)."""
    found = await payment_methods(rt, viewer, [payment_method_id])
    card = found.get(payment_method_id)
    if card is None:
        raise NotFound("payment method", field=("paymentMethodId",))
    if card.removed_at is not None:
        return card
    try:
        await _detach(rt, card)
    except StripeFailure as failure:
        raise unavailable(failure) from failure
    await forget_card(
        account=card.stripe_account_id,
        stripe_payment_method_id=card.stripe_payment_method_id,
        now=rt.clock(),
    )
    return (await payment_methods(rt, viewer, [payment_method_id]))[payment_method_id]


async def forget_card(*, account: str, stripe_payment_method_id: str, now: datetime) -> bool:
    """Mark a card that Stripe has detached as removed. False when we never had it."""
    sql = """
        UPDATE payment_methods
        SET removed_at = coalesce(removed_at, $3), is_default = FALSE
        WHERE agency_id IN (SELECT agency_id FROM stripe_connections WHERE account_id = $1)
            AND stripe_account_id = $1 AND stripe_payment_method_id = $2
        RETURNING id
    """
    return bool(await rows(sql, account, stripe_payment_method_id, now))


async def _usable(rt: Runtime, viewer: Viewer, payment_method_id: str) -> SavedCardRecord:
    found = await payment_methods(rt, viewer, [payment_method_id])
    card = found.get(payment_method_id)
    if card is None or card.removed_at is not None:
        raise NotFound("payment method", field=("paymentMethodId",))
    return card


async def _detach(rt: Runtime, card: SavedCardRecord) -> None:
    account, id = card.stripe_account_id, card.stripe_payment_method_id
    try:
        await rt.stripe.detach(account=account, payment_method=id)
    except NotFoundAtStripe:
        return
    except StripeRefused:
        # A card that is detached already is refused like many other things: look which it is.
        known = await rt.stripe.payment_method(account=account, payment_method=id)
        if known is not None and known.customer is not None:
            raise


async def _lock_wallet(connection: Connection, card: SavedCardRecord) -> None:
    # The ledger saves the cards of paid purchases under the same lock.
    await connection.execute_query(
        "SELECT id FROM wallets WHERE agency_id = $1 AND sub_account_id = $2 FOR UPDATE",
        [card.agency_id, card.sub_account_id],
    )
