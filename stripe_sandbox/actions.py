"""What happens outside the API: a person on a page, a bank, the dashboard, time.

Tests and pages cause these; each one is committed and its events are sent when it returns. All
raise ApiError when the object is unknown or not in a state where this can happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stripe_sandbox import (
    accounts,
    disputes,
    payments,
    refunds,
    setup_intents,
    timers,
    webhook_endpoints,
)
from stripe_sandbox.errors import ApiError, Json, missing
from stripe_sandbox.events import emit
from stripe_sandbox.state import State, public
from stripe_sandbox.storage import PLATFORM

_ALL_EVENTS: Final = ["*"]


@dataclass
class Actions:
    """The world around one sandbox."""

    state: State

    def create_account(
        self,
        *,
        id: str | None = None,
        country: str = "US",
        currency: str | None = None,
        charges_enabled: bool = True,
    ) -> Json:
        """A connected account, onboarded unless told otherwise; an id that exists is reused."""
        if id is not None and self.state.store.get(PLATFORM, "account", id):
            record = accounts.connected(self.state, id)
        else:
            record = accounts.add(self.state, account_id=id, country=country, currency=currency)
        if record["charges_enabled"] != charges_enabled:
            accounts.set_ready(self.state, record["id"], ready=charges_enabled)
        return self._done(record)

    def set_ready(self, account: str, *, ready: bool) -> Json:
        """Finish the onboarding of an account, or restrict it."""
        return self._done(accounts.set_ready(self.state, account, ready=ready))

    def deauthorize(self, account: str) -> Json:
        """The account's owner disconnects the platform in the dashboard."""
        return self._done(accounts.set_connected(self.state, account, connected=False))

    def set_webhook(
        self,
        *,
        url: str,
        secret: str,
        connect: bool,
        enabled_events: list[str] | None = None,
    ) -> Json:
        """A webhook endpoint with a given secret; the one of the same address is replaced."""
        for endpoint in list(self.state.store.rows(PLATFORM, "webhook_endpoint")):
            if endpoint["url"] == url and endpoint["_connect"] == connect:
                self.state.store.drop(PLATFORM, "webhook_endpoint", endpoint["id"])
        record = webhook_endpoints.add(
            self.state, url=url, secret=secret, connect=connect,
            enabled_events=enabled_events or _ALL_EVENTS,
        )  # fmt: skip
        return self._done(record)

    def open_dispute(self, charge: str, *, reason: str = "fraudulent") -> Json:
        """The bank disputes a charge. reason "inquiry": it only asks."""
        account, record = self._find(charge, "charge")
        return self._done(disputes.open_dispute(self.state, account, record, reason=reason))

    def escalate_dispute(self, dispute: str) -> Json:
        """An inquiry becomes a chargeback."""
        account, record = self._find(dispute, "dispute")
        return self._done(disputes.escalate(self.state, account, record))

    def close_dispute(self, dispute: str, *, outcome: str) -> Json:
        """The bank decides: won, lost or warning_closed."""
        account, record = self._find(dispute, "dispute")
        return self._done(disputes.end(self.state, account, record, outcome=outcome))

    def finish_payment(self, intent: str, *, succeeds: bool = True) -> Json:
        """A processing payment ends."""
        account, record = self._find(intent, "payment_intent")
        payments.finish(self.state, account, record, succeeds=succeeds)
        return self._done(record)

    def refund_in_dashboard(
        self, charge: str, *, amount_minor: int | None = None, with_fee: bool = False
    ) -> Json:
        """The account's owner refunds a charge in the dashboard; all that is left when None."""
        account, record = self._find(charge, "charge")
        refund = refunds.make(
            self.state, account, record, amount_minor=amount_minor, with_fee=with_fee
        )
        return self._done(refund)

    def finish_refund(self, refund: str, *, succeeds: bool) -> Json:
        """A pending refund arrives; or any refund fails late."""
        account, record = self._find(refund, "refund")
        if succeeds:
            refunds.finish(self.state, account, record)
        else:
            refunds.fail(self.state, account, record)
        return self._done(record)

    def answer_3ds(self, intent: str, *, approved: bool) -> Json:
        """The person approves or fails 3-D Secure of a payment or a setup."""
        if intent.startswith("seti_"):
            account, record = self._find(intent, "setup_intent")
            setup_intents.answer_3ds(self.state, account, record, approved=approved)
        else:
            account, record = self._find(intent, "payment_intent")
            payments.answer_3ds(self.state, account, record, approved=approved)
        return self._done(record)

    def advance_clock(self, *, seconds: float) -> float:
        """Move the sandbox's clock ahead; timers that become due are run. Returns the time."""
        self.state.store.meta["clock_ahead_s"] += seconds
        self.run_timers()
        return self.state.clock()

    def emit(self, account: str, event_type: str, object_id: str) -> Json:
        """Send an event about an object that exists, as Stripe may do late or twice."""
        home, record = self._find(object_id)
        return self._done(emit(self.state, account or home, event_type, record))

    def run_timers(self) -> None:
        """Do what has become due."""
        for timer in timers.due(self.state):
            try:
                self._run(timer)
            except ApiError:
                continue  # decided by hand meanwhile
        self.state.commit()

    def _run(self, timer: Json) -> None:
        subject = timer["subject"]
        if timer["action"] == "finish_payment":
            account, record = self._find(subject, "payment_intent")
            method = self.state.load(account, "payment_method", record["payment_method"])
            succeeds = method["_token"] == "pm_usBankAccount_success"  # noqa: S105 - a test token
            payments.finish(self.state, account, record, succeeds=succeeds)
        else:
            self.finish_refund(subject, succeeds=timer["action"] == "finish_refund")

    def _find(self, object_id: str, kind: str | None = None) -> tuple[str, Json]:
        found = self.state.store.find(object_id)
        if found is None or kind not in (None, found[1]["object"]):
            raise missing(kind or "object", object_id)
        return found

    def _done(self, record: Json) -> Json:
        self.state.commit()
        return public(record)
