"""The packages that an agency offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from gateway.auth.scope import Condition, visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, rows
from gateway.errors import Refusal
from gateway.ids import is_id
from gateway.money import effective_unit, total_minor
from gateway.pricing.floor import Terms, require_amount, tidy
from gateway.pricing.quote import PackageOffer
from gateway.runtime import Runtime

COLUMNS: Final = (
    "id, agency_id, name, credits, bonus_credits, price_minor, currency, validity_days, position, "
    "visibility, archived_at, created_at"
)


class Visibility(StrEnum):
    """Who sees a package. What clients do not see they cannot buy."""

    PUBLIC = "PUBLIC"
    HIDDEN = "HIDDEN"


@dataclass(frozen=True, slots=True)
class CreditPackage:
    """credits and bonus_credits: whole; price_minor: minor units of `currency`; validity_days:
    days from the sale until the credits expire, None: never; position: order, low first."""

    id: str
    agency_id: str
    name: str
    credits: int
    bonus_credits: int
    price_minor: int
    currency: str
    validity_days: int | None
    position: int
    visibility: Visibility
    archived_at: datetime | None
    created_at: datetime

    @property
    def issued(self) -> int:
        """Credits that the buyer gets, bonus included."""
        return self.credits + self.bonus_credits

    @property
    def price_per_credit(self) -> Decimal:
        """Effective price in major units, bonus included, rounded to 6 places."""
        unit = effective_unit(
            amount_minor=self.price_minor, credits=self.issued, currency=self.currency
        )
        return tidy(unit)

    @property
    def on_sale(self) -> bool:
        """True when clients may be shown it; whether its price still stands is `is_sellable`."""
        return self.visibility is Visibility.PUBLIC and self.archived_at is None

    @property
    def offer(self) -> PackageOffer:
        """What a quote needs of it."""
        return PackageOffer(
            id=self.id,
            credits=self.credits,
            bonus_credits=self.bonus_credits,
            price_minor=self.price_minor,
            validity_days=self.validity_days,
        )

    def is_sellable(self, terms: Terms) -> bool:
        """True while the price covers today's floor."""
        try:
            require_amount(terms, amount_minor=self.price_minor, credits=self.issued)
        except Refusal:
            return False
        return True

    def margin_minor(self, terms: Terms) -> int | None:
        """What a sale leaves above today's wholesale price; None while there is none."""
        if terms.wholesale is None:
            return None
        return self.price_minor - total_minor(
            credits=self.issued, unit=terms.wholesale, currency=self.currency
        )


async def packages(
    _rt: Runtime, viewer: Viewer, ids: Sequence[str], *, on: Connection | None = None
) -> dict[str, CreditPackage]:
    """These packages, archived ones too; a client's viewer sees public ones only."""
    scope = _scope(viewer)
    found = await rows(
        f"SELECT {COLUMNS} FROM credit_packages WHERE id = ANY($1) AND {scope.sql}",
        [id for id in ids if is_id(id, "package")],
        *scope.values,
        on=on,
    )
    return {row["id"]: package_from_row(row) for row in found}


async def packages_of_agencies(
    _rt: Runtime, viewer: Viewer, agency_ids: Sequence[str]
) -> dict[str, list[CreditPackage]]:
    """What each agency offers, in its order, without archived packages."""
    scope = _scope(viewer)
    found = await rows(
        f"SELECT {COLUMNS} FROM credit_packages WHERE agency_id = ANY($1) AND archived_at IS NULL "
        f"AND {scope.sql} ORDER BY position, id",
        [id for id in agency_ids if is_id(id, "agency")],
        *scope.values,
    )
    grouped: dict[str, list[CreditPackage]] = {agency_id: [] for agency_id in agency_ids}
    for row in found:
        grouped[row["agency_id"]].append(package_from_row(row))
    return grouped


def package_from_row(row: Mapping[str, Any]) -> CreditPackage:
    """A row with COLUMNS."""
    return CreditPackage(**{**row, "visibility": Visibility(row["visibility"])})


def _scope(viewer: Viewer) -> Condition:
    scope = visible(viewer, first=2, sub_account=None)
    if viewer.sees_agency_side:
        return scope
    return Condition(f"{scope.sql} AND visibility = 'PUBLIC'", scope.values)
