"""Failures on request: what goes wrong, for which requests or events, how often.

Everything is counted and drawn from a seeded generator, so that a failing test fails again.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from itertools import count as counter
from typing import Final

from stripe_sandbox.errors import ApiError, Json

REQUEST_KINDS: Final = {
    "status_before": "answer `status` and execute nothing",
    "error_after_success": "execute, then answer 500, for ever for that idempotency key",
    "cut_before": "close the connection and execute nothing",
    "cut_after_success": "execute, then close the connection without an answer",
    "delay_before": "wait `seconds`, then execute; the idempotency key is in use meanwhile",
    "delay_after": "execute, then wait `seconds` before answering",
    "cut_body": "execute, then close the connection in the middle of the answer",
    "garbage_body": "execute, then answer 200 with HTML instead of JSON",
    "stall_body": "execute, send half of the answer and wait `seconds`",
}
WEBHOOK_KINDS: Final = {
    "drop": "never send it",
    "duplicate": "send it twice at once",
    "hold": "keep it until `release`",
    "delay": "send it after `seconds`",
    "bad_signature": "sign the first attempt with another secret",
    "old_timestamp": "sign the first attempt an hour ago",
}


@dataclass
class Fault:
    """One rule. match: a regular expression for the path (searched) or the event type.
    count: how often it strikes, None for always. skip: how many matches it lets pass first."""

    id: int
    kind: str
    match: str
    method: str | None = None
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    status: int = 500
    should_retry: bool | None = None
    seconds: float = 0.0
    seed: int = 0
    struck: int = 0
    _random: random.Random = field(default_factory=random.Random, repr=False)

    def strikes(self, subject: str, method: str | None) -> bool:
        """Whether it hits this request or event; counts it when it does."""
        if self.method not in (None, method) or not re.search(self.match, subject):
            return False
        if self.count is not None and self.struck >= self.count:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self._random.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def facts(self) -> Json:
        """The rule as plain JSON."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Faults:
    """The rules in force, in the order they were added; all that match strike together."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._ids = counter(1)

    def add(
        self,
        kind: str,
        match: str = "",
        *,
        method: str | None = None,
        count: int | None = 1,
        skip: int = 0,
        probability: float = 1.0,
        status: int = 500,
        should_retry: bool | None = None,
        seconds: float = 0.0,
        seed: int = 0,
    ) -> Fault:
        """Add a rule. kind: one of REQUEST_KINDS or WEBHOOK_KINDS. should_retry: the value of the
        Stripe-Should-Retry header of `status_before`. Raises ValueError for an unknown kind or
        a bad pattern."""
        if kind not in REQUEST_KINDS and kind not in WEBHOOK_KINDS:
            raise ValueError(f"unknown fault: {kind}")
        try:
            re.compile(match)
        except re.error as error:
            raise ValueError(f"not a regular expression: {match}") from error
        fault = Fault(
            next(self._ids), kind, match, method, count, skip, probability, status, should_retry,
            seconds, seed, 0, random.Random(seed),  # noqa: S311 - repeatable, not secret
        )  # fmt: skip
        self._rules.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> None:
        """Remove one rule, or all."""
        self._rules = [rule for rule in self._rules if fault_id not in (None, rule.id)]

    def rules(self) -> list[Json]:
        """All rules with how often each struck."""
        return [rule.facts() for rule in self._rules]

    def take_request(self, method: str, path: str) -> dict[str, Fault]:
        """The faults that hit this request, by kind."""
        return {
            rule.kind: rule
            for rule in self._rules
            if rule.kind in REQUEST_KINDS and rule.strikes(path, method)
        }

    def take_webhook(self, event_type: str) -> list[Fault]:
        """The faults that hit the deliveries of this event."""
        return [
            rule
            for rule in self._rules
            if rule.kind in WEBHOOK_KINDS and rule.strikes(event_type, None)
        ]


def refusal(fault: Fault) -> ApiError:
    """The answer of a `status_before` fault."""
    if fault.status == 429:
        return ApiError(429, "Too many requests hit the API too quickly.", code="rate_limit")
    if fault.status == 409:
        return ApiError(409, "The object is locked by another request.", code="lock_timeout")
    return ApiError(fault.status, "An unexpected error occurred.", kind="api_error")
