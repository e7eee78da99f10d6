"""What an agency still has to do before its clients can buy, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.agencies.connection import ConnectionStatus, StripeConnection, stripe_connections
from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import rows
from gateway.ids import is_id
from gateway.pricing.floor import Terms
from gateway.pricing.terms import agency_terms
from gateway.runtime import Runtime


class ReadinessStep(StrEnum):
    """The steps, in the order in which they are taken."""

    PLAN = "PLAN"
    STRIPE = "STRIPE"
    PRICE = "PRICE"
    WALLETS = "WALLETS"


class StepState(StrEnum):
    """DONE, TODO (the fix can be done now), or BLOCKED (something else comes first)."""

    DONE = "DONE"
    TODO = "TODO"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class Readiness:
    """One step. fix: what to do, in a sentence; None when it is done."""

    step: ReadinessStep
    state: StepState
    fix: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the steps follow from. has_open_client: some client may buy as far as it goes by its
    own status and access."""

    plan: str
    white_label: bool
    connection: StripeConnection | None
    terms: Terms
    rebilling_enabled: bool
    has_open_client: bool


_FACTS: Final = """
    SELECT a.id, a.rebilling_enabled, p.name AS plan, p.white_label,
        EXISTS (SELECT 1 FROM sub_accounts s WHERE s.agency_id = a.id
                AND s.status = 'ACTIVE' AND s.wallet_access) AS has_open_client
    FROM agencies a JOIN plans p ON p.id = a.plan_id
"""


async def readiness(
    rt: Runtime, viewer: Viewer, agency_ids: Sequence[str]
) -> dict[str, tuple[Readiness, ...]]:
    """The steps of each of these agencies; nothing for a client's viewer."""
    if not viewer.sees_agency_side:
        return {}
    scope = visible(viewer, first=2, agency="a.id", sub_account=None)
    wanted = [id for id in agency_ids if is_id(id, "agency")]
    found = await rows(f"{_FACTS} WHERE a.id = ANY($1) AND {scope.sql}", wanted, *scope.values)
    terms = await agency_terms(rt, viewer, wanted)
    connections = await stripe_connections(rt, viewer, wanted)
    return {
        row["id"]: steps_of(
            Facts(
                plan=row["plan"],
                white_label=row["white_label"],
                connection=connections.get(row["id"]),
                terms=terms[row["id"]],
                rebilling_enabled=row["rebilling_enabled"],
                has_open_client=row["has_open_client"],
            )
        )
        for row in found
    }


def steps_of(facts: Facts) -> tuple[Readiness, ...]:
    """All four steps, in order. Pure."""
    plan, stripe, price = _plan(facts), _stripe(facts), _price(facts)
    ready = all(step.state is StepState.DONE for step in (plan, stripe, price))
    return plan, stripe, price, _wallets(facts, ready=ready)


def stripe_fix(connection: StripeConnection | None) -> str:
    """What an agency can do about a Stripe account that cannot take charges."""
    status = connection.status if connection else ConnectionStatus.NONE
    if connection and status is ConnectionStatus.RESTRICTED:
        due = ", ".join(connection.requirements_due) or connection.disabled_reason or "more details"
        return f"Stripe asks for {due}. Answer in Stripe's dashboard or start onboarding again."
    return {
        ConnectionStatus.NONE: "Connect a Stripe account: call startStripeOnboarding.",
        ConnectionStatus.ONBOARDING: "Finish Stripe's forms: call startStripeOnboarding again.",
        ConnectionStatus.DISCONNECTED: "Connect a Stripe account again: startStripeOnboarding.",
    }.get(status, "Read the account again: call refreshStripeConnection.")


def _plan(facts: Facts) -> Readiness:
    if facts.white_label:
        return _done(ReadinessStep.PLAN)
    return _todo(
        ReadinessStep.PLAN,
        f"The plan “{facts.plan}” has no white-label wallets. Ask the platform to change it.",
    )


def _stripe(facts: Facts) -> Readiness:
    if facts.connection and facts.connection.status is ConnectionStatus.ACTIVE:
        return _done(ReadinessStep.STRIPE)
    if not facts.white_label:
        return _blocked(ReadinessStep.STRIPE, "The plan comes first.")
    return _todo(ReadinessStep.STRIPE, stripe_fix(facts.connection))


def _price(facts: Facts) -> Readiness:
    terms = facts.terms
    if terms.floor is None:
        return _blocked(
            ReadinessStep.PRICE, "The platform has to set a wholesale price in this currency."
        )
    if terms.sellable:
        return _done(ReadinessStep.PRICE)
    found = "No price is set" if terms.retail is None else f"{terms.retail} is under the floor"
    return _todo(
        ReadinessStep.PRICE,
        f"{found}. Set a price per credit of at least {terms.floor} {terms.currency}: "
        "setCreditPrice.",
    )


def _wallets(facts: Facts, *, ready: bool) -> Readiness:
    if not ready:
        return _blocked(ReadinessStep.WALLETS, "Finish the steps before this one.")
    if not facts.rebilling_enabled:
        return _todo(ReadinessStep.WALLETS, "Switch the sale of credits on: enableRebilling.")
    if not facts.has_open_client:
        return _todo(
            ReadinessStep.WALLETS,
            "No client can buy: createSubAccount, or setWalletAccess for one that exists.",
        )
    return _done(ReadinessStep.WALLETS)


def _done(step: ReadinessStep) -> Readiness:
    return Readiness(step, StepState.DONE, None)


def _todo(step: ReadinessStep, fix: str) -> Readiness:
    return Readiness(step, StepState.TODO, fix)


def _blocked(step: ReadinessStep, fix: str) -> Readiness:
    return Readiness(step, StepState.BLOCKED, fix)
