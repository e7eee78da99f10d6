"""Random commands, decided on plain values, against the reference."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.ledger.chain import first_hash
from gateway.ledger.commands import Adjust, Command, Expire, Grant, GrantSource, Issue, Spend
from gateway.ledger.decide import decide
from gateway.ledger.entries import Draft
from gateway.ledger.plan import Known, Plan, Wish, decide_all
from gateway.ledger.proof import StoredTransaction, StoredWallet, WalletProof
from gateway.ledger.state import WalletKind, WalletState
from tests.effort import examples
from tests.gateway.ledger.ground import BASIS, NOON
from tests.properties import reference

WALLET = WalletState("wal", "agy", WalletKind.CLIENT, 0, 0, 0, 0, 0, 0, ())

# (what, credits, bonus or days to live, hours that pass before)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["issue", "promo", "allowance", "spend", "up", "down", "expire"]),
        st.integers(1, 40),
        st.integers(0, 5),
        st.integers(0, 30),
    ),
    max_size=25,
)
Step = tuple[str, int, int, int]


@settings(max_examples=examples(300), deadline=None, database=None)
@given(debt=st.integers(0, 60), steps=STEPS)
def test_decisions_agree_with_the_reference(debt: int, steps: list[Step]) -> None:
    wallet, model, now = WALLET._replace(debt=debt), reference.Wallet(debt=debt), NOON
    numbers = count(1)
    for what, credits, extra, hours in steps:
        # A little more than whole hours, so that no two lots were made at the same instant.
        now += timedelta(hours=hours, microseconds=1)
        expires = now + timedelta(days=extra) if extra else None
        try:
            decision = decide(
                {"wal": wallet},
                _command(what, credits, extra, expires),
                now=now,
                new_id=lambda noun: f"{noun}_{next(numbers):08d}",
            )
        except Refusal:
            decision = None
        try:
            _imitate(model, what, credits, extra=extra, expires=expires, now=now)
            refused = False
        except reference.Refused:
            refused = True
        assert refused == (decision is None), (what, credits, expires)
        for draft in decision.drafts if decision else ():
            _check(wallet, draft)
            wallet = draft.after
        assert wallet.debt == model.debt
        assert wallet.version == model.changes
        if decision:
            assert wallet.available == model.available(now)
            assert [(lot.kind, lot.available, lot.expires_at) for lot in wallet.lots] == [
                (lot.kind, lot.left, lot.expires) for lot in model.in_order()
            ]


@settings(max_examples=examples(100), deadline=None, database=None)
@given(steps=STEPS)
def test_what_a_unit_of_work_writes_proves_itself(steps: list[Step]) -> None:
    wishes = [Wish(_command(what, n, extra), None, None) for what, n, extra, _ in steps]
    known = Known(wallets={"wal": WALLET}, heads={"wal": first_hash("wal")})
    plan = decide_all(wishes, known, now=NOON)
    proof = WalletProof("wal", WalletKind.CLIENT)
    for sealed in plan.sealed:
        draft = sealed.draft
        stored = StoredTransaction(
            sealed.facts,
            sealed.previous_hash,
            sealed.hash,
            draft.postings,
            draft.allocations,
            draft.new_lots,
        )
        assert proof.follow(stored) is None
    end = known.wallets["wal"]
    buckets = {name: getattr(end, name) for name in ("available", "held", "frozen", "reserved")}
    row = StoredWallet(
        "wal",
        WalletKind.CLIENT,
        {**buckets, "debt": end.debt},
        end.version,
        known.heads["wal"],
        end.next_expiry_at,
    )
    assert proof.close(row, [lot for _, lot in plan.lots.values()]) is None
    _check_answers(plan, wishes)


def _check(before: WalletState, draft: Draft) -> None:
    """Version by one; postings and allocations say the same, pair by pair."""
    assert draft.after.version == before.version + 1
    assert draft.credits == draft.after.available - before.available
    sums: dict[tuple[str, str], int] = {}
    for move in draft.allocations:
        way = (move.from_account, move.to_account)
        sums[way] = sums.get(way, 0) + move.credits
    assert sums == {(post.from_account, post.to_account): post.credits for post in draft.postings}


def _check_answers(plan: Plan, wishes: list[Wish]) -> None:
    assert len(plan.answers) == len(wishes)
    owners = [txn for answer in plan.answers if not isinstance(answer, Refusal)
              for txn in answer.transaction_ids]  # fmt: skip
    assert owners == [sealed.draft.id for sealed in plan.sealed]


def _command(what: str, credits: int, extra: int, expires: datetime | None = None) -> Command:
    """`extra` is the bonus of an issue, `expires` is for grants."""
    owner = {"agency_id": "agy", "wallet_id": "wal", "actor": "test"}
    bought = f"pur_{next(_purchases)}"
    commands: dict[str, Command] = {
        "issue": Issue(
            **owner,
            purchase_id=bought,
            credits=credits,
            bonus_credits=extra,
            basis=BASIS,
            expires_at=None,
        ),
        "spend": Spend(**owner, credits=credits),
        "up": Adjust(**owner, credits=credits, reason="x"),
        "down": Adjust(**owner, credits=-credits, reason="x"),
        "expire": Expire(**owner),
    }
    if what in commands:
        return commands[what]
    source = GrantSource.PROMO if what == "promo" else GrantSource.ALLOWANCE
    return Grant(**owner, credits=credits, source=source, reason="x", expires_at=expires)


_purchases = count(1)


def _imitate(
    model: reference.Wallet,
    what: str,
    credits: int,
    *,
    extra: int,
    expires: datetime | None,
    now: datetime,
) -> None:
    if what == "issue":
        lots = [reference.Lot("PURCHASED", credits, now)]
        if extra:
            lots.append(reference.Lot("BONUS", extra, now))
        model.add(*lots, now=now)
    elif what in ("promo", "allowance"):
        model.add(reference.Lot(what.upper(), credits, now, expires), now=now)
    elif what == "up":
        model.add(reference.Lot("ADJUSTMENT", credits, now), now=now)
    elif what == "expire":
        model.expire(now)
    else:
        if what == "spend" and model.debt:
            raise reference.Refused
        model.take(credits, now=now)
