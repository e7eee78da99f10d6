"""An agency with a pool, clients with wallets, purchases to issue: what the ledger stands on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from gateway.database import Row, row, rows, transaction
from gateway.ids import new_id
from gateway.ledger.commands import FundPool, Grant, GrantSource, Issue, Spend
from gateway.ledger.receipts import Idempotency
from gateway.ledger.state import CostBasis, WalletKind
from gateway.ledger.wallets import open_wallet

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
BASIS = CostBasis("USD", Decimal("0.25"), Decimal("0.12"))
BUCKETS = ("available", "held", "frozen", "reserved", "debt")


@dataclass
class Ground:
    """One agency: `pool` and the clients' `wallets`."""

    agency_id: str
    pool: str
    wallets: list[str]

    def grant(self, wallet: int, credits: int, *, expires_at: datetime | None = None) -> Grant:
        return Grant(
            agency_id=self.agency_id,
            wallet_id=self.wallets[wallet],
            actor="test",
            credits=credits,
            source=GrantSource.PROMO,
            reason="a present",
            expires_at=expires_at,
        )

    def pool_grant(self, wallet: int, credits: int) -> Grant:
        return Grant(
            agency_id=self.agency_id,
            wallet_id=self.wallets[wallet],
            actor="test",
            credits=credits,
            source=GrantSource.POOL,
            pool_wallet_id=self.pool,
            reason="from our stock",
        )

    def fund(self, credits: int) -> FundPool:
        return FundPool(
            agency_id=self.agency_id,
            wallet_id=self.pool,
            actor="platform",
            credits=credits,
            reason="starting stock",
        )

    def spend(self, wallet: int, credits: int, *, reference: str | None = None) -> Spend:
        return Spend(
            agency_id=self.agency_id,
            wallet_id=self.wallets[wallet],
            actor="test",
            credits=credits,
            reference=reference,
        )

    def issue(
        self,
        wallet: int,
        purchase_id: str,
        credits: int,
        *,
        bonus: int = 0,
        expires_at: datetime | None = None,
    ) -> Issue:
        return Issue(
            agency_id=self.agency_id,
            wallet_id=self.wallets[wallet],
            actor="stripe",
            purchase_id=purchase_id,
            credits=credits,
            bonus_credits=bonus,
            basis=BASIS,
            expires_at=expires_at,
        )

    def key(self, key: str, *, body: bytes = b"a", operation: str = "spendCredits") -> Idempotency:
        return Idempotency(self.agency_id, self.agency_id, operation, key, body * 32)

    async def purchase(self, wallet: int, credits: int, *, bonus: int = 0) -> str:
        """A purchase of `credits`, paid and not yet completed."""
        purchase_id = new_id("purchase")
        owner = await row("SELECT sub_account_id FROM wallets WHERE id = $1", self.wallets[wallet])
        assert owner
        net = 25 * credits
        await rows(
            "INSERT INTO purchases (id, agency_id, sub_account_id, wallet_id, status, credits, "
            "bonus_credits, currency, currency_exponent, retail_unit, wholesale_unit, floor_unit, "
            "net_minor, gross_minor, wholesale_total_minor, margin_minor, stripe_account_id, "
            "actor, created_at, updated_at, expires_at, checked_at) VALUES ($1, $2, $3, $4, "
            "'PROCESSING', $5, $6, 'USD', 2, 0.25, 0.12, 0.1201, $7, $7, $8, $9, 'acct_1', 'test', "
            "$10, $10, $10, $10)",
            *(purchase_id, self.agency_id, owner["sub_account_id"], self.wallets[wallet]),
            *(credits, bonus, net, 12 * (credits + bonus), net - 12 * (credits + bonus), NOON),
        )
        return purchase_id

    async def wallet(self, wallet_id: str | int) -> Row:
        """The stored wallet; a number means a client's."""
        name = self.wallets[wallet_id] if isinstance(wallet_id, int) else wallet_id
        found = await row("SELECT * FROM wallets WHERE id = $1", name)
        assert found
        return found

    async def available(self, wallet_id: str | int) -> int:
        return int((await self.wallet(wallet_id))["available"])

    async def transactions(self, wallet_id: str | int) -> list[Row]:
        name = self.wallets[wallet_id] if isinstance(wallet_id, int) else wallet_id
        return await rows(
            "SELECT * FROM ledger_transactions WHERE wallet_id = $1 ORDER BY version", name
        )


async def lay_ground(clients: int = 1) -> Ground:
    """A plan, an agency with an empty pool, and `clients` sub-accounts with empty wallets."""
    plan, agency = new_id("plan"), new_id("agency")
    async with transaction() as connection:
        await connection.execute_query(
            "INSERT INTO plans (id, name, created_at) VALUES ($1, $2, $3)", [plan, plan, NOON]
        )
        await connection.execute_query(
            "INSERT INTO agencies (id, plan_id, name, currency, time_zone, created_at) "
            "VALUES ($1, $2, $3, 'USD', 'UTC', $4)",
            [agency, plan, agency, NOON],
        )
        pool = await open_wallet(
            connection, agency_id=agency, sub_account_id=None, kind=WalletKind.POOL, now=NOON
        )
        wallets = []
        for _ in range(clients):
            client = new_id("sub_account")
            await connection.execute_query(
                "INSERT INTO sub_accounts (id, agency_id, name, created_at) "
                "VALUES ($1, $2, $3, $4)",
                [client, agency, client, NOON],
            )
            wallet = await open_wallet(
                connection,
                agency_id=agency,
                sub_account_id=client,
                kind=WalletKind.CLIENT,
                now=NOON,
            )
            wallets.append(wallet)
    return Ground(agency, pool, wallets)
