"""The things of which a process has one, handed to every business function that needs them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.clock import Clock
from gateway.ledger.book import Book
from gateway.live.bus import Bus
from gateway.settings import Settings
from gateway.stripe_connect.client import StripeConnect


@dataclass(frozen=True, slots=True)
class Runtime:
    """Made once by `gateway.app`, closed when the process stops."""

    settings: Settings
    clock: Clock
    book: Book
    stripe: StripeConnect
    bus: Bus
