"""Two agencies of the same shape, one with two clients, in which every text and number says whose
it is. What one tenant must never read of another can so be found in any answer.

Owners of canaries: `shop-a` (what clients of agency a may see), `office-a` (agency side only),
`client-a1`, `client-a2`, and the same of agency b, whose client is `client-b1`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import count
from typing import Any, Final

import asyncpg

from gateway.auth.api_keys import secret_hash
from gateway.ids import new_id
from tests.contracts.rows import HASH, NOW, Row, correct_row, insert

OWNERS: Final = (
    "shop-a",
    "office-a",
    "client-a1",
    "client-a2",
    "shop-b",
    "office-b",
    "client-b1",
)
OAUTH_ACTOR: Final = "owner-user"
"""Subject of both agencies' owners, so that only the agency tells their states apart."""
_LONG: Final = timedelta(days=36_500)
_FIRST: Final = {owner: 7_000_000_001 + 10_000_000 * place for place, owner in enumerate(OWNERS)}


@dataclass
class Client:
    """Ids of one client's objects by noun; `cursor` is of its purchases."""

    owner: str
    sub_account: str
    wallet: str
    purchase: str = ""
    open_purchase: str = ""
    payment_method: str = ""
    lot: str = ""
    transaction: str = ""
    api_key: str = ""
    secret: str = ""


@dataclass
class Tenant:
    """Ids of one agency's objects."""

    letter: str
    agency: str
    plan: str = ""
    pool: str = ""
    package: str = ""
    hidden_package: str = ""
    api_key: str = ""
    secret: str = ""
    pool_lot: str = ""
    pool_transaction: str = ""
    connection: str = ""
    oauth_state: str = ""
    clients: list[Client] = field(default_factory=list)


@dataclass
class World:
    """Everything that was laid down. `marks` are the texts by which an owner is recognised."""

    a: Tenant
    b: Tenant
    marks: dict[str, set[str]]

    def found_in(self, text: str, owners: set[str]) -> list[str]:
        """The marks of `owners` that stand in `text`."""
        return [mark for owner in sorted(owners) for mark in self.marks[owner] if mark in text]


class Builder:
    """Writes rows and remembers by what each owner can be recognised."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.marks: dict[str, set[str]] = {owner: {f"canary-{owner}-"} for owner in OWNERS}
        self._numbers: dict[str, Iterator[int]] = {
            owner: count(first) for owner, first in _FIRST.items()
        }
        self._hashes = count(1)

    def text(self, owner: str, what: str) -> str:
        return f"canary-{owner}-{what}"

    def number(self, owner: str) -> int:
        """Never used before, and found in no other number."""
        return self.mark_number(owner, next(self._numbers[owner]))

    def mark_number(self, owner: str, number: int) -> int:
        self.marks[owner].add(str(number))
        return number

    def mark(self, owner: str, text: str) -> str:
        self.marks[owner].add(text)
        return text

    def id(self, owner: str, noun: str) -> str:
        return self.mark(owner, new_id(noun))

    def hash(self) -> bytes:
        return next(self._hashes).to_bytes(32, "big")

    async def add(self, table: str, **changes: Any) -> Row:
        """A row of `table` with these values; what is not named is plain and says nothing."""
        row = correct_row(table, "a")
        if "id" in row:
            row["id"] = "unnamed"
        row |= changes
        await insert(self._connection, table, row)
        return row


async def build_world(connection: asyncpg.Connection) -> World:
    """Lay everything down, straight into the tables."""
    builder = Builder(connection)
    a = await _agency(builder, "a", clients=2)
    b = await _agency(builder, "b", clients=1)
    return World(a=a, b=b, marks=builder.marks)


async def _agency(builder: Builder, letter: str, *, clients: int) -> Tenant:
    shop, office = f"shop-{letter}", f"office-{letter}"
    tenant = Tenant(letter, agency=builder.id(shop, "agency"), plan=builder.id(office, "plan"))
    await builder.add("plans", id=tenant.plan, name=builder.text(office, "plan"), white_label=True)
    await builder.add(
        "agencies",
        id=tenant.agency,
        plan_id=tenant.plan,
        name=builder.text(shop, "agency"),
        # Agency b is not open for sale: its readiness and its wallets have something to say.
        rebilling_enabled=letter == "a",
        wallets_opened_at=NOW,
        quantity_max=builder.number(shop),
    )
    await _prices(builder, tenant, office)
    await _stripe(builder, tenant, shop, office)
    await _packages(builder, tenant, shop, office)
    await _pool(builder, tenant, office)
    tenant.secret = f"rbk_of-{office}"
    await _api_key(builder, tenant, office, None, f"{tenant.secret}-ended", revoked_at=NOW)
    tenant.api_key = await _api_key(builder, tenant, office, None, tenant.secret)
    for number in range(1, clients + 1):
        tenant.clients.append(await _client(builder, tenant, f"client-{letter}{number}"))
    return tenant


async def _prices(builder: Builder, tenant: Tenant, office: str) -> None:
    digit = ord(tenant.letter) % 10
    for place, price in enumerate(("0.1200", "0.1201")):
        await builder.add(
            "wholesale_prices",
            id=builder.id(office, "wholesale"),
            agency_id=tenant.agency,
            price=Decimal(builder.mark(office, f"{price}{digit}1")),
            effective_at=NOW + timedelta(days=place),
            actor=builder.text(office, "wholesale-actor"),
        )
    await builder.add(
        "retail_prices",
        id=builder.id(office, "price"),
        agency_id=tenant.agency,
        sub_account_id=None,
        price=Decimal(builder.mark(office, f"0.2500{digit}1")),
        actor=builder.text(office, "price-actor"),
    )


async def _stripe(builder: Builder, tenant: Tenant, shop: str, office: str) -> None:
    tenant.connection = builder.id(office, "connection")
    tenant.oauth_state = builder.text(office, "oauth-state")
    await builder.add(
        "stripe_connections",
        id=tenant.connection,
        agency_id=tenant.agency,
        account_id=builder.text(shop, "account"),
        charges_enabled=True,
        card_payments_active=True,
        requirements_due=f'["{builder.text(office, "requirement")}"]',
        disabled_reason=builder.text(office, "disabled"),
        checked_at=NOW,
    )
    await builder.add(
        "stripe_connections",
        id=builder.id(office, "connection"),
        agency_id=tenant.agency,
        account_id=builder.text(office, "former-account"),
        status="DISCONNECTED",
        disconnected_at=NOW,
    )
    await builder.add(
        "stripe_oauth_states",
        id=new_id("oauth_state"),
        agency_id=tenant.agency,
        state_hash=sha256(tenant.oauth_state.encode()).digest(),
        actor=OAUTH_ACTOR,
        expires_at=NOW + _LONG,
    )


async def _packages(builder: Builder, tenant: Tenant, shop: str, office: str) -> None:
    for owner, visibility, archived in (
        (shop, "PUBLIC", None),
        (office, "HIDDEN", None),
        (office, "PUBLIC", NOW),
    ):
        # A card can be charged with up to eight digits.
        price_minor = builder.mark_number(owner, builder.number(owner) // 100 + len(visibility))
        id = builder.id(owner, "package")
        await builder.add(
            "credit_packages",
            id=id,
            agency_id=tenant.agency,
            name=builder.text(owner, "package"),
            price_minor=price_minor,
            validity_days=3650,
            visibility=visibility,
            archived_at=archived,
        )
        builder.mark(owner, f"{price_minor // 100}.{price_minor % 100:02}")
        if visibility == "PUBLIC" and archived is None:
            tenant.package = id
        elif archived is None:
            tenant.hidden_package = id


async def _pool(builder: Builder, tenant: Tenant, office: str) -> None:
    tenant.pool = builder.id(office, "wallet")
    available = builder.number(office)
    await builder.add(
        "wallets",
        id=tenant.pool,
        agency_id=tenant.agency,
        sub_account_id=None,
        kind="POOL",
        available=available,
        version=1,
    )
    tenant.pool_transaction = builder.id(office, "transaction")
    tenant.pool_lot = builder.id(office, "lot")
    await _change(
        builder, tenant, office, tenant.pool, id=tenant.pool_transaction, kind="POOL_IN",
        credits=available, cause_kind="PLATFORM", cause_id=None,
    )  # fmt: skip
    await _lot(
        builder, tenant, office, tenant.pool, id=tenant.pool_lot, kind="ADJUSTMENT",
        transaction_id=tenant.pool_transaction, purchase_id=None,
    )  # fmt: skip


async def _api_key(
    builder: Builder,
    tenant: Tenant,
    owner: str,
    sub_account: str | None,
    secret: str,
    *scopes: str,
    **more: Any,
) -> str:
    id = builder.id(owner, "api_key")
    await builder.add(
        "api_keys",
        id=id,
        agency_id=tenant.agency,
        sub_account_id=sub_account,
        name=builder.text(owner, "key"),
        prefix=builder.text(owner, "key-prefix"),
        secret_hash=secret_hash(secret),
        scopes=json.dumps(scopes or ["MANAGE", "PURCHASE", "READ", "SPEND"]),
        expires_at=NOW + _LONG,
        created_by=builder.text(owner, "key-maker"),
        **more,
    )
    return id


async def _change(
    builder: Builder, tenant: Tenant, owner: str, wallet: str, *, id: str, **changes: Any
) -> None:
    await builder.add(
        "ledger_transactions",
        id=id,
        agency_id=tenant.agency,
        wallet_id=wallet,
        available_after=builder.number(owner),
        actor=builder.text(owner, "change-actor"),
        reference=builder.text(owner, "reference"),
        reason=builder.text(owner, "reason"),
        hash=builder.hash(),
        previous_hash=HASH,
        **changes,
    )


async def _lot(
    builder: Builder, tenant: Tenant, owner: str, wallet: str, *, id: str, transaction_id: str,
    **changes: Any,
) -> None:  # fmt: skip
    credits = builder.number(owner)
    await builder.add(
        "ledger_lots",
        id=id,
        agency_id=tenant.agency,
        wallet_id=wallet,
        transaction_id=transaction_id,
        credits=credits,
        available=credits - 30,
        held=10,
        frozen=10,
        reserved=10,
        currency="USD",
        retail_unit=Decimal("0.25"),
        wholesale_unit=Decimal("0.12"),
        expires_at=NOW + _LONG,
        **changes,
    )
    builder.mark_number(owner, credits - 30)
    moved = builder.number(owner)
    for table in ("ledger_allocations", "ledger_postings"):
        lot = {"lot_id": id} if table == "ledger_allocations" else {}
        await builder.add(
            table,
            agency_id=tenant.agency,
            transaction_id=transaction_id,
            credits=moved,
            **lot,
        )


async def _client(builder: Builder, tenant: Tenant, owner: str) -> Client:
    client = Client(
        owner=owner,
        sub_account=builder.id(owner, "sub_account"),
        wallet=builder.id(owner, "wallet"),
    )
    await builder.add(
        "sub_accounts",
        id=client.sub_account,
        agency_id=tenant.agency,
        name=builder.text(owner, "client"),
        external_id=builder.text(owner, "external"),
    )
    await builder.add(
        "wallets",
        id=client.wallet,
        agency_id=tenant.agency,
        sub_account_id=client.sub_account,
        available=builder.number(owner),
        held=builder.number(owner),
        frozen=builder.number(owner),
        reserved=builder.number(owner),
        version=builder.number(owner),
        next_expiry_at=NOW + _LONG,
    )
    await builder.add(
        "retail_prices",
        id=builder.id(owner, "price"),
        agency_id=tenant.agency,
        sub_account_id=client.sub_account,
        price=Decimal(builder.mark(owner, f"0.26{_FIRST[owner] // 10_000_000 % 1000}1")),
        actor=builder.text(owner, "price-actor"),
    )
    client.secret = f"rbk_of-{owner}"
    client.api_key = await _api_key(builder, tenant, owner, client.sub_account, client.secret)
    # May spend and sees nothing.
    blind = f"{client.secret}-blind"
    await _api_key(builder, tenant, owner, client.sub_account, blind, "SPEND")
    await _cards(builder, tenant, client)
    await _purchases(builder, tenant, client)
    await _ledger(builder, tenant, client)
    return client


async def _cards(builder: Builder, tenant: Tenant, client: Client) -> None:
    owner = client.owner
    shared: Row = {
        "agency_id": tenant.agency,
        "sub_account_id": client.sub_account,
        "stripe_account_id": builder.text(f"shop-{tenant.letter}", "account"),
    }
    await builder.add(
        "stripe_customers",
        id=new_id("customer"),
        customer_id=builder.text(owner, "customer"),
        **shared,
    )
    client.payment_method = builder.id(owner, "payment_method")
    for id, removed in ((client.payment_method, None), (builder.id(owner, "payment_method"), NOW)):
        await builder.add(
            "payment_methods",
            id=id,
            stripe_payment_method_id=builder.text(owner, f"card-{id}"),
            brand=builder.text(owner, "brand"),
            last4=builder.text(owner, "last4"),
            exp_year=2030,
            fingerprint=builder.text(owner, "fingerprint"),
            removed_at=removed,
            **shared,
        )
    await builder.add(
        "card_setups",
        id=builder.id(owner, "card_setup"),
        setup_intent_id=builder.text(owner, "setup"),
        client_secret=builder.text(owner, "setup-secret"),
        **shared,
    )


async def _purchases(builder: Builder, tenant: Tenant, client: Client) -> None:
    client.purchase = builder.id(client.owner, "purchase")
    client.open_purchase = builder.id(client.owner, "purchase")
    await _purchase(
        builder, tenant, client, client.purchase, status="COMPLETED", completed_at=NOW,
        flag="LATE_SUCCESS",
        package_id=tenant.package, validity_days=3650,
    )  # fmt: skip
    await _purchase(
        builder, tenant, client, client.open_purchase, status="REQUIRES_ACTION", package_id=None,
        client_secret=builder.text(client.owner, "secret"),
        next_action=json.dumps(
            {
                "type": "redirect_to_url",
                "url": f"https://example.com/{builder.text(client.owner, 'action')}",
            }
        ),
        last_error_reason="INSUFFICIENT_FUNDS",
        last_error_message=builder.text(client.owner, "error"),
        last_error_charge_id=builder.text(client.owner, "error-charge"),
    )  # fmt: skip


async def _purchase(
    builder: Builder, tenant: Tenant, client: Client, id: str, **changes: Any
) -> None:
    owner, office = client.owner, f"office-{tenant.letter}"
    credits = builder.number(owner)
    await builder.add(
        "purchases",
        id=id,
        agency_id=tenant.agency,
        sub_account_id=client.sub_account,
        wallet_id=client.wallet,
        payment_method_id=client.payment_method,
        stripe_account_id=builder.text(f"shop-{tenant.letter}", "account"),
        credits=credits,
        net_minor=builder.mark_number(owner, credits * 25),
        gross_minor=credits * 25,
        wholesale_total_minor=builder.mark_number(office, credits * 12),
        margin_minor=builder.mark_number(office, credits * 13),
        stripe_fee_minor=builder.number(office),
        payment_intent_id=builder.text(office, f"intent-{id}"),
        charge_id=builder.text(office, "charge"),
        application_fee_id=builder.text(office, "fee"),
        balance_transaction_id=builder.text(office, "balance"),
        receipt_url=f"https://example.com/{builder.text(owner, 'receipt')}",
        card_fingerprint=builder.text(owner, "fingerprint"),
        actor=builder.text(owner, "buyer"),
        **changes,
    )
    for place, major in ((owner, credits * 25), (office, credits * 12), (office, credits * 13)):
        builder.mark(place, f"{major // 100}.{major % 100:02}")


async def _ledger(builder: Builder, tenant: Tenant, client: Client) -> None:
    owner = client.owner
    client.transaction = builder.id(owner, "transaction")
    client.lot = builder.id(owner, "lot")
    await _change(
        builder, tenant, owner, client.wallet, id=client.transaction, kind="ISSUE",
        credits=builder.number(owner), cause_kind="PURCHASE", cause_id=client.purchase,
    )  # fmt: skip
    await _lot(
        builder, tenant, owner, client.wallet, id=client.lot, kind="PURCHASED",
        transaction_id=client.transaction, purchase_id=client.purchase,
    )  # fmt: skip
    grant = builder.id(owner, "transaction")
    await _change(
        builder, tenant, owner, client.wallet, id=grant, kind="GRANT", version=2,
        credits=builder.number(owner), cause_kind="ACTOR", cause_id=None,
    )  # fmt: skip
    await _lot(
        builder, tenant, owner, client.wallet, id=builder.id(owner, "lot"), kind="PROMO",
        transaction_id=grant, purchase_id=None,
    )  # fmt: skip
    await builder.add(
        "idempotency_keys",
        agency_id=tenant.agency,
        tenant=client.sub_account,
        key=builder.text(owner, "idempotency"),
        subject_id=client.purchase,
    )
    await builder.add(
        "stripe_events",
        id=builder.text(owner, "event"),
        agency_id=tenant.agency,
        account_id=builder.text(f"shop-{tenant.letter}", "account"),
        status="DONE",
    )
