"""The background work of a process: what Stripe sent, and what nobody told us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio
import structlog

from gateway.agencies.refresh import refresh_connection_by_account
from gateway.agencies.wholesale import tell_of_wholesale
from gateway.database import rows
from gateway.inbox.catch_up import fetch_missed_events
from gateway.inbox.subjects import Subject, SubjectKind
from gateway.inbox.worker import work_off_inbox
from gateway.ledger.commands import Expire
from gateway.purchases.card_setups import reconcile_card_setups
from gateway.purchases.daily_totals import compare_daily_totals
from gateway.purchases.reconcile import reconcile_purchases
from gateway.purchases.stripe_events import settle_detached, settle_payment, settle_setup
from gateway.runtime import Runtime

log = structlog.get_logger(__name__)

# Events stored by another process are not announced here; they are looked for.
_INBOX_PAUSE_S: Final = 0.5
_RECONCILE_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 30.0

_DUE_WALLETS: Final = """
    SELECT agency_id, id AS wallet_id FROM wallets
    WHERE next_expiry_at <= $1 ORDER BY next_expiry_at LIMIT 500
"""

Step = Callable[[], Awaitable[int]]
"""One round of work; answers how much there was."""


class Workers:
    """Safe to run in several processes at once: every round claims what it works on."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._arrived = asyncio.Event()

    def nudge(self) -> None:
        """An event was stored: look now. Never waits."""
        self._arrived.set()

    async def run(self) -> None:
        """Work until cancelled. A round that fails is logged and tried again, later each time."""
        rt = self._rt
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._repeat, "inbox", self._inbox, _INBOX_PAUSE_S, self._arrived)
            for name, step in (
                ("purchases", lambda: reconcile_purchases(rt)),
                ("card_setups", lambda: reconcile_card_setups(rt)),
                ("expiries", lambda: book_due_expiries(rt)),
                ("wholesale", lambda: tell_of_wholesale(rt)),
                ("daily_totals", lambda: compare_daily_totals(rt)),
                ("missed_events", self._missed_events),
            ):
                pause_s = min(_RECONCILE_PAUSE_S, rt.settings.reconcile_after_s)
                tasks.start_soon(self._repeat, name, step, pause_s, asyncio.Event())

    async def _inbox(self) -> int:
        return await work_off_inbox(self._rt.clock, self._settle)

    async def _missed_events(self) -> int:
        async def on_lost(account_id: str) -> None:
            await refresh_connection_by_account(self._rt, account_id)

        return await fetch_missed_events(self._rt.clock, self._rt.stripe, on_lost)

    async def _settle(self, subject: Subject) -> bool:
        rt, account_id, id = self._rt, subject.account_id, subject.id
        match subject.kind:
            case SubjectKind.PAYMENT:
                return await settle_payment(
                    rt, account_id=account_id, intent_id=id, metadata=subject.metadata
                )
            case SubjectKind.CARD_SETUP:
                return await settle_setup(rt, account_id=account_id, setup_intent_id=id)
            case SubjectKind.CARD:
                return await settle_detached(rt, account_id=account_id, payment_method=id)
            case SubjectKind.ACCOUNT:
                return await refresh_connection_by_account(rt, account_id)

    async def _repeat(self, name: str, step: Step, pause_s: float, nudged: asyncio.Event) -> None:
        wait_s = pause_s
        while True:
            nudged.clear()
            try:
                done = await step()
                wait_s = 0.0 if done else pause_s
            except Exception:
                log.exception("worker_round_failed", worker=name)
                wait_s = min(max(2 * wait_s, pause_s), _LONGEST_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await nudged.wait()


async def book_due_expiries(rt: Runtime) -> int:
    """Book the expiry of credits whose time has come, and answer in how many wallets. Balances
    do not wait for it: credits past their expiry never count. Raises ConflictRetry."""
    due = await rows(_DUE_WALLETS, rt.clock())
    await asyncio.gather(*(rt.book.post(Expire(actor="system", **wallet)) for wallet in due))
    return len(due)
