"""An agency that sells at 0.25 over 0.12, with one client: real database, Stripe over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette

from gateway.auth.viewer import ROLE_SCOPES, Role, Viewer, ViewerKind
from gateway.database import row, rows, transaction
from gateway.endpoints.stripe_webhook import PATH, stripe_webhook_routes
from gateway.ids import new_id
from gateway.ledger.book import Book
from gateway.ledger.state import WalletKind
from gateway.ledger.verify import verify
from gateway.ledger.wallets import open_wallet
from gateway.live.bus import InProcessBus
from gateway.purchases.card_setups import read_and_settle, start_card_setup
from gateway.purchases.record import PurchaseRecord
from gateway.purchases.start import Started, purchase_credits
from gateway.purchases.wish import Wish
from gateway.runtime import Runtime
from gateway.settings import Environment, Settings, load_settings
from gateway.stripe_connect.client import StripeConnect
from gateway.workers import Workers
from stripe_sandbox.server import Sandbox
from stripe_sandbox.state import Settings as SandboxSettings
from stripe_sandbox.state import public
from tests.contracts.stripe_openapi import check_log

WEBHOOK_SECRET = "whsec_of_the_tests"
VISA = "pm_card_visa"


class TravelClock:
    """Real time plus whatever a test adds."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, **length: float) -> None:
        self.offset += timedelta(**length)


@dataclass
class Client:
    """One sub-account with its wallet."""

    sub_account_id: str
    wallet_id: str
    viewer: Viewer


@dataclass
class Shop:
    """What a story needs: the gateway's functions, Stripe's other side, and the tables."""

    rt: Runtime
    box: Sandbox
    clock: TravelClock
    agency_id: str
    account: str
    client: Client
    http: aiohttp.ClientSession
    _keys: int = 0

    async def buy(self, client: Client | None = None, **wish: Any) -> Started:
        """purchaseCredits of 100 credits with a key of its own, unless told otherwise."""
        buyer = client or self.client
        self._keys += 1
        item = {"credits": None if "package_id" in wish else 100, "package_id": None}
        values = {
            "wallet_id": buyer.wallet_id,
            **item,
            "payment_method_id": None,
            "save_payment_method": False,
            "expected_total": None,
            "confirm_duplicate": False,
            "idempotency_key": f"key-{self._keys}",
        }
        return await purchase_credits(self.rt, buyer.viewer, Wish(**{**values, **wish}))

    async def confirm(self, purchase: PurchaseRecord, card: str = VISA) -> dict[str, Any]:
        """What Stripe.js does on the buyer's device: publishable key and client secret only."""
        assert purchase.client_secret is not None
        return await self.as_browser(
            f"/v1/payment_intents/{purchase.payment_intent_id}/confirm",
            client_secret=purchase.client_secret,
            payment_method=card,
        )

    async def as_browser(self, path: str, **form: str) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self.rt.settings.stripe_publishable_key}",
            "Stripe-Account": self.account,
        }
        async with self.http.post(self.box.url + path, data=form, headers=headers) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def save_card(self, card: str = VISA, *, client: Client | None = None) -> str:
        """Save a card the way a client does; → its id."""
        buyer = client or self.client
        setup = await start_card_setup(
            self.rt, buyer.viewer, wallet_id=buyer.wallet_id, make_default=False
        )
        assert setup.client_secret is not None
        await self.as_browser(
            f"/v1/setup_intents/{setup.setup_intent_id}/confirm",
            client_secret=setup.client_secret,
            payment_method=card,
        )
        await read_and_settle(self.rt, setup)
        found = await row(
            "SELECT id FROM payment_methods WHERE sub_account_id = $1 ORDER BY id DESC LIMIT 1",
            buyer.sub_account_id,
        )
        assert found is not None
        return str(found["id"])

    async def pretend_saved(self, token: str) -> str:
        """A row for a test card that Stripe would not let anybody save."""
        id = new_id("payment_method")
        await rows(
            "INSERT INTO payment_methods (id, agency_id, sub_account_id, stripe_account_id, "
            "stripe_payment_method_id, brand, last4, exp_month, exp_year, created_at) "
            "VALUES ($1, $2, $3, $4, $5, 'visa', '0000', 1, 2040, $6)",
            *(id, self.agency_id, self.client.sub_account_id, self.account, token, self.clock()),
        )
        return id

    async def purchase(self, id: str) -> PurchaseRecord:
        found = await row("SELECT * FROM purchases WHERE id = $1", id)
        assert found is not None
        return PurchaseRecord.of(found)

    async def available(self, client: Client | None = None) -> int:
        wallet_id = (client or self.client).wallet_id
        found = await row("SELECT available FROM wallets WHERE id = $1", wallet_id)
        assert found is not None
        return int(found["available"])

    async def pool(self) -> tuple[int, int]:
        """The pool's (available, version)."""
        found = await row(
            "SELECT available, version FROM wallets WHERE agency_id = $1 AND kind = 'POOL'",
            self.agency_id,
        )
        assert found is not None
        return int(found["available"]), int(found["version"])

    async def count(self, table: str, condition: str = "TRUE") -> int:
        found = await row(f"SELECT count(*) AS n FROM {table} WHERE {condition}")
        assert found is not None
        return int(found["n"])

    def at_stripe(self, kind: str) -> list[dict[str, Any]]:
        """Stripe's own objects of a kind on the agency's account."""
        return list(self.box.state.store.rows(self.account, kind))

    def paid_charges(self) -> list[dict[str, Any]]:
        return [charge for charge in self.at_stripe("charge") if charge["paid"]]

    async def events(self) -> list[str]:
        """Kinds of what the agency's live tab was told of, in order."""
        found = await rows("SELECT kind FROM outbox_events WHERE topic = 'agency' ORDER BY id")
        return [event["kind"] for event in found]

    async def add_client(self, name: str) -> Client:
        return await _add_client(self.agency_id, name, self.clock())

    @asynccontextmanager
    async def webhooks(self) -> AsyncIterator[Workers]:
        """Stripe's events arrive over a real socket and workers take care of them."""
        workers = Workers(self.rt)
        app = Starlette(routes=stripe_webhook_routes(self.rt, on_stored=workers.nudge))
        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        server.capture_signals = _no_signals  # type: ignore[method-assign]
        serving = asyncio.ensure_future(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        for connect in (False, True):
            self.box.actions.set_webhook(
                url=f"http://127.0.0.1:{port}{PATH}", secret=WEBHOOK_SECRET, connect=connect
            )
        working = asyncio.ensure_future(workers.run())
        try:
            yield workers
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            server.should_exit = True
            await serving

    async def settled(self, id: str, *statuses: str, within_s: float = 10) -> PurchaseRecord:
        """The purchase once it has one of `statuses`."""
        async with asyncio.timeout(within_s):
            while True:
                found = await self.purchase(id)
                if found.status in statuses:
                    return found
                await asyncio.sleep(0.02)


def _no_signals() -> Any:
    return nullcontext()


@asynccontextmanager
async def open_shop(database_url: str, **settings: Any) -> AsyncIterator[Shop]:
    """A shop on an open database. At the end everything that was said to and by the local Stripe
    is checked against Stripe's own description, where it is at hand."""
    later_s = settings.pop("bank_debit_s", None)
    async with Sandbox(seed=1, settings=SandboxSettings(later_s=later_s)) as box:
        clock = TravelClock()
        rt = _runtime(database_url, box, clock, **settings)
        try:
            async with aiohttp.ClientSession() as http:
                shop = await _open(rt, box, clock, http)
                yield shop
                await assert_sound(shop)
        finally:
            await rt.book.close()
            await rt.stripe.close()
        check_contract(box)


async def assert_sound(shop: Shop) -> None:
    """After any story: the ledger proves itself, and every completed purchase is exactly one paid
    charge with its amount and fee, on the agency's account, with its credits issued."""
    assert await verify() == []
    done = await rows("SELECT * FROM purchases WHERE status = 'COMPLETED'")
    charges = {charge["id"]: charge for charge in shop.paid_charges()}
    assert len({purchase["charge_id"] for purchase in done}) == len(done)
    for purchase in done:
        charge = charges[purchase["charge_id"]]
        assert charge["amount"] == purchase["gross_minor"]
        assert charge["application_fee_amount"] == purchase["wholesale_total_minor"]
    issued = await rows("SELECT sum(credits)::bigint AS n FROM ledger_lots")
    sold = sum(purchase["credits"] + purchase["bonus_credits"] for purchase in done)
    assert (issued[0]["n"] or 0) == sold


def check_contract(box: Sandbox) -> None:
    """Whatever was said to and by the local Stripe follows Stripe's own description."""
    events = [public(event) for _, event in box.state.store.everywhere("event")]
    with suppress(pytest.skip.Exception):
        check_log(box.log.entries(), events=events)


def _runtime(database_url: str, box: Sandbox, clock: TravelClock, **more: Any) -> Runtime:
    values: dict[str, Any] = {
        "environment": Environment.TEST,
        "database_url": database_url,
        "token_algorithm": "HS256",
        "token_secret": "a-secret-of-the-tests-that-is-long-enough",
        "stripe_api_key": "sk_test_sandbox",
        "stripe_publishable_key": "pk_test_sandbox",
        "stripe_api_base": box.url,
        "stripe_connect_base": box.url,
        "stripe_webhook_secrets": (WEBHOOK_SECRET,),
    }
    settings: Settings = load_settings(**{**values, **more})
    return Runtime(
        settings=settings,
        clock=clock,
        book=Book(clock=clock),
        stripe=StripeConnect(settings),
        bus=InProcessBus(),
    )


async def _open(rt: Runtime, box: Sandbox, clock: TravelClock, http: aiohttp.ClientSession) -> Shop:
    account = box.actions.create_account()["id"]
    now = clock()
    agency_id, plan_id = new_id("agency"), new_id("plan")
    await rows(
        "INSERT INTO plans (id, name, white_label, created_at) VALUES ($1, 'White', TRUE, $2)",
        *(plan_id, now),
    )
    await rows(
        "INSERT INTO agencies (id, plan_id, name, currency, time_zone, rebilling_enabled, "
        "wallets_opened_at, created_at) VALUES ($1, $2, 'Agency', 'USD', 'UTC', TRUE, $3, $3)",
        *(agency_id, plan_id, now),
    )
    await set_prices(agency_id, now, retail="0.25", wholesale="0.12", version=1)
    await rows(
        "INSERT INTO stripe_connections (id, agency_id, account_id, door, status, "
        "charges_enabled, card_payments_active, requirements_due, created_at) "
        "VALUES ($1, $2, $3, 'LINK', 'ACTIVE', TRUE, TRUE, '[]', $4)",
        *(new_id("connection"), agency_id, account, now),
    )
    async with transaction() as connection:
        await open_wallet(
            connection, agency_id=agency_id, sub_account_id=None, kind=WalletKind.POOL, now=now
        )
    client = await _add_client(agency_id, "Client", now)
    return Shop(rt, box, clock, agency_id, account, client, http)


async def set_prices(
    agency_id: str, now: datetime, *, retail: str, wholesale: str, version: int
) -> None:
    await rows(
        "INSERT INTO wholesale_prices (id, currency, price, effective_at, actor, created_at) "
        "VALUES ($1, 'USD', $2, $3, 'test', $3)",
        *(new_id("wholesale"), Decimal(wholesale), now),
    )
    await rows(
        "INSERT INTO retail_prices (id, agency_id, version, mode, price, floor, actor, created_at) "
        "VALUES ($1, $2, $3, 'FIXED', $4, $5, 'test', $6)",
        *(new_id("price"), agency_id, version, Decimal(retail), Decimal(retail), now),
    )


async def add_package(
    shop: Shop, *, credits: int, bonus: int, price_minor: int, days: int | None = None
) -> str:
    """A public package; → its id."""
    id = new_id("package")
    await rows(
        "INSERT INTO credit_packages (id, agency_id, name, credits, bonus_credits, price_minor, "
        "currency, currency_exponent, floor, validity_days, created_at, updated_at) "
        "VALUES ($1, $2, 'Package', $3, $4, $5, 'USD', 2, 0.1201, $6, $7, $7)",
        *(id, shop.agency_id, credits, bonus, price_minor, days, shop.clock()),
    )
    return id


async def _add_client(agency_id: str, name: str, now: datetime) -> Client:
    sub_account_id = new_id("sub_account")
    await rows(
        "INSERT INTO sub_accounts (id, agency_id, name, created_at) VALUES ($1, $2, $3, $4)",
        *(sub_account_id, agency_id, name, now),
    )
    async with transaction() as connection:
        wallet_id = await open_wallet(
            connection,
            agency_id=agency_id,
            sub_account_id=sub_account_id,
            kind=WalletKind.CLIENT,
            now=now,
        )
    viewer = Viewer(
        subject=f"billing-of-{name}",
        kind=ViewerKind.SUB_ACCOUNT,
        role=Role.BILLING,
        scopes=ROLE_SCOPES[Role.BILLING],
        agency_id=agency_id,
        sub_account_id=sub_account_id,
    )
    return Client(sub_account_id, wallet_id, viewer)


def owner_of(shop: Shop) -> Viewer:
    """The agency's owner."""
    return replace(
        shop.client.viewer,
        subject="owner",
        kind=ViewerKind.AGENCY,
        role=Role.OWNER,
        scopes=ROLE_SCOPES[Role.OWNER],
        sub_account_id=None,
    )
