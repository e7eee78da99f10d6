"""What people may type as a name."""

from __future__ import annotations

from gateway.errors import InvalidInput

_LONGEST = 200


def require_name(value: str, *, field: str) -> str:
    """The name without spaces around it. Raises InvalidInput when it is empty, longer than 200
    characters, or holds characters that cannot be printed."""
    name = value.strip()
    if not 1 <= len(name) <= _LONGEST or not name.isprintable():
        raise InvalidInput(
            f"Give 1 to {_LONGEST} printable characters.",
            field=(field,),
        )
    return name
