"""The prices that stand now, read from their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, rows
from gateway.pricing.floor import QuantityRules, Terms, tidy
from gateway.runtime import Runtime

# An agency's own wholesale price goes before the default of its currency, however old it is.
_PRICES: Final = """
    LEFT JOIN LATERAL (
        SELECT mode, price, markup FROM retail_prices
        WHERE agency_id = a.id AND coalesce(sub_account_id, '') = ''
        ORDER BY version DESC LIMIT 1
    ) own ON TRUE
    LEFT JOIN LATERAL (
        SELECT price FROM wholesale_prices
        WHERE currency = a.currency AND (agency_id = a.id OR agency_id IS NULL)
            AND effective_at <= $2
        ORDER BY agency_id NULLS LAST, effective_at DESC, id DESC LIMIT 1
    ) wholesale ON TRUE
"""
_COLUMNS: Final = """
    a.currency, a.quantity_min, a.quantity_max, a.quantity_step, wholesale.price AS wholesale,
    own.mode AS own_mode, own.price AS own_price, own.markup AS own_markup
"""
_OF_AGENCIES: Final = """
    SELECT a.id, {columns} FROM agencies a {prices} WHERE a.id = ANY($1) AND {visible}
"""
_OF_SUB_ACCOUNTS: Final = """
    SELECT s.id, {columns}, override.mode, override.price, override.markup
    FROM sub_accounts s JOIN agencies a ON a.id = s.agency_id {prices}
    LEFT JOIN LATERAL (
        SELECT mode, price, markup FROM retail_prices
        WHERE agency_id = s.agency_id AND coalesce(sub_account_id, '') = s.id
        ORDER BY version DESC LIMIT 1
    ) override ON TRUE
    WHERE s.id = ANY($1) AND {visible}
"""


async def agency_terms(
    rt: Runtime, viewer: Viewer, agency_ids: Sequence[str], *, on: Connection | None = None
) -> dict[str, Terms]:
    """Today's terms of these agencies, without any sub-account's override. Unknown and foreign
    ids are left out."""
    scope = visible(viewer, first=3, agency="a.id", sub_account=None)
    sql = _OF_AGENCIES.format(columns=_COLUMNS, prices=_PRICES, visible=scope.sql)
    found = await rows(sql, list(agency_ids), rt.clock(), *scope.values, on=on)
    margin = rt.settings.minimum_margin
    return {row["id"]: _terms(row, _own_retail(row), margin) for row in found}


async def sub_account_terms(
    rt: Runtime, viewer: Viewer, sub_account_ids: Sequence[str], *, on: Connection | None = None
) -> dict[str, Terms]:
    """Today's terms of these sub-accounts: the override where one stands, else the agency's.
    Unknown and foreign ids are left out. `on`: read inside an open transaction."""
    scope = visible(viewer, first=3, agency="s.agency_id", sub_account="s.id")
    sql = _OF_SUB_ACCOUNTS.format(columns=_COLUMNS, prices=_PRICES, visible=scope.sql)
    found = await rows(sql, list(sub_account_ids), rt.clock(), *scope.values, on=on)
    margin = rt.settings.minimum_margin
    return {row["id"]: _terms(row, _override_or_own(row), margin) for row in found}


def _terms(row: Mapping[str, Any], retail: Decimal | None, minimum_margin: Decimal) -> Terms:
    wholesale = row["wholesale"]
    return Terms(
        currency=row["currency"],
        retail=None if retail is None else tidy(retail),
        wholesale=None if wholesale is None else tidy(wholesale),
        minimum_margin=minimum_margin,
        quantity=QuantityRules(
            minimum=row["quantity_min"], maximum=row["quantity_max"], step=row["quantity_step"]
        ),
    )


def _override_or_own(row: Mapping[str, Any]) -> Decimal | None:
    if row["mode"] in (None, "INHERIT"):
        return _own_retail(row)
    return _retail(row["mode"], row["price"], row["markup"], row["wholesale"])


def _own_retail(row: Mapping[str, Any]) -> Decimal | None:
    return _retail(row["own_mode"], row["own_price"], row["own_markup"], row["wholesale"])


def _retail(
    mode: str | None, price: Decimal | None, markup: Decimal | None, wholesale: Decimal | None
) -> Decimal | None:
    """COST_PLUS follows wholesale by itself; FIXED stays, and the floor judges it."""
    if mode == "COST_PLUS":
        assert markup is not None
        return None if wholesale is None else wholesale + markup
    return price
