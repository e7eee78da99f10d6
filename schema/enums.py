"""Enums of the business, published with a description for each value."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import strawberry

EnumT = TypeVar("EnumT", bound=StrEnum)


def described(
    enum: type[EnumT], description: str, values: Mapping[EnumT, str], *, name: str | None = None
) -> type[EnumT]:
    """Publish `enum`. Raises AssertionError when a value has no description."""
    missing = set(enum) - set(values)
    assert not missing, f"{enum.__name__} has undescribed values: {sorted(missing)}"
    published = strawberry.enum(enum, name=name, description=description)
    definition = published.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]
    return published
