"""What an agency earned with its completed sales."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.auth.scope import visible
from gateway.auth.viewer import Viewer
from gateway.database import row
from gateway.errors import AccessDenied, BadUserInput
from gateway.ids import is_id

_SUMS: Final = """
    SELECT a.currency, count(p.id) AS count,
        coalesce(sum(p.gross_minor), 0)::bigint AS gross_minor,
        coalesce(sum(p.wholesale_total_minor), 0)::bigint AS wholesale_minor,
        coalesce(sum(p.margin_minor), 0)::bigint AS margin_minor,
        coalesce(sum(p.stripe_fee_minor), 0)::bigint AS stripe_fee_minor,
        count(p.id) FILTER (WHERE p.stripe_fee_minor IS NULL) AS fees_unknown
    FROM agencies a
    LEFT JOIN purchases p ON p.agency_id = a.id AND p.status = 'COMPLETED'
        AND p.completed_at >= $2 AND p.completed_at < $3
"""


@dataclass(frozen=True, slots=True)
class EarningsReport:
    """Completed purchases of [start, end). Amounts in minor units of `currency`.

    margin = net − wholesale, before Stripe's fee. fees_unknown: sales whose Stripe fee is not
    booked yet and so not part of stripe_fee_minor."""

    currency: str
    start: datetime
    end: datetime
    count: int
    gross_minor: int
    wholesale_minor: int
    margin_minor: int
    stripe_fee_minor: int
    fees_unknown: int


async def earnings(
    viewer: Viewer, *, agency_id: str, start: datetime, end: datetime
) -> EarningsReport | None:
    """The report of an agency. Raises AccessDenied for a client's viewer, BadUserInput for an
    empty range. None for an agency that the viewer does not see."""
    if not viewer.sees_agency_side:
        raise AccessDenied("Only the agency and the platform see this field.")
    if start >= end:
        raise BadUserInput("`from` must lie before `to`.")
    if not is_id(agency_id, "agency"):
        return None
    scope = visible(viewer, first=4, agency="a.id", sub_account=None)
    found = await row(
        f"{_SUMS} WHERE a.id = $1 AND {scope.sql} GROUP BY a.id",
        agency_id,
        start,
        end,
        *scope.values,
    )
    return EarningsReport(start=start, end=end, **found) if found else None
