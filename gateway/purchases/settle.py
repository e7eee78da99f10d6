"""The one place where what Stripe says becomes what a purchase is.

Every input ends here: the answer to our own call, a webhook, the reconciler, a client that asks.
Each brings a purchase and an intent that was read after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.crash_points import crash_point
from gateway.ledger.commands import Issue
from gateway.ledger.state import CostBasis
from gateway.purchases import store
from gateway.purchases.completion import CompletePurchase, Paid, SavedCard, SetAside
from gateway.purchases.decide import (
    differences,
    has_uncounted_failure,
    next_progress,
    progress_of,
)
from gateway.purchases.record import PurchaseRecord, PurchaseStatus
from gateway.runtime import Runtime
from gateway.stripe_connect.errors import UnexpectedState
from gateway.stripe_connect.values import Intent, IntentStatus

log = structlog.get_logger(__name__)

_READINGS: Final = 5
_PAYABLE: Final = frozenset(
    {
        IntentStatus.REQUIRES_PAYMENT_METHOD,
        IntentStatus.REQUIRES_CONFIRMATION,
        IntentStatus.REQUIRES_ACTION,
    }
)


async def settle(rt: Runtime, purchase: PurchaseRecord, intent: Intent) -> PurchaseRecord:
    """Bring `purchase` to where `intent` says it is. `intent` was read after `purchase`.

    After: a paid intent has issued its credits, exactly once, in the unit of work that completed
    the purchase, also when it had expired, failed or been canceled (flag LATE_SUCCESS). An intent
    that differs from the snapshot in amount, currency, fee, account or mode issues nothing and
    sets the purchase aside (QUARANTINED, logged as an alert). A final status is never left for
    an open one, and an ended purchase leaves no intent that could still be paid. Raises
    StripeFailure. See Stripe, "How PaymentIntents and SetupIntents work"."""
    for _ in range(_READINGS):
        settled = await _settle_once(rt, purchase, intent)
        if settled is not None:
            return settled
        # Somebody stored a newer reading: ours may be the older one, so both are read again.
        purchase = await store.load(purchase.id, agency_id=purchase.agency_id)
        intent = await rt.stripe.payment_intent(account=intent.account, id=intent.id)
    return await store.load(purchase.id, agency_id=purchase.agency_id)


async def cancel_intent(rt: Runtime, purchase: PurchaseRecord) -> PurchaseRecord:
    """End the unpaid intent of an open purchase and settle what came of it.

    A payment that wins the race is settled as a payment. Raises StripeFailure."""
    assert purchase.payment_intent_id is not None
    account, intent_id = purchase.stripe_account_id, purchase.payment_intent_id
    try:
        intent = await rt.stripe.cancel_payment_intent(account=account, id=intent_id)
    except UnexpectedState:
        intent = await rt.stripe.payment_intent(account=account, id=intent_id)
    return await settle(rt, purchase, intent)


async def _settle_once(
    rt: Runtime, purchase: PurchaseRecord, intent: Intent
) -> PurchaseRecord | None:
    if purchase.payment_intent_id not in (None, intent.id):
        log.error("alert_second_intent", purchase=purchase.id, intent=intent.id)
        return purchase
    if purchase.status is PurchaseStatus.COMPLETED:
        return await _fill_fee(rt, purchase, intent)
    found = differences(purchase, intent)
    if found or purchase.status is PurchaseStatus.QUARANTINED:
        return await _set_aside(rt, purchase, intent, found)
    if intent.status is IntentStatus.SUCCEEDED:
        return await _complete(rt, purchase, intent)
    return await _note_progress(rt, purchase, intent)


async def _set_aside(
    rt: Runtime, purchase: PurchaseRecord, intent: Intent, differs: list[str]
) -> PurchaseRecord | None:
    if purchase.status is PurchaseStatus.QUARANTINED:
        return purchase
    log.error("alert_quarantined", purchase=purchase.id, intent=intent.id, differs=differs)
    return await store.quarantine(purchase, intent_id=intent.id, now=rt.clock())


async def _note_progress(
    rt: Runtime, purchase: PurchaseRecord, intent: Intent
) -> PurchaseRecord | None:
    if not purchase.status.is_open:
        return await _end_leftover(rt, purchase, intent)
    allowed, now = rt.settings.purchase_attempts, rt.clock()
    failed = await _failed_charges(rt, purchase, intent)
    progress = next_progress(
        purchase, intent, failed_charges=failed, now=now, attempts_allowed=allowed
    )
    noted: PurchaseRecord | None = purchase
    if progress != progress_of(purchase):
        noted = await store.advance_row(purchase, progress, now=now)
    used_up = progress.attempts >= allowed and progress.status is PurchaseStatus.PENDING
    if noted is not None and used_up:
        return await cancel_intent(rt, noted)
    return noted


async def _end_leftover(
    rt: Runtime, purchase: PurchaseRecord, intent: Intent
) -> PurchaseRecord | None:
    # The purchase ended while the creation of this intent was not answered yet.
    if intent.status not in _PAYABLE:
        return purchase
    try:
        await rt.stripe.cancel_payment_intent(account=intent.account, id=intent.id)
    except UnexpectedState:
        return None
    return purchase


async def _failed_charges(rt: Runtime, purchase: PurchaseRecord, intent: Intent) -> list[str]:
    if not has_uncounted_failure(purchase, intent):
        return []
    return await rt.stripe.failed_charges(account=intent.account, payment_intent=intent.id)


async def _complete(rt: Runtime, purchase: PurchaseRecord, intent: Intent) -> PurchaseRecord | None:
    now = rt.clock()
    rider = CompletePurchase(_paid(purchase, intent, now), _card_to_keep(purchase, intent, now))
    try:
        await rt.book.post(_issue(purchase, now), rider=rider)
    except SetAside:
        return None
    crash_point("issue_committed")
    return await store.load(purchase.id, agency_id=purchase.agency_id)


def _issue(purchase: PurchaseRecord, now: datetime) -> Issue:
    return Issue(
        agency_id=purchase.agency_id,
        wallet_id=purchase.wallet_id,
        actor=purchase.actor,
        purchase_id=purchase.id,
        credits=purchase.credits,
        bonus_credits=purchase.bonus_credits,
        basis=CostBasis(purchase.currency, purchase.retail_unit, purchase.wholesale_unit),
        expires_at=_expiry(purchase, now),
    )


def _paid(purchase: PurchaseRecord, intent: Intent, now: datetime) -> Paid:
    charge = intent.charge
    assert charge is not None, "a paid intent has a charge"
    return Paid(
        agency_id=purchase.agency_id,
        purchase_id=purchase.id,
        payment_intent_id=intent.id,
        charge_id=charge.id,
        application_fee_id=charge.application_fee_id,
        balance_transaction_id=charge.balance_transaction_id,
        stripe_fee_minor=charge.stripe_fee_minor,
        receipt_url=charge.receipt_url,
        card_fingerprint=intent.card.fingerprint if intent.card else None,
        now=now,
    )


def _card_to_keep(purchase: PurchaseRecord, intent: Intent, now: datetime) -> SavedCard | None:
    # Stripe keeps a card for later only by attaching it to the customer.
    if not purchase.save_payment_method or intent.card is None or intent.card.customer is None:
        return None
    return SavedCard(
        agency_id=purchase.agency_id,
        sub_account_id=purchase.sub_account_id,
        stripe_account_id=purchase.stripe_account_id,
        livemode=purchase.livemode,
        card=intent.card,
        created_at=now,
    )


async def _fill_fee(rt: Runtime, purchase: PurchaseRecord, intent: Intent) -> PurchaseRecord:
    charge = intent.charge
    if purchase.stripe_fee_minor is not None or charge is None or charge.stripe_fee_minor is None:
        return purchase
    filled = await store.fill_fee(
        purchase,
        stripe_fee_minor=charge.stripe_fee_minor,
        balance_transaction_id=charge.balance_transaction_id,
        receipt_url=charge.receipt_url,
        now=rt.clock(),
    )
    return filled or purchase


def _expiry(purchase: PurchaseRecord, now: datetime) -> datetime | None:
    if purchase.validity_days is None:
        return None
    return now + timedelta(days=purchase.validity_days)
