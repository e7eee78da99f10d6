"""Failures of onboarding calls → refusals that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import PaymentUnavailable
from gateway.stripe_connect.errors import AccountLost, StripeFailure


@contextmanager
def stripe_can_refuse() -> Iterator[None]:
    """Turn what Stripe did not do into PaymentUnavailable. AccountLost passes: it is news about
    the connection and the caller's to judge."""
    try:
        yield
    except AccountLost:
        raise
    except StripeFailure as failure:
        raise PaymentUnavailable(
            "Stripe did not do this now. Nothing is lost; ask again in a moment."
        ) from failure
