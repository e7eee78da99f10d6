"""Decisions on plain values, without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest

from gateway.errors import DebtOutstanding, InsufficientCredits, InvalidInput, InvalidState
from gateway.ledger.commands import (
    Adjust,
    Command,
    Expire,
    FundPool,
    Grant,
    GrantSource,
    Issue,
    Spend,
)
from gateway.ledger.decide import Decision, decide
from gateway.ledger.entries import Posting
from gateway.ledger.state import LotKind, WalletKind, WalletState
from gateway.money import MAX_CREDITS
from tests.gateway.ledger.ground import BASIS, NOON

CLIENT = WalletState("wal_client", "agy", WalletKind.CLIENT, 0, 0, 0, 0, 0, 0, ())
POOL = WalletState("wal_pool", "agy", WalletKind.POOL, 0, 0, 0, 0, 0, 0, ())
DAY = timedelta(days=1)


def issue(credits: int, *, bonus: int = 0, expires_at: datetime | None = None) -> Issue:
    return Issue(
        **_client(), purchase_id="pur_1", credits=credits, bonus_credits=bonus, basis=BASIS,
        expires_at=expires_at,
    )  # fmt: skip


def promo(credits: int, *, expires_at: datetime | None = None) -> Grant:
    return Grant(
        **_client(), credits=credits, source=GrantSource.PROMO, reason="x", expires_at=expires_at
    )


def spend(credits: int) -> Spend:
    return Spend(**_client(), credits=credits)


def adjust(credits: int, reason: str = "a mistake") -> Adjust:
    return Adjust(**_client(), credits=credits, reason=reason)


def _client() -> dict[str, str]:
    return {"agency_id": "agy", "wallet_id": "wal_client", "actor": "test"}


def one(wallet: WalletState, command: Command, *, now: datetime = NOON) -> WalletState:
    """The client's wallet after one command."""
    drafts = _decide(wallet, command, now).drafts
    return drafts[-1].after if drafts else wallet


def _decide(wallet: WalletState, command: Command, now: datetime = NOON) -> Decision:
    wallets = {wallet.id: wallet, POOL.id: POOL}
    return decide(wallets, command, now=now, new_id=_numbered())


def _numbered() -> Callable[[str], str]:
    numbers = next(_books)
    turn = count(1)
    return lambda noun: f"{noun}_{numbers:04d}_{next(turn)}"


_books = count(1)


def test_an_issue_makes_a_paid_lot_and_a_bonus_lot() -> None:
    (draft,) = _decide(CLIENT, issue(1000, bonus=150)).own
    assert draft.credits == 1150
    assert set(draft.postings) == {
        Posting("issued_paid", "available", 1000),
        Posting("issued_free", "available", 150),
    }
    assert [(lot.kind, lot.available, lot.purchase_id) for lot in draft.after.lots] == [
        (LotKind.BONUS, 150, "pur_1"),
        (LotKind.PURCHASED, 1000, "pur_1"),
    ]
    assert draft.after.version == 1


def test_new_credits_pay_debt_first_in_the_same_transaction() -> None:
    owing = CLIENT._replace(debt=60, version=7)
    (draft,) = _decide(owing, issue(100)).own
    assert (draft.after.available, draft.after.debt, draft.after.version) == (40, 0, 8)
    assert draft.credits == 40
    assert draft.postings == (
        Posting("issued_paid", "debt", 60),
        Posting("issued_paid", "available", 40),
    )


def test_a_bonus_pays_debt_before_the_paid_credits_do() -> None:
    after = one(CLIENT._replace(debt=25), issue(100, bonus=20))
    assert [(lot.kind, lot.available) for lot in after.lots] == [(LotKind.PURCHASED, 95)]


def test_credits_that_do_not_cover_the_debt_leave_the_rest_owed() -> None:
    after = one(CLIENT._replace(debt=60), promo(25))
    assert (after.available, after.debt, after.lots) == (0, 35, ())


def test_spending_in_debt_is_refused() -> None:
    with pytest.raises(DebtOutstanding) as refused:
        one(CLIENT._replace(debt=60), spend(1))
    assert refused.value.debt == 60


def test_credits_burn_by_kind_then_soonest_expiry_then_oldest() -> None:
    wallet = one(CLIENT, issue(5, bonus=5))
    wallet = one(wallet, adjust(5))
    wallet = one(wallet, promo(5))
    wallet = one(wallet, promo(5, expires_at=NOON + 9 * DAY))
    wallet = one(wallet, promo(5, expires_at=NOON + 2 * DAY))
    wallet = one(wallet, promo(5), now=NOON - DAY)
    burnt = []
    for _ in range(7):
        burnt.append((wallet.lots[0].kind, wallet.lots[0].expires_at, wallet.lots[0].effective_at))
        wallet = one(wallet, spend(5))
    assert burnt == [
        (LotKind.PROMO, NOON + 2 * DAY, NOON),
        (LotKind.PROMO, NOON + 9 * DAY, NOON),
        (LotKind.PROMO, None, NOON - DAY),
        (LotKind.PROMO, None, NOON),
        (LotKind.BONUS, None, NOON),
        (LotKind.PURCHASED, None, NOON),
        (LotKind.ADJUSTMENT, None, NOON),
    ]
    assert (wallet.available, wallet.lots) == (0, ())


def test_a_spend_over_two_lots_names_both() -> None:
    wallet = one(CLIENT, issue(100, bonus=20))
    (draft,) = _decide(wallet, spend(50)).own
    assert [(move.lot_id, move.credits) for move in draft.allocations] == [
        (wallet.lots[0].id, 20),
        (wallet.lots[1].id, 30),
    ]
    assert draft.postings == (Posting("available", "consumed", 50),)


def test_what_has_expired_is_booked_at_its_instant_before_the_spend() -> None:
    wallet = one(CLIENT, promo(10, expires_at=NOON + DAY))
    wallet = one(wallet, promo(7, expires_at=NOON + 2 * DAY))
    wallet = one(wallet, promo(3))
    decision = _decide(wallet, spend(2), NOON + 5 * DAY)
    assert [(draft.kind, draft.credits, draft.created_at) for draft in decision.drafts] == [
        ("EXPIRE", -10, NOON + DAY),
        ("EXPIRE", -7, NOON + 2 * DAY),
        ("SPEND", -2, NOON + 5 * DAY),
    ]
    assert [draft.after.version for draft in decision.drafts] == [4, 5, 6]
    assert [draft.kind for draft in decision.own] == ["SPEND"]


def test_expired_credits_are_not_there_even_at_the_very_instant() -> None:
    wallet = one(CLIENT, promo(10, expires_at=NOON + DAY))
    assert one(wallet, spend(10), now=NOON + DAY - timedelta(microseconds=1)).available == 0
    with pytest.raises(InsufficientCredits) as refused:
        one(wallet, spend(1), now=NOON + DAY)
    assert (refused.value.available, refused.value.shortfall) == (0, 1)


def test_credits_that_are_held_expire_only_when_they_come_back() -> None:
    wallet = one(CLIENT, promo(10, expires_at=NOON + DAY))
    lot = wallet.lots[0]._replace(available=4, held=6)
    after = one(wallet._replace(available=4, held=6, lots=(lot,)), Expire(**_client()),
                now=NOON + DAY)  # fmt: skip
    assert (after.available, after.held, after.next_expiry_at) == (0, 6, None)


def test_nothing_due_is_no_transaction() -> None:
    wallet = one(CLIENT, promo(10, expires_at=NOON + DAY))
    assert wallet.next_expiry_at == NOON + DAY
    assert _decide(wallet, Expire(**_client())) == Decision((), ())


def test_a_grant_from_the_pool_moves_and_both_sides_name_each_other() -> None:
    fund = FundPool(agency_id="agy", wallet_id="wal_pool", actor="test", credits=30, reason="x")
    pool = _decide(CLIENT, fund).own[0].after
    grant = replace(promo(20), source=GrantSource.POOL, pool_wallet_id="wal_pool")
    wallets = {CLIENT.id: CLIENT, pool.id: pool}
    given, taken = decide(wallets, grant, now=NOON, new_id=_numbered()).own
    assert (given.kind, given.after.available) == ("GRANT", 20)
    assert (taken.kind, taken.after.available) == ("POOL_OUT", 10)
    assert (given.note.cause_id, taken.note.cause_id) == (taken.id, given.id)
    assert given.after.lots[0].kind is LotKind.POOL_GRANT
    with pytest.raises(InsufficientCredits):
        decide(wallets, replace(grant, credits=31), now=NOON, new_id=_numbered())


def test_a_pool_takes_no_client_commands_and_a_client_no_pool_commands() -> None:
    on_pool = {"agency_id": "agy", "wallet_id": "wal_pool", "actor": "test"}
    with pytest.raises(InvalidState):
        _decide(CLIENT, Spend(**on_pool, credits=1))
    with pytest.raises(InvalidState):
        _decide(CLIENT, Adjust(**on_pool, credits=1, reason="x"))
    with pytest.raises(InvalidState):
        _decide(CLIENT, FundPool(**_client(), credits=1, reason="x"))
    with pytest.raises(InvalidState):
        _decide(
            CLIENT,
            replace(promo(1), source=GrantSource.POOL, pool_wallet_id="wal_client"),
        )


def test_an_adjustment_goes_both_ways_and_never_below_zero() -> None:
    up = one(CLIENT, adjust(10))
    assert up.lots[0].kind is LotKind.ADJUSTMENT
    assert one(up, adjust(-4)).available == 6
    with pytest.raises(InsufficientCredits):
        one(up, adjust(-11))
    with pytest.raises(InvalidInput):
        one(up, adjust(1, reason=" "))


@pytest.mark.parametrize("credits", [0, -1, MAX_CREDITS + 1])
def test_credits_out_of_range_are_refused(credits: int) -> None:
    for command in (spend(credits), promo(credits), issue(credits)):
        with pytest.raises(InvalidInput):
            one(CLIENT, command)
    with pytest.raises(InvalidInput):
        one(CLIENT, adjust(0))


def test_a_wallet_stays_exact_in_json() -> None:
    full = one(CLIENT, promo(MAX_CREDITS))
    assert full.available == MAX_CREDITS
    with pytest.raises(InvalidInput):
        one(full, promo(1))


def test_credits_must_expire_in_the_future() -> None:
    with pytest.raises(InvalidInput):
        one(CLIENT, promo(1, expires_at=NOON))


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        one(CLIENT, adjust(1, reason=text))
