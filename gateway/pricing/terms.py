"""The prices that stand now, read from their versions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import Connection, Row, rows
from gateway.ids import is_id
from gateway.pricing.floor import QuantityRules, Terms, tidy
from gateway.runtime import Runtime

# An agency's own wholesale price goes before the default of its currency, however old it is.
WHOLESALE: Final = """
    LEFT JOIN LATERAL (
        SELECT price FROM wholesale_prices
        WHERE currency = {agency}.currency AND (agency_id = {agency}.id OR agency_id IS NULL)
            AND effective_at <= {now}
        ORDER BY agency_id NULLS LAST, effective_at DESC, id DESC LIMIT 1
    ) wholesale ON TRUE
"""
"""Joins `wholesale.price`, the price of the moment `now` for the agency of that alias."""


def current_retail(agency_id: str, sub_account_id: str) -> str:
    """A query for `price`, the price per credit that stands: the sub-account's override where
    there is one, else the agency's. COST_PLUS follows `wholesale.price`, which must be joined.

    Both arguments are expressions of the statement around it, never values of a client."""
    return f"""
        SELECT CASE mode WHEN 'COST_PLUS' THEN wholesale.price + markup ELSE price END AS price
        FROM (
            (SELECT 0 AS place, mode, price, markup FROM retail_prices
             WHERE agency_id = {agency_id} AND coalesce(sub_account_id, '') = {sub_account_id}
             ORDER BY version DESC LIMIT 1)
            UNION ALL
            (SELECT 1 AS place, mode, price, markup FROM retail_prices
             WHERE agency_id = {agency_id} AND coalesce(sub_account_id, '') = ''
             ORDER BY version DESC LIMIT 1)
        ) standing
        WHERE mode <> 'INHERIT' ORDER BY place LIMIT 1
    """


_COLUMNS: Final = (
    "a.currency, a.quantity_min, a.quantity_max, a.quantity_step, wholesale.price AS wholesale, "
    "retail.price AS retail"
)
_OF_AGENCIES: Final = f"""
    SELECT a.id, {_COLUMNS} FROM agencies a {WHOLESALE.format(agency="a", now="$2")}
    LEFT JOIN LATERAL ({current_retail("a.id", "''")}) retail ON TRUE
"""
_OF_SUB_ACCOUNTS: Final = f"""
    SELECT s.id, {_COLUMNS} FROM sub_accounts s JOIN agencies a ON a.id = s.agency_id
    {WHOLESALE.format(agency="a", now="$2")}
    LEFT JOIN LATERAL ({current_retail("s.agency_id", "s.id")}) retail ON TRUE
"""


async def agency_terms(
    rt: Runtime, viewer: Viewer, agency_ids: Sequence[str], *, on: Connection | None = None
) -> dict[str, Terms]:
    """Today's terms of these agencies, without any sub-account's override. Unknown and foreign
    ids are left out. `on`: read inside an open transaction."""
    scope = visible(viewer, first=3, agency="a.id", sub_account=None)
    sql = f"{_OF_AGENCIES} WHERE a.id = ANY($1) AND {scope.sql}"
    wanted = [id for id in agency_ids if is_id(id, "agency")]
    return _terms_by_id(rt, await rows(sql, wanted, rt.clock(), *scope.values, on=on))


async def sub_account_terms(
    rt: Runtime, viewer: Viewer, sub_account_ids: Sequence[str], *, on: Connection | None = None
) -> dict[str, Terms]:
    """Today's terms of these sub-accounts: the override where one stands, else the agency's.
    Unknown and foreign ids are left out. `on`: read inside an open transaction."""
    scope = visible(viewer, first=3, agency="s.agency_id", sub_account="s.id")
    sql = f"{_OF_SUB_ACCOUNTS} WHERE s.id = ANY($1) AND {scope.sql}"
    wanted = [id for id in sub_account_ids if is_id(id, "sub_account")]
    return _terms_by_id(rt, await rows(sql, wanted, rt.clock(), *scope.values, on=on))


def _terms_by_id(rt: Runtime, found: Sequence[Row]) -> dict[str, Terms]:
    return {row["id"]: _terms(row, rt.settings.minimum_margin) for row in found}


def _terms(row: Row, minimum_margin: Decimal) -> Terms:
    retail, wholesale = row["retail"], row["wholesale"]
    return Terms(
        currency=row["currency"],
        retail=None if retail is None else tidy(retail),
        wholesale=None if wholesale is None else tidy(wholesale),
        minimum_margin=minimum_margin,
        quantity=QuantityRules(
            minimum=row["quantity_min"], maximum=row["quantity_max"], step=row["quantity_step"]
        ),
    )
