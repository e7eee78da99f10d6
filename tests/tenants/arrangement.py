"""Who asks, for what, with which ids: the hand-written half of the matrix.

Ids stand as nouns ("$wallet") and are filled in: with the asker's own, with somebody else's, or
with one that nobody has. An operation, an argument or an input field that the schema has and this
page does not fails the suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from gateway.auth.tokens import Tokens
from gateway.auth.viewer import Role
from gateway.ids import new_id
from tests.harness import Harness
from tests.tenants.world import OAUTH_ACTOR, OWNERS, Client, Tenant, World

Ids = Mapping[str, str]

_SIDE_A: Final = frozenset({"shop-a", "office-a", "client-a1", "client-a2"})
_CLIENT_A1: Final = frozenset({"shop-a", "client-a1"})

# Who may read what.
SEES: Final[dict[str, frozenset[str]]] = {
    "platform": frozenset(OWNERS),
    "owner-a": _SIDE_A,
    "staff-a": _SIDE_A,
    "key-a": _SIDE_A,
    "billing-a1": _CLIENT_A1,
    "member-a1": _CLIENT_A1,
    "key-a1": _CLIENT_A1,
    "owner-b": frozenset({"shop-b", "office-b", "client-b1"}),
}
# Whose credentials prove nothing.
STRANGERS: Final = ("anonymous", "expired", "wrong-audience", "wrong-issuer", "unknown-key")
# May use the API, but not read.
BLIND: Final = "blind-key-a1"

_PLATFORM: Final = frozenset({"platform"})
_OWNERS: Final = frozenset({"platform", "owner-a", "owner-b"})
_AGENCY: Final = _OWNERS | {"staff-a", "key-a"}
_BUYERS: Final = frozenset({"billing-a1", "key-a1", "key-a"})
_SPENDERS: Final = frozenset({"platform", "key-a", "key-a1", BLIND})
_READERS: Final = frozenset(SEES)


@dataclass(frozen=True)
class Operation:
    """Who may run it, and inputs that together fill every field that takes an id."""

    allowed: frozenset[str]
    inputs: tuple[dict[str, Any], ...]


def _of(allowed: frozenset[str], *inputs: dict[str, Any]) -> Operation:
    return Operation(allowed, inputs)


QUERIES: Final[dict[str, Operation]] = {
    "viewer": _of(_READERS | {BLIND}, {}),
    "node": _of(
        _READERS,
        *(
            {"id": f"${noun}"}
            for noun in (
                "agency", "sub_account", "wallet", "purchase", "payment_method", "package",
                "api_key", "lot", "transaction", "plan",
            )
        ),
    ),
    "nodes": _of(
        _READERS,
        {"ids": ["$wallet", "$purchase", "$sub_account", "$agency", "$payment_method"]},
        {"ids": ["$api_key", "$package", "$lot", "$transaction", "$plan", "nonsense"]},
    ),
    "agencies": _of(_PLATFORM, {}),
    "plans": _of(_PLATFORM, {}),
    "agency": _of(_READERS, {"id": "$agency"}),
    "subAccount": _of(_READERS, {"id": "$sub_account"}),
    "wallet": _of(_READERS, {"id": "$wallet"}),
    "purchase": _of(_READERS, {"id": "$purchase"}),
    "pricePreview": _of(
        _AGENCY, {"agencyId": "$agency", "credits": 1000, "pricePerCredit": "0.01"}
    ),
    "quotePurchase": _of(
        _READERS,
        {"walletId": "$wallet", "credits": 100},
        {"walletId": "$wallet", "credits": 9_000_000_000_000},
        {"walletId": "$wallet", "packageId": "$package"},
    ),
}  # fmt: skip

MUTATIONS: Final[dict[str, Operation]] = {
    "createPlan": _of(_PLATFORM, {"name": "New"}),
    "createAgency": _of(_PLATFORM, {"name": "New", "planId": "$plan"}),
    "updateAgency": _of(
        _PLATFORM,
        {"agencyId": "$agency", "name": "New"},
        {"agencyId": "$agency", "planId": "$plan"},
    ),
    "setWholesalePrice": _of(_PLATFORM, {"agencyId": "$agency", "pricePerCredit": "0.01"}),
    "startStripeOnboarding": _of(_OWNERS, {"agencyId": "$agency"}),
    "completeStripeOAuth": _of(_OWNERS, {"code": "ac_1", "state": "$oauth_state"}),
    "refreshStripeConnection": _of(_OWNERS, {"agencyId": "$agency"}),
    "disconnectStripe": _of(_OWNERS, {"agencyId": "$agency"}),
    "setCreditPrice": _of(
        _AGENCY,
        {"agencyId": "$agency", "pricePerCredit": "0.90"},
        {"agencyId": "$agency", "subAccountId": "$sub_account", "pricePerCredit": "0.90"},
        {"agencyId": "$agency", "subAccountId": "$sub_account", "inherit": True},
    ),
    "setQuantityRules": _of(_AGENCY, {"agencyId": "$agency", "min": 10, "max": 20}),
    "enableRebilling": _of(_AGENCY, {"agencyId": "$agency"}),
    "disableRebilling": _of(_AGENCY, {"agencyId": "$agency"}),
    "createCreditPackage": _of(
        _AGENCY, {"agencyId": "$agency", "name": "New", "credits": 1000, "price": "900.00"}
    ),
    "updateCreditPackage": _of(_AGENCY, {"packageId": "$package", "name": "New"}),
    "archiveCreditPackage": _of(_AGENCY, {"packageId": "$package"}),
    "createSubAccount": _of(_AGENCY, {"agencyId": "$agency", "name": "New"}),
    "updateSubAccount": _of(_AGENCY, {"subAccountId": "$sub_account", "name": "New"}),
    "suspendSubAccount": _of(_AGENCY, {"subAccountId": "$sub_account"}),
    "resumeSubAccount": _of(_AGENCY, {"subAccountId": "$sub_account"}),
    "setWalletAccess": _of(_AGENCY, {"subAccountId": "$sub_account", "enabled": False}),
    "configureSubAccounts": _of(
        _AGENCY,
        {"agencyId": "$agency", "items": [{"subAccountId": "$sub_account", "name": "New"}]},
        {
            "agencyId": "$agency",
            "items": [{"subAccountId": "$sub_account", "pricePerCredit": "0.90"}],
            "dryRun": True,
        },
    ),
    "createApiKey": _of(
        _OWNERS,
        {"agencyId": "$agency", "name": "New", "scopes": ["READ"]},
        {
            "agencyId": "$agency",
            "subAccountId": "$sub_account",
            "name": "New",
            "scopes": ["READ"],
        },
    ),
    "revokeApiKey": _of(_OWNERS, {"apiKeyId": "$api_key"}),
    "purchaseCredits": _of(
        _BUYERS,
        {"walletId": "$wallet", "credits": 100, "idempotencyKey": "matrix"},
        {"walletId": "$wallet", "packageId": "$package", "idempotencyKey": "matrix"},
        {
            "walletId": "$wallet",
            "credits": 100,
            "paymentMethodId": "$payment_method",
            "confirmDuplicate": True,
            "idempotencyKey": "matrix",
        },
    ),
    "refreshPurchase": _of(_READERS, {"purchaseId": "$purchase"}),
    "cancelPurchase": _of(_BUYERS, {"purchaseId": "$purchase"}),
    "startCardSetup": _of(_BUYERS, {"walletId": "$wallet"}),
    "setDefaultPaymentMethod": _of(_BUYERS, {"paymentMethodId": "$payment_method"}),
    "removePaymentMethod": _of(_BUYERS, {"paymentMethodId": "$payment_method"}),
    "spendCredits": _of(
        _SPENDERS,
        {"walletId": "$wallet", "credits": 1, "reference": "matrix", "idempotencyKey": "matrix"},
    ),
}

SUBSCRIPTIONS: Final[dict[str, Operation]] = {
    "walletUpdated": _of(
        _READERS, {"walletId": "$wallet"}, {"walletId": "$wallet", "afterVersion": 0}
    ),
    "agencyActivity": _of(
        frozenset({"platform", "owner-a", "owner-b", "staff-a", "key-a"}),
        {"agencyId": "$agency"},
    ),
}


def credentials(run: Harness, world: World, who: str) -> str | None:
    """The bearer token of an asker; None for nobody."""
    a, a1 = world.a, world.a.clients[0]
    people: dict[str, Callable[[], str | None]] = {
        "platform": lambda: run.token(Role.ADMIN),
        "owner-a": lambda: _owner(run, a),
        "staff-a": lambda: run.token(Role.STAFF, agency=a.agency),
        "key-a": lambda: a.secret,
        "billing-a1": lambda: _member(run, a, a1, Role.BILLING),
        "member-a1": lambda: _member(run, a, a1, Role.MEMBER),
        "key-a1": lambda: a1.secret,
        BLIND: lambda: f"{a1.secret}-blind",
        "owner-b": lambda: _owner(run, world.b),
        "anonymous": lambda: None,
        "expired": lambda: run.token(Role.OWNER, agency=a.agency, lifetime_s=-60),
        "wrong-audience": lambda: _signed_elsewhere(run, a, token_audience="elsewhere"),
        "wrong-issuer": lambda: _signed_elsewhere(run, a, token_issuer="elsewhere"),
        "unknown-key": lambda: "rbk_that-nobody-made",
    }
    return people[who]()


def _owner(run: Harness, tenant: Tenant) -> str:
    return run.token(Role.OWNER, agency=tenant.agency, subject=OAUTH_ACTOR)


def _member(run: Harness, tenant: Tenant, client: Client, role: Role) -> str:
    return run.token(role, agency=tenant.agency, sub_account=client.sub_account)


def _signed_elsewhere(run: Harness, tenant: Tenant, **settings: str) -> str:
    other = run.gateway.runtime.settings.model_copy(update=settings)
    return Tokens(other, run.clock).sign(
        subject=OAUTH_ACTOR,
        role=Role.OWNER,
        agency_id=tenant.agency,
        lifetime=timedelta(hours=1),
    )


def own_ids(world: World, who: str) -> Ids:
    """What the asker may name."""
    tenant = world.b if who.endswith("-b") else world.a
    return _everything(tenant, tenant.clients[0])


def foreign_ids(world: World, who: str) -> dict[str, Ids]:
    """What the asker must not learn of, by whose it is."""
    if who == "platform":
        return {}
    if who.endswith("-b"):
        return {"client-a1": _everything(world.a, world.a.clients[0])}
    others: dict[str, Ids] = {"client-b1": _everything(world.b, world.b.clients[0])}
    if "office-a" not in SEES.get(who, frozenset()):
        a, a2 = world.a, world.a.clients[1]
        others["client-a2"] = _of_client(a2)
        others["office-a"] = {
            "wallet": a.pool,
            "package": a.hidden_package,
            "api_key": a.api_key,
            "lot": a.pool_lot,
            "transaction": a.pool_transaction,
            "plan": a.plan,
        }
    return others


def unknown_ids() -> Ids:
    """Well-formed ids that nobody has."""
    nouns = (
        "agency", "sub_account", "wallet", "purchase", "payment_method", "package", "api_key",
        "lot", "transaction", "plan",
    )  # fmt: skip
    return {noun: new_id(noun) for noun in nouns} | {"oauth_state": "a state that nobody has"}


def _everything(tenant: Tenant, client: Client) -> dict[str, str]:
    return {
        "agency": tenant.agency,
        "package": tenant.package,
        "plan": tenant.plan,
        "oauth_state": tenant.oauth_state,
        **_of_client(client),
    }


def _of_client(client: Client) -> dict[str, str]:
    return {
        "sub_account": client.sub_account,
        "wallet": client.wallet,
        "purchase": client.open_purchase,
        "payment_method": client.payment_method,
        "api_key": client.api_key,
        "lot": client.lot,
        "transaction": client.transaction,
    }
