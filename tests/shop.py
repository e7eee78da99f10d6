"""The demo's agency for a test: made through the public API by the demo's own seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.auth.viewer import Role
from gateway.cli.api_client import ApiClient
from gateway.cli.seed import Seeded, seed
from tests.harness import Harness


@dataclass(frozen=True)
class Shop:
    """One agency that sells at 0.25 over 0.12, and its clients with a saved test card each."""

    h: Harness
    ids: Seeded

    @property
    def agency(self) -> str:
        return self.ids.agency

    @property
    def wallet(self) -> str:
        return self.ids.wallets[0]

    @property
    def card(self) -> str:
        return self.ids.payment_methods[0]

    @property
    def admin(self) -> str:
        return self.h.token(Role.ADMIN)

    @property
    def owner(self) -> str:
        return self.h.token(Role.OWNER, agency=self.agency)

    def billing(self, client: int = 0) -> str:
        return self.h.token(
            Role.BILLING, agency=self.agency, sub_account=self.ids.sub_accounts[client]
        )

    def member(self, client: int = 0, *, lifetime_s: float = 3600) -> str:
        return self.h.token(
            Role.MEMBER,
            agency=self.agency,
            sub_account=self.ids.sub_accounts[client],
            lifetime_s=lifetime_s,
        )

    async def buy(self, credits: int, *, key: str, client: int = 0, **more: Any) -> Any:
        """Buy with the saved card; → the payload of purchaseCredits."""
        return await self.h.mutate(
            self.billing(client),
            "purchaseCredits",
            "purchase { id status credits }",
            walletId=self.ids.wallets[client],
            credits=credits,
            paymentMethodId=self.ids.payment_methods[client],
            idempotencyKey=key,
            **more,
        )

    async def spend(self, credits: int, *, key: str, client: int = 0) -> Any:
        """Spend with the service's API key; → the payload of spendCredits."""
        return await self.h.mutate(
            self.ids.service_key,
            "spendCredits",
            "transaction { id credits } wallet { available version } replayed",
            walletId=self.ids.wallets[client],
            credits=credits,
            reference="a search",
            idempotencyKey=key,
        )


async def open_shop(h: Harness, *, clients: int = 1) -> Shop:
    """A shop with this many clients."""
    client = ApiClient(h.http, h.url)

    def as_role(role: Role, agency: str, sub_account: str | None) -> ApiClient:
        return client.signed_in(h.token(role, agency=agency, sub_account=sub_account))

    names = [f"Client {number}" for number in range(1, clients + 1)]
    seeded = await seed(
        client.signed_in(h.token(Role.ADMIN)),
        as_role,
        h.gateway.runtime.settings,
        clients=names,
    )
    return Shop(h, seeded)
