"""The gateway's own functions on a real database, with the local Stripe over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from gateway.agencies.clients import SubAccount
from gateway.agencies.manage import create_agency
from gateway.agencies.onboarding import start_onboarding
from gateway.agencies.packages import PackageTerms
from gateway.agencies.plans import create_plan
from gateway.agencies.prices import price_rule, set_credit_price
from gateway.agencies.read import Agency
from gateway.agencies.refresh import refresh_connection
from gateway.agencies.sub_accounts import create_sub_account
from gateway.agencies.wholesale import set_wholesale_price
from gateway.auth.viewer import ROLE_SCOPES, Role, Viewer, ViewerKind
from gateway.database import rows
from gateway.ids import new_id
from gateway.ledger.book import Book
from gateway.live.bus import InProcessBus
from gateway.pricing.packages import Visibility
from gateway.runtime import Runtime
from gateway.stripe_connect.client import StripeConnect
from gateway.wallets.read import Wallet, wallets_of_sub_accounts
from stripe_sandbox.server import Sandbox
from tests.harness import TravelClock, settings_for

ADMIN = Viewer(
    subject="admin-1",
    kind=ViewerKind.PLATFORM,
    role=Role.ADMIN,
    scopes=ROLE_SCOPES[Role.ADMIN],
)


def owner_of(agency_id: str, subject: str = "owner-1") -> Viewer:
    return Viewer(
        subject=subject,
        kind=ViewerKind.AGENCY,
        role=Role.OWNER,
        scopes=ROLE_SCOPES[Role.OWNER],
        agency_id=agency_id,
    )


def billing_of(client: SubAccount) -> Viewer:
    return Viewer(
        subject="buyer-1",
        kind=ViewerKind.SUB_ACCOUNT,
        role=Role.BILLING,
        scopes=ROLE_SCOPES[Role.BILLING],
        agency_id=client.agency_id,
        sub_account_id=client.id,
    )


@dataclass
class Office:
    """What a story about agencies needs."""

    rt: Runtime
    box: Sandbox
    clock: TravelClock
    http: aiohttp.ClientSession
    _names: int = 0

    def name(self, what: str) -> str:
        self._names += 1
        return f"{what} {self._names}"

    async def agency(self, *, white_label: bool = True, currency: str = "USD") -> Agency:
        """An agency with nothing but a plan."""
        plan = await create_plan(self.rt, name=self.name("Plan"), white_label=white_label)
        return await create_agency(
            self.rt,
            name=self.name("Agency"),
            plan_id=plan.id,
            currency=currency,
            time_zone="Europe/Berlin",
        )

    async def connected(self, agency: Agency) -> str:
        """Go through Stripe's onboarding; → the account's id."""
        viewer = owner_of(agency.id)
        await start_onboarding(self.rt, viewer, agency_id=agency.id)
        account = await self.account_of(agency)
        self.box.actions.set_ready(account, ready=True)
        await refresh_connection(self.rt, viewer, agency_id=agency.id)
        return account

    async def account_of(self, agency: Agency) -> str:
        found = await rows(
            "SELECT account_id FROM stripe_connections "
            "WHERE agency_id = $1 AND status <> 'DISCONNECTED'",
            agency.id,
        )
        return str(found[0]["account_id"])

    async def wholesale(self, price: str, *, currency: str = "USD") -> None:
        await set_wholesale_price(
            self.rt,
            ADMIN,
            currency=currency,
            agency_id=None,
            price=Decimal(price),
            effective_at=None,
        )

    async def price(self, agency: Agency, price: str, client: SubAccount | None = None) -> None:
        await set_credit_price(
            self.rt,
            owner_of(agency.id),
            agency_id=agency.id,
            sub_account_id=client.id if client else None,
            rule=price_rule(price=Decimal(price)),
        )

    async def client(self, agency: Agency, **more: Any) -> SubAccount:
        values = {"name": self.name("Client"), "external_id": None, "wallet_access": True}
        return await create_sub_account(
            self.rt, owner_of(agency.id), agency_id=agency.id, **{**values, **more}
        )

    async def wallet(self, client: SubAccount) -> Wallet | None:
        return (await wallets_of_sub_accounts(self.rt, ADMIN, [client.id])).get(client.id)

    async def snapshot(self, *tables: str) -> list[str]:
        """Everything that stands in these tables, to show that nothing changed."""
        return [
            str(entry)
            for table in tables
            for entry in await rows(f"SELECT t::text AS line FROM {table} t ORDER BY 1")
        ]

    async def add_purchase(
        self,
        client: SubAccount,
        wallet: Wallet,
        *,
        status: str,
        credits: int,
        bonus: int,
    ) -> str:
        """A purchase row as it stands in the middle of a sale."""
        id, now = new_id("purchase"), self.clock()
        issued = credits + bonus
        await rows(
            "INSERT INTO purchases (id, agency_id, sub_account_id, wallet_id, status, credits, "
            "bonus_credits, currency, currency_exponent, retail_unit, wholesale_unit, "
            "floor_unit, net_minor, gross_minor, wholesale_total_minor, margin_minor, "
            "stripe_account_id, actor, created_at, updated_at, expires_at, checked_at, "
            "completed_at) VALUES ($1, $2, $3, $4, $5::text, $6, $7, 'USD', 2, $8, $9, $10, $11, "
            "$11, $12, $11 - $12::bigint, 'acct_1', 'test', $13, $13, $13, $13, "
            "CASE WHEN $5::text = 'COMPLETED' THEN $13::timestamptz END)",
            *(id, client.agency_id, client.id, wallet.id, status, credits, bonus),
            *(Decimal("0.25"), Decimal("0.12"), Decimal("0.1201"), issued * 25, issued * 12, now),
        )
        return id

    async def events(self, agency: Agency) -> list[str]:
        found = await rows(
            "SELECT kind FROM outbox_events WHERE topic = 'agency' AND subject_id = $1 ORDER BY id",
            agency.id,
        )
        return [entry["kind"] for entry in found]


def package_terms(price: str, credits: int = 1000, bonus: int = 150, **more: Any) -> PackageTerms:
    values: dict[str, Any] = {
        "name": "Large",
        "credits": credits,
        "bonus_credits": bonus,
        "price": Decimal(price),
        "validity_days": None,
        "position": 0,
        "visibility": Visibility.PUBLIC,
    }
    return PackageTerms(**{**values, **more})


@asynccontextmanager
async def open_office(database_url: str) -> AsyncIterator[Office]:
    """An office on an open database."""
    async with Sandbox(seed=1) as box, aiohttp.ClientSession() as http:
        settings = settings_for(database_url, box.url)
        clock = TravelClock()
        book, stripe = Book(clock=clock), StripeConnect(settings)
        try:
            rt = Runtime(
                settings=settings, clock=clock, book=book, stripe=stripe, bus=InProcessBus()
            )
            yield Office(rt, box, clock, http)
        finally:
            await book.close()
            await stripe.close()
