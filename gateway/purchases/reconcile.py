"""Every purchase comes to its end, also when all webhooks are lost and nobody asks."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from gateway.agencies.refresh import refresh_connection_by_account
from gateway.purchases import store
from gateway.purchases.cancel import end_unpaid
from gateway.purchases.intents import advance
from gateway.purchases.record import PurchaseRecord
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import AccountLost, StripeFailure

log = structlog.get_logger(__name__)

_BATCH: Final = 20
# Without an intent no webhook will ever come: nobody else would notice.
_SOON_S: Final = 15.0


async def reconcile_purchases(rt: Runtime) -> int:
    """Look at the open purchases that are due, and answer how many that were.

    Due: not looked at for `reconcile_after_s`; for 15 s when Stripe's answer to the creation was
    never stored, or when the purchase's time is over. After: each was read from Stripe and
    settled; one whose time is over is ended, also when its account is lost. Stripe's other
    failures leave it for the next time."""
    now, patience_s = rt.clock(), rt.settings.reconcile_after_s
    due = await store.claim_due(
        now=now,
        soon=now - timedelta(seconds=min(_SOON_S, patience_s)),
        late=now - timedelta(seconds=patience_s),
        limit=_BATCH,
    )
    for purchase in due:
        try:
            await _reconcile(rt, purchase)
        except StripeFailure as failure:
            log.warning("reconcile_postponed", purchase=purchase.id, failure=repr(failure))
        except Exception:
            # One purchase that cannot be handled must not hide the others.
            log.exception("reconcile_failed", purchase=purchase.id)
    return len(due)


async def _reconcile(rt: Runtime, purchase: PurchaseRecord) -> None:
    over = rt.clock() >= purchase.expires_at
    settled = purchase
    if purchase.payment_intent_id is not None or not over:
        try:
            settled = await advance(rt, purchase)
        except AccountLost:
            await _note_lost_account(rt, purchase)
    if over and settled.status.is_open:
        settled = await end_unpaid(rt, settled)
    if settled.status is not purchase.status:
        log.info("reconciled", purchase=purchase.id, status=settled.status.value)


async def _note_lost_account(rt: Runtime, purchase: PurchaseRecord) -> None:
    """An unpaid purchase waits for its time. Of one that the bank is deciding on nobody will
    tell us: a person has to ask."""
    await refresh_connection_by_account(rt, purchase.stripe_account_id)
    if await store.flag_account_lost(purchase, now=rt.clock()):
        log.error("alert_account_lost", purchase=purchase.id, account=purchase.stripe_account_id)
