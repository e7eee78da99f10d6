"""Custom scalars: each with a specification, a strict parser and a plain message."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NewType

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

from gateway.money import MAX_CREDITS

Credits = NewType("Credits", int)
Int64 = NewType("Int64", int)
CurrencyCode = NewType("CurrencyCode", str)

_INT64_LIMIT: Final = 2**63
_LONGEST_NUMBER: Final = 40


def _whole(value: object, *, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise GraphQLError(f"{name} must be a whole number from {low} to {high}.")
    return value


def _parse_credits(value: object) -> int:
    return _whole(value, name="Credits", low=-MAX_CREDITS, high=MAX_CREDITS)


def _parse_int64(value: object) -> int:
    return _whole(value, name="Int64", low=-_INT64_LIMIT, high=_INT64_LIMIT - 1)


def _literal_integer(parse: Any, name: str) -> Any:
    def parse_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> int:
        # A length bound first: Python refuses to read integers of thousands of digits.
        if not isinstance(node, IntValueNode) or len(node.value) > _LONGEST_NUMBER:
            raise GraphQLError(f"{name} must be a whole number.", node)
        return int(parse(int(node.value)))

    return parse_literal


def _parse_decimal(value: object) -> Decimal:
    """Strings, and numbers whose text is exact (integers); a JSON float is refused."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise GraphQLError('Decimal must be a string such as "0.25".')
    text = str(value) if isinstance(value, int) and abs(value) < 10**18 else value
    if not isinstance(text, str) or len(text) > _LONGEST_NUMBER:
        raise GraphQLError("Decimal has too many digits.")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise GraphQLError('Decimal must be a string such as "0.25".') from None
    if not number.is_finite() or "e" in text.lower() or "_" in text:
        raise GraphQLError('Decimal must be a plain number such as "0.25".')
    return number


def _decimal_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> Decimal:
    # The text of a literal is exact, so a bare 0.25 is as good as "0.25" here.
    if not isinstance(node, StringValueNode | IntValueNode | FloatValueNode):
        raise GraphQLError('Decimal must be a string such as "0.25".', node)
    return _parse_decimal(node.value)


def _decimal_text(value: Decimal) -> str:
    """Plain digits, without exponent or trailing zeros beyond the second place."""
    text = format(value, "f")
    if "." not in text:
        return text
    whole, places = text.split(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}" if len(places) > 2 else text


def _parse_instant(value: object) -> datetime:
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        raise GraphQLError('DateTime must be a string such as "2026-01-31T12:00:00Z".')
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise GraphQLError('DateTime must look like "2026-01-31T12:00:00Z".') from None
    if instant.tzinfo is None:
        raise GraphQLError("DateTime needs a time zone: end it with Z.")
    return instant.astimezone(UTC)


def _instant_text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parse_currency(value: object) -> str:
    if not isinstance(value, str) or len(value) != 3 or not value.isascii() or not value.isupper():
        raise GraphQLError('CurrencyCode must be three capital letters such as "USD".')
    return value


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Credits: strawberry.scalar(
        name="Credits",
        description="A whole number of credits, as a JSON integer up to 2^53 - 1 in size.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        serialize=int,
        parse_value=_parse_credits,
        parse_literal=_literal_integer(_parse_credits, "Credits"),
    ),
    Int64: strawberry.scalar(
        name="Int64",
        description="A 64-bit signed integer, as a JSON number.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        serialize=int,
        parse_value=_parse_int64,
        parse_literal=_literal_integer(_parse_int64, "Int64"),
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as a string such as "0.25".',
        specified_by_url="https://speleotrove.com/decimal/daconvs.html",
        serialize=_decimal_text,
        parse_value=_parse_decimal,
        parse_literal=_decimal_literal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, RFC 3339, with milliseconds.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_instant_text,
        parse_value=_parse_instant,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="A currency by its ISO 4217 code, in capital letters.",
        specified_by_url="https://www.iso.org/iso-4217-currency-codes.html",
        serialize=str,
        parse_value=_parse_currency,
    ),
}
"""Python type → GraphQL scalar, for the schema's configuration."""
