"""Saving a card without buying: one SetupIntent, settled from what Stripe says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

import structlog

from gateway.auth.viewer import Viewer
from gateway.database import Connection, Row, row, rows, transaction
from gateway.errors import StripeNotReady
from gateway.ids import new_id
from gateway.purchases.completion import SavedCard, keep_cards
from gateway.purchases.customers import Customer, with_customer
from gateway.purchases.declines import reason_of
from gateway.purchases.intents import unavailable
from gateway.purchases.wish import find_buyer
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import StripeFailure
from gateway.stripe_connect.values import IntentStatus, SetupIntent
from gateway.wallets.read import standing_of

log = structlog.get_logger(__name__)

SETUP_KEY: Final = "rebill_card_setup"
"""Name of the metadata entry by which a SetupIntent says which card setup it belongs to."""

_LIFE: Final = timedelta(hours=24)
_BATCH: Final = 20
_OPEN: Final = ["PENDING", "REQUIRES_ACTION", "PROCESSING"]


class CardSetupStatus(StrEnum):
    """Where the saving of a card stands."""

    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    CANCELED = "CANCELED"


_STATUS: Final = {
    IntentStatus.REQUIRES_ACTION: CardSetupStatus.REQUIRES_ACTION,
    IntentStatus.PROCESSING: CardSetupStatus.PROCESSING,
    IntentStatus.SUCCEEDED: CardSetupStatus.SUCCEEDED,
    IntentStatus.CANCELED: CardSetupStatus.CANCELED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSetupRecord:
    """One row. client_secret: what the buyer's own device confirms with; None once it is over."""

    id: str
    agency_id: str
    sub_account_id: str
    stripe_account_id: str
    livemode: bool
    setup_intent_id: str | None
    client_secret: str | None = field(repr=False)
    status: CardSetupStatus
    make_default: bool
    created_at: datetime

    @classmethod
    def of(cls, found: Row) -> Self:
        values: dict[str, Any] = {name: found[name] for name in _NAMES}
        return cls(**{**values, "status": CardSetupStatus(found["status"])})


_NAMES: Final = tuple(CardSetupRecord.__dataclass_fields__)
_COLUMNS: Final = ", ".join(_NAMES)


async def start_card_setup(
    rt: Runtime, viewer: Viewer, *, wallet_id: str, make_default: bool
) -> CardSetupRecord:
    """Begin to save a card for the owner of a wallet; the buyer's device confirms it.

    After: a row and a SetupIntent, usable for charges without the buyer present. The card is
    listed once Stripe says it succeeded. See Stripe, "Save a customer's payment method".
    Raises NotFound, StripeNotReady, PaymentUnavailable."""
    buyer = await find_buyer(viewer, wallet_id)
    standing = await standing_of(rt, viewer, wallet_id)
    assert standing is not None
    if standing.stripe_status != "ACTIVE" or buyer.stripe_account_id is None:
        raise StripeNotReady(
            "The seller cannot take cards at the moment. Try again later.",
            status=standing.stripe_status,
        )
    sql = f"""
        INSERT INTO card_setups (id, agency_id, sub_account_id, stripe_account_id, livemode,
            status, make_default, created_at, checked_at)
        VALUES ($1, $2, $3, $4, $5, 'PENDING', $6, $7, $7) RETURNING {_COLUMNS}
    """
    owner = (buyer.agency_id, buyer.sub_account_id, buyer.stripe_account_id)
    opened = await row(
        sql, new_id("card_setup"), *owner, rt.settings.livemode, make_default, rt.clock()
    )
    assert opened is not None
    try:
        return await _create(rt, CardSetupRecord.of(opened))
    except StripeFailure as failure:
        raise unavailable(failure) from failure


async def settle_card_setup(
    rt: Runtime, setup: CardSetupRecord, intent: SetupIntent
) -> CardSetupRecord:
    """Bring `setup` to where a freshly read SetupIntent says it is. After a success the card is
    saved, once; the first card, and one that was asked to be, becomes the default. An intent of
    another account, mode or setup changes nothing and is logged as an alert."""
    if _is_foreign(setup, intent):
        log.error("alert_foreign_setup_intent", setup=setup.id, intent=intent.id)
        return setup
    now = rt.clock()
    status = _STATUS.get(intent.status, CardSetupStatus.PENDING)
    async with transaction() as connection:
        changed = await _advance(connection, setup, intent, status, now)
        if changed is not None and status is CardSetupStatus.SUCCEEDED:
            await _keep(connection, setup, intent, now)
    return setup if changed is None else CardSetupRecord.of(changed)


async def find_card_setup(*, account_id: str, setup_intent_id: str) -> CardSetupRecord | None:
    """For the inbox: the setup of a SetupIntent."""
    sql = f"""
        SELECT {_COLUMNS} FROM card_setups
        WHERE agency_id IN (SELECT agency_id FROM stripe_connections WHERE account_id = $1)
            AND stripe_account_id = $1 AND setup_intent_id = $2
    """
    found = await row(sql, account_id, setup_intent_id)
    return None if found is None else CardSetupRecord.of(found)


async def reconcile_card_setups(rt: Runtime) -> int:
    """Read open setups from Stripe that nobody has looked at for `reconcile_after_s`, and answer
    how many. After 24 hours a setup that came to nothing is closed."""
    now = rt.clock()
    sql = f"""
        UPDATE card_setups SET checked_at = $1,
            status = CASE WHEN created_at <= $2 THEN 'CANCELED' ELSE status END
        WHERE (agency_id, id) IN (
            SELECT agency_id, id FROM card_setups
            WHERE status = ANY($3) AND checked_at <= $4
            ORDER BY checked_at LIMIT $5 FOR UPDATE SKIP LOCKED
        ) RETURNING {_COLUMNS}
    """
    late = now - timedelta(seconds=rt.settings.reconcile_after_s)
    due = [
        CardSetupRecord.of(found)
        for found in await rows(sql, now, now - _LIFE, _OPEN, late, _BATCH)
    ]
    for setup in due:
        if setup.setup_intent_id is None or setup.status is CardSetupStatus.CANCELED:
            continue
        try:
            await read_and_settle(rt, setup)
        except StripeFailure as failure:
            log.warning("card_setup_postponed", setup=setup.id, failure=repr(failure))
    return len(due)


async def read_and_settle(rt: Runtime, setup: CardSetupRecord) -> CardSetupRecord:
    """Read the setup's intent from Stripe and settle it. Raises StripeFailure."""
    assert setup.setup_intent_id is not None
    intent = await rt.stripe.setup_intent(account=setup.stripe_account_id, id=setup.setup_intent_id)
    return await settle_card_setup(rt, setup, intent)


async def _create(rt: Runtime, setup: CardSetupRecord) -> CardSetupRecord:
    async def ask(customer: Customer) -> SetupIntent:
        return await rt.stripe.create_setup_intent(
            account=setup.stripe_account_id,
            customer=customer.customer_id,
            metadata={SETUP_KEY: setup.id, "rebill_agency": setup.agency_id},
            key=f"rebill:seti:{setup.id}:{customer.id}",
        )

    return await settle_card_setup(rt, setup, await with_customer(rt, setup, ask))


def _is_foreign(setup: CardSetupRecord, intent: SetupIntent) -> bool:
    return (
        intent.account != setup.stripe_account_id
        or intent.livemode != setup.livemode
        or intent.metadata.get(SETUP_KEY) != setup.id
    )


async def _advance(
    connection: Connection,
    setup: CardSetupRecord,
    intent: SetupIntent,
    status: CardSetupStatus,
    now: datetime,
) -> Row | None:
    sql = f"""
        UPDATE card_setups SET status = $3, setup_intent_id = $4, client_secret = $5,
            last_error_reason = $6, completed_at = $7, checked_at = $8
        WHERE agency_id = $1 AND id = $2 AND status = ANY($9) RETURNING {_COLUMNS}
    """
    reason = reason_of(intent.last_error).value if intent.last_error else None
    secret = intent.client_secret if status.value in _OPEN else None
    done_at = now if status is CardSetupStatus.SUCCEEDED else None
    values = (status.value, intent.id, secret, reason, done_at, now, _OPEN)
    return await row(sql, setup.agency_id, setup.id, *values, on=connection)


async def _keep(
    connection: Connection, setup: CardSetupRecord, intent: SetupIntent, now: datetime
) -> None:
    assert intent.card is not None, "a succeeded SetupIntent has a card"
    # The ledger saves the cards of paid purchases under the same lock.
    await connection.execute_query(
        "SELECT id FROM wallets WHERE agency_id = $1 AND sub_account_id = $2 FOR UPDATE",
        [setup.agency_id, setup.sub_account_id],
    )
    if setup.make_default:
        sql = """
            UPDATE payment_methods SET is_default = FALSE
            WHERE agency_id = $1 AND sub_account_id = $2 AND stripe_account_id = $3 AND is_default
        """
        owner = [setup.agency_id, setup.sub_account_id, setup.stripe_account_id]
        await connection.execute_query(sql, owner)
    saved = SavedCard(
        agency_id=setup.agency_id,
        sub_account_id=setup.sub_account_id,
        stripe_account_id=setup.stripe_account_id,
        livemode=setup.livemode,
        card=intent.card,
        created_at=now,
    )
    await keep_cards(connection, [saved])
