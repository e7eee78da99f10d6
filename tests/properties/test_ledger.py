"""Random histories of an agency through the real book on PostgreSQL, against the reference."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.database import close_database, open_database, rows
from gateway.errors import Refusal
from gateway.ledger.book import Book
from gateway.ledger.commands import Adjust, Command, Expire
from gateway.ledger.receipts import Receipt
from gateway.ledger.verify import verify
from tests.effort import examples
from tests.gateway.ledger.ground import NOON, lay_ground
from tests.properties import reference

T = TypeVar("T")
CLIENTS = st.integers(0, 1)
CREDITS = st.integers(1, 30)
POOL = 2


class Agency(RuleBasedStateMachine):
    """Two clients (0, 1) and the pool (2) of a fresh agency, and the same three in the model."""

    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.book = Book(clock=lambda: self.now)
        self.ground = self._run(lay_ground(clients=2))
        self.models = [reference.Wallet() for _ in range(3)]
        self.names = [*self.ground.wallets, self.ground.pool]
        self.issued: list[tuple[Command, Receipt]] = []

    @rule(wallet=CLIENTS, credits=CREDITS, days=st.integers(0, 3))
    def present(self, wallet: int, credits: int, days: int) -> None:
        now = self._tick()
        expires = now + timedelta(days=days) if days else None
        self._post(self.ground.grant(wallet, credits, expires_at=expires))
        self.models[wallet].add(reference.Lot("PROMO", credits, now, expires), now=now)

    @rule(wallet=CLIENTS, credits=CREDITS, bonus=st.integers(0, 5))
    def sell(self, wallet: int, credits: int, bonus: int) -> None:
        now = self._tick()
        bonus = min(bonus, credits)  # more would be sold under the floor
        purchase = self._run(self.ground.purchase(wallet, credits, bonus=bonus))
        command = self.ground.issue(wallet, purchase, credits, bonus=bonus)
        receipt = self._post(command)
        assert receipt
        self._run(_complete(purchase))
        lots = [reference.Lot("PURCHASED", credits, now)]
        if bonus:
            lots.append(reference.Lot("BONUS", bonus, now))
        self.models[wallet].add(*lots, now=now)
        self.issued.append((command, receipt))

    @rule(data=st.data())
    def sell_the_same_again(self, data: st.DataObject) -> None:
        if self.issued:
            command, first = data.draw(st.sampled_from(self.issued))
            again = self._post(command)
            assert again == replace(first, replayed=True)

    @rule(credits=CREDITS)
    def fund(self, credits: int) -> None:
        now = self._tick()
        self._post(self.ground.fund(credits))
        self.models[POOL].add(reference.Lot("POOL_GRANT", credits, now), now=now)

    @rule(wallet=CLIENTS, credits=CREDITS)
    def give_from_the_pool(self, wallet: int, credits: int) -> None:
        now = self._tick()
        receipt = self._post(self.ground.pool_grant(wallet, credits))
        try:
            self.models[POOL].take(credits, now=now)
        except reference.Refused:
            assert receipt is None
            return
        assert receipt is not None
        self.models[wallet].add(reference.Lot("POOL_GRANT", credits, now), now=now)

    @rule(wallet=CLIENTS, credits=st.lists(CREDITS, min_size=1, max_size=6))
    def spend_at_once(self, wallet: int, credits: list[int]) -> None:
        now = self._tick()
        commands = [self.ground.spend(wallet, part) for part in credits]
        for part, receipt in zip(credits, self._post_all(commands), strict=True):
            self._expect(wallet, part, now, accepted=receipt is not None)

    @rule(wallet=CLIENTS, credits=CREDITS)
    def spend_twice_with_one_key(self, wallet: int, credits: int) -> None:
        now = self._tick()
        key = self.ground.key(f"{now.isoformat()} {wallet}")
        command = self.ground.spend(wallet, credits)
        first = self._post(command, key=key)
        if first is not None:
            assert self._post(command, key=key) == replace(first, replayed=True)
        self._expect(wallet, credits, now, accepted=first is not None)

    @rule(wallet=CLIENTS, credits=st.integers(-30, 30).filter(bool))
    def adjust(self, wallet: int, credits: int) -> None:
        now = self._tick()
        command = Adjust(**self._owner(wallet), credits=credits, reason="counted again")
        receipt = self._post(command)
        if credits < 0:
            self._expect(wallet, -credits, now, accepted=receipt is not None)
        else:
            self.models[wallet].add(reference.Lot("ADJUSTMENT", credits, now), now=now)

    @rule(wallet=CLIENTS)
    def sweep(self, wallet: int) -> None:
        self.models[wallet].expire(self._tick())
        assert self._post(Expire(**self._owner(wallet)))

    @rule(hours=st.integers(1, 60))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def the_database_says_what_the_reference_says(self) -> None:
        wallets, lots = self._run(_stored(self.names))
        for name, model in zip(self.names, self.models, strict=True):
            expected = [(lot.kind, lot.left, lot.expires) for lot in model.in_order()]
            assert lots.get(name, []) == expected
            stored = wallets[name]
            assert stored["available"] == sum(left for _, left, _ in expected)
            assert stored["version"] == model.changes
            assert stored["debt"] == 0

    def teardown(self) -> None:
        self._run(self.book.close())

    def _tick(self) -> datetime:
        # No two lots of the same instant: their order would be that of their random ids.
        self.now += timedelta(microseconds=1)
        return self.now

    def _expect(self, wallet: int, credits: int, now: datetime, *, accepted: bool) -> None:
        before = deepcopy(self.models[wallet])
        try:
            self.models[wallet].take(credits, now=now)
        except reference.Refused:
            self.models[wallet] = before
            assert not accepted
        else:
            assert accepted

    def _owner(self, wallet: int) -> dict[str, str]:
        return {
            "agency_id": self.ground.agency_id,
            "wallet_id": self.names[wallet],
            "actor": "test",
        }

    def _post(self, command: Command, *, key: Any = None) -> Receipt | None:
        return self._post_all([command], key=key)[0]

    def _post_all(self, commands: Sequence[Command], *, key: Any = None) -> list[Receipt | None]:
        async def post(command: Command) -> Receipt | None:
            try:
                return await self.book.post(command, idempotency=key)
            except Refusal:
                return None

        async def together() -> list[Receipt | None]:
            return list(await asyncio.gather(*(post(command) for command in commands)))

        return self._run(together())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


async def _complete(purchase_id: str) -> None:
    await rows(
        "UPDATE purchases SET status = 'COMPLETED', completed_at = $2 WHERE id = $1",
        *(purchase_id, NOON),
    )


async def _stored(names: list[str]) -> tuple[dict[str, Any], dict[str, list[tuple[Any, ...]]]]:
    wallets = await rows("SELECT * FROM wallets WHERE id = ANY($1)", names)
    lots: dict[str, list[tuple[Any, ...]]] = {}
    for lot in await rows(
        "SELECT * FROM ledger_lots WHERE wallet_id = ANY($1) AND open ORDER BY array_position("
        "'{ALLOWANCE,PROMO,BONUS,POOL_GRANT,PURCHASED,ADJUSTMENT}'::text[], kind::text), "
        "expires_at NULLS LAST, effective_at",
        names,
    ):
        lots.setdefault(lot["wallet_id"], []).append(
            (lot["kind"], lot["available"], lot["expires_at"])
        )
    return {wallet["id"]: wallet for wallet in wallets}, lots


def test_random_histories_agree_with_the_reference(database_url: str) -> None:
    with asyncio.Runner() as runner:
        runner.run(open_database(database_url))
        Agency.runner = runner
        try:
            run_state_machine_as_test(
                Agency,
                settings=settings(
                    max_examples=examples(40),
                    stateful_step_count=25,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
            assert runner.run(verify()) == []
        finally:
            runner.run(close_database())
