"""What a client asks for when it buys credits, and what the gateway looks up to judge it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row
from gateway.errors import InvalidInput, NotFound
from gateway.idempotency import request_hash
from gateway.ids import is_id
from gateway.pricing.quote import PackageOffer, Quote, quote_credits, quote_package
from gateway.pricing.terms import sub_account_terms
from gateway.runtime import Runtime

_LONGEST_KEY: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Exactly one of credits (whole) and package_id. payment_method_id: a saved card that is
    charged at once; None: the client will confirm with a card itself. expected_total: what the
    buyer was shown, in major units. confirm_duplicate: buy although the same purchase is open."""

    wallet_id: str
    credits: int | None
    package_id: str | None
    payment_method_id: str | None
    save_payment_method: bool
    expected_total: Decimal | None
    confirm_duplicate: bool
    idempotency_key: str

    def check(self) -> None:
        """Raises InvalidInput for a wish that cannot be meant."""
        if not 1 <= len(self.idempotency_key) <= _LONGEST_KEY or "\x00" in self.idempotency_key:
            raise InvalidInput(
                f"An idempotency key has 1 to {_LONGEST_KEY} characters.",
                field=("idempotencyKey",),
            )
        check_item(self.credits, self.package_id)

    @property
    def request_hash(self) -> bytes:
        """Of everything but the key: the same key with another wish is a mistake."""
        total = self.expected_total
        shown = None if total is None else str(total.normalize())
        return request_hash({**asdict(self), "idempotency_key": None, "expected_total": shown})


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whose wallet is filled, and the agency's present Stripe account (None without one)."""

    wallet_id: str
    agency_id: str
    sub_account_id: str
    stripe_account_id: str | None


def check_item(credits: int | None, package_id: str | None) -> None:
    """Raises InvalidInput unless exactly one of a quantity and a package is named."""
    if (credits is None) == (package_id is None):
        raise InvalidInput("Give either credits or packageId, and only one of them.")


async def find_buyer(viewer: Viewer, wallet_id: str, *, on: Connection | None = None) -> Buyer:
    """The client behind a wallet. Raises NotFound for a pool, a foreign and an unknown wallet."""
    scope = visible(viewer, first=2, agency="w.agency_id", sub_account="w.sub_account_id")
    sql = f"""
        SELECT w.id AS wallet_id, w.agency_id, w.sub_account_id, c.account_id AS stripe_account_id
        FROM wallets w
        LEFT JOIN stripe_connections c
            ON c.agency_id = w.agency_id AND c.status <> 'DISCONNECTED'
        WHERE w.id = $1 AND w.kind = 'CLIENT' AND {scope.sql}
    """
    if not is_id(wallet_id, "wallet"):
        raise NotFound("wallet", field=("walletId",))
    found = await row(sql, wallet_id, *scope.values, on=on)
    if found is None:
        raise NotFound("wallet", field=("walletId",))
    return Buyer(**found)


async def quote_item(
    rt: Runtime,
    viewer: Viewer,
    buyer: Buyer,
    *,
    credits: int | None,
    package_id: str | None,
    on: Connection | None = None,
) -> Quote:
    """Today's price of an item for this buyer. Raises what `quote_credits` and `quote_package`
    raise, and NotFound for a package that is not on offer."""
    terms = (await sub_account_terms(rt, viewer, [buyer.sub_account_id], on=on))[
        buyer.sub_account_id
    ]
    if package_id is not None:
        return quote_package(terms, await _offer(viewer, buyer, package_id, on=on))
    assert credits is not None
    return quote_credits(terms, credits)


async def _offer(
    viewer: Viewer, buyer: Buyer, package_id: str, *, on: Connection | None
) -> PackageOffer:
    sql = """
        SELECT id, credits, bonus_credits, price_minor, validity_days FROM credit_packages
        WHERE agency_id = $1 AND id = $2 AND archived_at IS NULL
            AND (visibility = 'PUBLIC' OR $3)
    """
    seller_side = viewer.sees_agency_side
    found = None
    if is_id(package_id, "package"):
        found = await row(sql, buyer.agency_id, package_id, seller_side, on=on)
    if found is None:
        raise NotFound("package", field=("packageId",))
    return PackageOffer(**found)
