"""A platform, an agency and its clients to play with, made through the public API alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gateway.auth.viewer import Role
from gateway.cli.api_client import ApiClient, ApiRefused
from gateway.settings import Settings

_CARD_TIMEOUT_S: Final = 15
_CARD_PAUSE_S: Final = 0.05
_CLIENTS: Final = ("Bakery Blum", "Cycle House", "Dental Care North")
_PACKAGES: Final = (
    ("Starter", 100, 0, "25.00"),
    ("Growth", 500, 25, "115.00"),
    ("Scale", 1_000, 150, "220.00"),
)
"""Name, credits, bonus credits, price."""

AsRole = Callable[[Role, str, str | None], ApiClient]


@dataclass(frozen=True, slots=True)
class Seeded:
    """Ids of what was made. The lists of clients run in parallel."""

    agency: str
    service_key: str
    packages: list[str]
    sub_accounts: list[str] = field(default_factory=list)
    wallets: list[str] = field(default_factory=list)
    payment_methods: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def seed(
    admin: ApiClient, as_role: AsRole, settings: Settings, *, clients: Sequence[str] = _CLIENTS
) -> Seeded:
    """Two plans; one connected agency that sells at 0.25 over 0.12; three packages; three clients
    (or those named), each with a saved test card. Raises ApiRefused."""
    await admin.mutate("createPlan", "plan { id }", name="Basic", whiteLabel=False)
    plan = await admin.mutate("createPlan", "plan { id }", name="White label", whiteLabel=True)
    await admin.mutate("setWholesalePrice", "", currency="USD", pricePerCredit="0.12")
    made = await admin.mutate(
        "createAgency", "agency { id }", name="Blue Harbor Agency", planId=plan["plan"]["id"]
    )
    agency = made["agency"]["id"]
    owner = as_role(Role.OWNER, agency, None)
    await _connect_stripe(owner, agency, settings.stripe_api_base)
    await owner.mutate("setCreditPrice", "", agencyId=agency, pricePerCredit="0.25")
    packages = [await _package(owner, agency, offer) for offer in _PACKAGES]
    await owner.mutate("enableRebilling", "", agencyId=agency)
    key = await owner.mutate(
        "createApiKey", "secret", agencyId=agency, name="Demo", scopes=["READ", "SPEND"]
    )
    seeded = Seeded(agency=agency, service_key=key["secret"], packages=packages)
    for name in clients:
        await _client(owner, as_role, seeded, name, settings)
    return seeded


async def _connect_stripe(owner: ApiClient, agency: str, stripe_url: str) -> None:
    """The agency's onboarding, with the local Stripe told that its person filled everything in."""
    await owner.mutate("startStripeOnboarding", "url", agencyId=agency)
    found = await owner.query(
        "query Account($agency: ID!) { agency(id: $agency) { stripe { accountId } } }",
        agency=agency,
    )
    account = found["agency"]["stripe"]["accountId"]
    ready = {"account": account, "ready": True}
    await owner.session.post(f"{stripe_url}/_sandbox/actions/set_ready", json=ready)
    await owner.mutate("refreshStripeConnection", "", agencyId=agency)


async def _package(owner: ApiClient, agency: str, offer: tuple[str, int, int, str]) -> str:
    name, credits, bonus, price = offer
    made = await owner.mutate(
        "createCreditPackage",
        "package { id }",
        agencyId=agency,
        name=name,
        credits=credits,
        bonusCredits=bonus,
        price=price,
    )
    return str(made["package"]["id"])


async def _client(
    owner: ApiClient, as_role: AsRole, seeded: Seeded, name: str, settings: Settings
) -> None:
    made = await owner.mutate(
        "createSubAccount",
        "subAccount { id wallet { id } }",
        agencyId=seeded.agency,
        name=name,
        externalId=f"demo-{len(seeded.sub_accounts) + 1}",
    )
    client = made["subAccount"]
    buyer = as_role(Role.BILLING, seeded.agency, client["id"])
    seeded.sub_accounts.append(client["id"])
    seeded.wallets.append(client["wallet"]["id"])
    seeded.payment_methods.append(await _save_card(buyer, client["wallet"]["id"], settings))


async def _save_card(buyer: ApiClient, wallet: str, settings: Settings) -> str:
    """Save Stripe's test card as the client's own device would: with the publishable key."""
    started = await buyer.mutate(
        "startCardSetup", "cardSetup { clientSecret stripeAccountId }", walletId=wallet
    )
    secret = started["cardSetup"]["clientSecret"]
    intent = secret.split("_secret_")[0]
    async with buyer.session.post(
        f"{settings.stripe_api_base}/v1/setup_intents/{intent}/confirm",
        headers={
            "Authorization": f"Bearer {settings.stripe_publishable_key}",
            "Stripe-Account": started["cardSetup"]["stripeAccountId"],
        },
        data={"client_secret": secret, "payment_method": "pm_card_visa"},
    ) as answer:
        if answer.status != 200:
            raise ApiRefused(f"the local Stripe refused the test card: {await answer.text()}")
    return await _saved_card(buyer, wallet)


async def _saved_card(buyer: ApiClient, wallet: str) -> str:
    """Wait until the local Stripe's webhook has told the gateway of the card."""
    async with asyncio.timeout(_CARD_TIMEOUT_S):
        while True:
            found = await buyer.query(
                "query Cards($wallet: ID!) { wallet(id: $wallet) { paymentMethods { id } } }",
                wallet=wallet,
            )
            if cards := found["wallet"]["paymentMethods"]:
                return str(cards[0]["id"])
            await asyncio.sleep(_CARD_PAUSE_S)
