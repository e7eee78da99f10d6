"""One unit of work, decided: commands in, answers and rows to be stored out. No waiting here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from gateway.errors import IdempotencyConflict, InProgress, InvalidState, NotFound, Refusal
from gateway.ids import new_id
from gateway.ledger.chain import Facts, next_hash
from gateway.ledger.commands import Command, Issue
from gateway.ledger.decide import decide
from gateway.ledger.entries import Draft
from gateway.ledger.receipts import Idempotency, KeyName, Receipt, Rider
from gateway.ledger.state import LotState, WalletState


class Wish(NamedTuple):
    """A command as it was posted."""

    command: Command
    idempotency: Idempotency | None
    rider: Rider | None


class KnownKey(NamedTuple):
    """An idempotency key that is taken; receipt None: its first request has not ended."""

    request_hash: bytes
    receipt: Receipt | None


class Sealed(NamedTuple):
    """A draft with its place in the chain."""

    draft: Draft
    facts: Facts
    previous_hash: bytes
    hash: bytes


Answer = Receipt | Refusal


@dataclass(slots=True)
class Known:
    """What the database said about the wishes of one unit of work, under the wallets' locks.

    issues: the answers of issues by (agency_id, purchase_id)."""

    wallets: dict[str, WalletState]
    heads: dict[str, bytes]
    keys: dict[KeyName, KnownKey] = field(default_factory=dict)
    issues: dict[tuple[str, str], Receipt] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """answers: one for each wish, in order. The rest is what to store."""

    answers: list[Answer] = field(default_factory=list)
    sealed: list[Sealed] = field(default_factory=list)
    lots: dict[str, tuple[Draft, LotState]] = field(default_factory=dict)
    keys: list[tuple[Idempotency, Receipt]] = field(default_factory=list)
    riders: list[tuple[Rider, Receipt]] = field(default_factory=list)


def decide_all(wishes: Sequence[Wish], known: Known, *, now: datetime) -> Plan:
    """Decide each wish on what the ones before it left. A refused one leaves nothing."""
    plan = Plan()
    for wish in wishes:
        try:
            answer: Answer = _earlier_answer(wish, known) or _accept(wish, known, plan, now)
        except Refusal as refusal:
            answer = refusal
        plan.answers.append(answer)
    return plan


def _earlier_answer(wish: Wish, known: Known) -> Receipt | None:
    if wish.idempotency and (taken := known.keys.get(wish.idempotency.name)):
        if taken.request_hash != wish.idempotency.request_hash:
            raise IdempotencyConflict
        if taken.receipt is None:
            raise InProgress
        return taken.receipt.again()
    command = wish.command
    if isinstance(command, Issue):
        issued = known.issues.get((command.agency_id, command.purchase_id))
        if issued is not None and issued.wallet_id != command.wallet_id:
            raise InvalidState("The purchase's credits were issued to another wallet.")
        return issued and issued.again()
    return None


def _accept(wish: Wish, known: Known, plan: Plan, now: datetime) -> Receipt:
    command = wish.command
    wallets = _named(command, known.wallets)
    decision = decide(wallets, command, now=now, new_id=new_id)
    for draft in decision.drafts:
        known.wallets[draft.after.id] = draft.after
        plan.sealed.append(_seal(draft, known.heads))
        plan.lots.update((lot.id, (draft, lot)) for lot in draft.lots_after)
    receipt = Receipt.of(decision.own) if decision.own else _unchanged(wallets[command.wallet_id])
    if isinstance(command, Issue):
        known.issues[command.agency_id, command.purchase_id] = receipt
    if wish.idempotency:
        taken = KnownKey(wish.idempotency.request_hash, receipt)
        known.keys[wish.idempotency.name] = taken
        plan.keys.append((wish.idempotency, receipt))
    if wish.rider:
        plan.riders.append((wish.rider, receipt))
    return receipt


def _named(command: Command, wallets: Mapping[str, WalletState]) -> dict[str, WalletState]:
    """The command's wallets; one of another agency is as unknown as one that is not there."""
    named = {}
    for wallet_id in command.wallet_ids():
        wallet = wallets.get(wallet_id)
        if wallet is None or wallet.agency_id != command.agency_id:
            raise NotFound("wallet")
        named[wallet_id] = wallet
    return named


def _seal(draft: Draft, heads: dict[str, bytes]) -> Sealed:
    after, previous = draft.after, heads[draft.after.id]
    facts = Facts(
        draft.id,
        after.agency_id,
        after.id,
        after.version,
        draft.kind,
        draft.credits,
        after.available,
        after.held,
        after.frozen,
        after.reserved,
        after.debt,
        draft.note.cause_kind,
        draft.note.cause_id,
        draft.note.actor,
        draft.note.reference,
        draft.note.reason,
        draft.created_at,
    )
    head = next_hash(
        previous,
        facts,
        postings=draft.postings,
        allocations=draft.allocations,
        new_lots=draft.new_lots,
    )
    heads[after.id] = head
    return Sealed(draft, facts, previous, head)


def _unchanged(wallet: WalletState) -> Receipt:
    return Receipt(
        transaction_ids=(),
        wallet_id=wallet.id,
        version=wallet.version,
        available=wallet.available,
        held=wallet.held,
        frozen=wallet.frozen,
        reserved=wallet.reserved,
        debt=wallet.debt,
        credits=0,
    )
