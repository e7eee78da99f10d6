"""Making and changing the packages that an agency offers. Each is held to the floor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.agencies.names import require_name
from gateway.agencies.read import lock_agency
from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, row, transaction
from gateway.errors import InvalidInput, NotFound
from gateway.ids import is_id, new_id
from gateway.money import MAX_CREDITS, Money, charge_step, exponent
from gateway.outbox.events import ActivityKind, record_agency_event
from gateway.pricing.floor import require_amount
from gateway.pricing.packages import COLUMNS, CreditPackage, Visibility, package_from_row
from gateway.pricing.quote import CHARGE_MAXIMUM_MINOR, quote_package
from gateway.pricing.terms import agency_terms
from gateway.runtime import Runtime

MAX_PACKAGES: Final = 100
_MAX_VALIDITY_DAYS: Final = 3_650
_MAX_POSITION: Final = 1_000_000

_INSERT: Final = f"""
    INSERT INTO credit_packages (
        id, agency_id, name, credits, bonus_credits, price_minor, currency, currency_exponent,
        floor, validity_days, position, visibility, created_at, updated_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) RETURNING {COLUMNS}
"""
_UPDATE: Final = f"""
    UPDATE credit_packages SET name = $3, credits = $4, bonus_credits = $5, price_minor = $6,
        floor = coalesce($7, floor), validity_days = $8, position = $9, visibility = $10,
        updated_at = $11
    WHERE agency_id = $1 AND id = $2 RETURNING {COLUMNS}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageTerms:
    """credits, bonus_credits: whole. price: major units of the agency's currency. validity_days:
    days until the credits expire, None: never. position: order, low first."""

    name: str
    credits: int
    bonus_credits: int
    price: Decimal
    validity_days: int | None
    position: int
    visibility: Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """What to change of a package; None leaves a value as it is, but validity_days counts only
    without keep_validity (there None means that the credits never expire)."""

    name: str | None = None
    credits: int | None = None
    bonus_credits: int | None = None
    price: Decimal | None = None
    validity_days: int | None = None
    keep_validity: bool = True
    position: int | None = None
    visibility: Visibility | None = None

    def applied_to(self, package: CreditPackage) -> PackageTerms:
        """The terms of `package` after this change."""
        price = Money(package.price_minor, package.currency).amount
        return PackageTerms(
            name=package.name if self.name is None else self.name,
            credits=package.credits if self.credits is None else self.credits,
            bonus_credits=(
                package.bonus_credits if self.bonus_credits is None else self.bonus_credits
            ),
            price=price if self.price is None else self.price,
            validity_days=package.validity_days if self.keep_validity else self.validity_days,
            position=package.position if self.position is None else self.position,
            visibility=self.visibility or package.visibility,
        )


async def create_credit_package(
    rt: Runtime, viewer: Viewer, *, agency_id: str, terms: PackageTerms
) -> CreditPackage:
    """Offer a package, in the agency's currency.

    Raises NotFound, InvalidInput, BelowWholesale (with bonus credits counted), BelowChargeMinimum,
    PriceUnavailable (no wholesale price yet)."""
    now = rt.clock()
    async with transaction() as connection:
        agency = await lock_agency(connection, viewer, agency_id)
        await _require_room(connection, agency.id)
        wanted = _checked(new_id("package"), agency.id, agency.currency, terms, now)
        found = await row(
            _INSERT,
            wanted.id,
            agency.id,
            wanted.name,
            wanted.credits,
            wanted.bonus_credits,
            wanted.price_minor,
            wanted.currency,
            exponent(wanted.currency),
            await _required_floor(rt, viewer, connection, wanted),
            wanted.validity_days,
            wanted.position,
            wanted.visibility.value,
            now,
            on=connection,
        )
        assert found is not None
        await _tell(connection, agency.id, now)
    return package_from_row(found)


async def update_credit_package(
    rt: Runtime, viewer: Viewer, *, package_id: str, change: PackageChange
) -> CreditPackage:
    """Change a package; sales that have begun keep theirs. Name, order and visibility can
    change also while its price no longer covers the floor.

    Raises NotFound, InvalidInput, BelowWholesale, BelowChargeMinimum, PriceUnavailable."""
    now = rt.clock()
    async with transaction() as connection:
        package = await _lock_package(connection, viewer, package_id)
        terms = change.applied_to(package)
        wanted = _checked(package.id, package.agency_id, package.currency, terms, now)
        floor = None
        if _amounts(wanted) != _amounts(package):
            floor = await _required_floor(rt, viewer, connection, wanted)
        found = await row(
            _UPDATE,
            package.agency_id,
            package.id,
            wanted.name,
            wanted.credits,
            wanted.bonus_credits,
            wanted.price_minor,
            floor,
            wanted.validity_days,
            wanted.position,
            wanted.visibility.value,
            now,
            on=connection,
        )
        assert found is not None
        await _tell(connection, package.agency_id, now)
    return package_from_row(found)


async def archive_credit_package(rt: Runtime, viewer: Viewer, *, package_id: str) -> CreditPackage:
    """Take a package off the shelf for ever; again is the same. Raises NotFound."""
    now = rt.clock()
    async with transaction() as connection:
        package = await _lock_package(connection, viewer, package_id)
        found = await row(
            "UPDATE credit_packages SET archived_at = coalesce(archived_at, $3), updated_at = $3 "
            f"WHERE agency_id = $1 AND id = $2 RETURNING {COLUMNS}",
            package.agency_id,
            package.id,
            now,
            on=connection,
        )
        assert found is not None
        await _tell(connection, package.agency_id, now)
    return package_from_row(found)


async def _lock_package(connection: Connection, viewer: Viewer, package_id: str) -> CreditPackage:
    if is_id(package_id, "package"):
        scope = visible(viewer, first=2, sub_account=None)
        found = await row(
            f"SELECT {COLUMNS} FROM credit_packages WHERE id = $1 AND {scope.sql} FOR UPDATE",
            package_id,
            *scope.values,
            on=connection,
        )
        if found is not None:
            return package_from_row(found)
    raise NotFound("package", field=("packageId",))


def _amounts(package: CreditPackage) -> tuple[int, int, int]:
    return package.credits, package.bonus_credits, package.price_minor


def _checked(
    id: str, agency_id: str, currency: str, terms: PackageTerms, now: datetime
) -> CreditPackage:
    if terms.credits < 1 or terms.bonus_credits < 0:
        raise InvalidInput("credits is 1 or more, bonusCredits 0 or more.", field=("credits",))
    if terms.credits + terms.bonus_credits > MAX_CREDITS:
        raise InvalidInput("A package cannot hold so many credits.", field=("credits",))
    if terms.validity_days is not None and not 1 <= terms.validity_days <= _MAX_VALIDITY_DAYS:
        raise InvalidInput(
            f"Credits stay valid for 1 to {_MAX_VALIDITY_DAYS} days, or for ever.",
            field=("validityDays",),
        )
    if not 0 <= terms.position <= _MAX_POSITION:
        raise InvalidInput(f"The position is 0 to {_MAX_POSITION}.", field=("position",))
    return CreditPackage(
        id=id,
        agency_id=agency_id,
        name=require_name(terms.name, field="name"),
        credits=terms.credits,
        bonus_credits=terms.bonus_credits,
        price_minor=_price_minor(terms.price, currency),
        currency=currency,
        validity_days=terms.validity_days,
        position=terms.position,
        visibility=terms.visibility,
        archived_at=None,
        created_at=now,
    )


def _price_minor(price: Decimal, currency: str) -> int:
    places = exponent(currency)
    if not 0 < price <= Decimal(CHARGE_MAXIMUM_MINOR).scaleb(-places):
        raise InvalidInput("This price cannot be charged to a card.", field=("price",))
    minor = price.scaleb(places)
    if minor % charge_step(currency):
        # Cards are charged in two decimals even where the currency has three.
        raise InvalidInput(
            f"A price in {currency} has at most {min(places, 2)} decimal places.", field=("price",)
        )
    return int(minor)


async def _required_floor(
    rt: Runtime, viewer: Viewer, connection: Connection, package: CreditPackage
) -> Decimal:
    agency_id = package.agency_id
    terms = (await agency_terms(rt, viewer, [agency_id], on=connection))[agency_id]
    floor = require_amount(
        terms, amount_minor=package.price_minor, credits=package.issued, field=("price",)
    )
    quote_package(terms, package.offer)
    return floor


async def _require_room(connection: Connection, agency_id: str) -> None:
    found = await row(
        "SELECT count(*) AS count FROM credit_packages "
        "WHERE agency_id = $1 AND archived_at IS NULL",
        agency_id,
        on=connection,
    )
    assert found is not None
    if found["count"] >= MAX_PACKAGES:
        raise InvalidInput(f"An agency offers at most {MAX_PACKAGES} packages. Archive one first.")


async def _tell(connection: Connection, agency_id: str, now: datetime) -> None:
    await record_agency_event(
        connection, agency_id=agency_id, kind=ActivityKind.BLOCKS_UPDATED, payload={}, now=now
    )
