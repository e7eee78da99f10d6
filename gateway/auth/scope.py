"""The one way to restrict a hand-written statement to what a viewer may see."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.auth.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Condition:
    """`sql` is a condition for WHERE, `values` its parameters, in order."""

    sql: str
    values: tuple[str, ...]


def visible(
    viewer: Viewer,
    *,
    first: int,
    agency: str = "agency_id",
    sub_account: str | None = "sub_account_id",
) -> Condition:
    """The rows that `viewer` may see: all (platform), its agency's, or its sub-account's.

    first: number of the first parameter ($n) the condition may use. agency, sub_account: the
    columns' names as the statement knows them; sub_account None for tables of a whole agency."""
    if viewer.is_platform:
        return Condition("TRUE", ())
    assert viewer.agency_id is not None
    if viewer.sub_account_id is None or sub_account is None:
        return Condition(f"{agency} = ${first}", (viewer.agency_id,))
    return Condition(
        f"{agency} = ${first} AND {sub_account} = ${first + 1}",
        (viewer.agency_id, viewer.sub_account_id),
    )
