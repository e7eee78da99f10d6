"""Column shorthands, so that a kind of value has one definition in every table."""

from __future__ import annotations

from typing import Any

from tortoise import fields as typed_fields

# Nullability is decided at run time here, which the overloads of the fields cannot express.
fields: Any = typed_fields


def key() -> Any:
    """The row's TypeID."""
    return fields.CharField(max_length=40, primary_key=True)


def ref(*, null: bool = False) -> Any:
    """The TypeID of another row; the foreign key itself is composite and stands in a migration."""
    return fields.CharField(max_length=40, null=null)


def word(*, null: bool = False, default: str | None = None) -> Any:
    """One of a closed list, held by a CHECK."""
    return fields.CharField(max_length=32, null=null, **_default(default))


def text(*, null: bool = False) -> Any:
    return fields.TextField(null=null)


def outside_id(*, null: bool = False) -> Any:
    """An id that Stripe made."""
    return fields.CharField(max_length=255, null=null)


def count(*, null: bool = False, default: int | None = None) -> Any:
    """Whole credits, minor units of money, versions: 64-bit integers."""
    return fields.BigIntField(null=null, **_default(default))


def small(*, default: int | None = None) -> Any:
    return fields.SmallIntField(**_default(default))


def unit_price(*, null: bool = False) -> Any:
    """Money per credit in major units, exact to 6 places."""
    return fields.DecimalField(max_digits=20, decimal_places=6, null=null)


def currency(*, null: bool = False) -> Any:
    """ISO 4217, upper case."""
    return fields.CharField(max_length=3, null=null)


def instant(*, null: bool = False) -> Any:
    return fields.DatetimeField(null=null)


def flag(*, default: bool) -> Any:
    return fields.BooleanField(default=default, db_default=default)


def json(*, null: bool = False) -> Any:
    return fields.JSONField(null=null)


def digest(*, null: bool = False) -> Any:
    """A SHA-256."""
    return fields.BinaryField(null=null)


def _default(value: object) -> dict[str, Any]:
    return {} if value is None else {"default": value, "db_default": value}
