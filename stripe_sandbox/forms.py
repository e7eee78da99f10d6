"""Stripe's form encoding, `a[b][0][c]=d`, decoded to a tree and checked against a parameter table.

A table maps a parameter's name to its shape: "str", "int", "bool", "list" (of strings), "meta",
"range" (a time or gt/gte/lt/lte of it), "any" (accepted, not read), "a|b" (one of these words), or
a nested table. A "!" at the end of a shape means required.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from stripe_sandbox.errors import ApiError, Json, invalid, required

Shape = Any
_KEY_PART = re.compile(r"([^\[\]]+)|\[([^\[\]]*)\]")
_MAX_DEPTH = 8
_MAX_METADATA = {"keys": 50, "name": 40, "value": 500}


def decode(form: str) -> Json:
    """The tree that a form or query string encodes; leaves are strings. Raises ApiError."""
    tree: Json = {}
    try:
        pairs = parse_qsl(form, keep_blank_values=True, max_num_fields=2000, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise ApiError(400, "Invalid request: the form cannot be decoded.") from None
    for key, value in pairs:
        parts = [plain or nested for plain, nested in _KEY_PART.findall(key)]
        if not parts or len(parts) > _MAX_DEPTH:
            raise ApiError(400, f"Invalid parameter name: {key[:100]}")
        _put(tree, parts, value)
    return tree


def _put(tree: Json, parts: list[str], value: str) -> None:
    for part in parts[:-1]:
        tree = tree.setdefault(part or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise ApiError(400, f"Invalid request: {part} is both a value and an object.")
    last = parts[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise ApiError(400, f"Invalid request: {last} is both a value and an object.")
    tree[last] = value


def check(tree: Json, table: dict[str, Shape], *, prefix: str = "") -> Json:
    """Typed parameters from a decoded tree. Empty strings become None (unset).

    Raises ApiError with `parameter_unknown`, `parameter_missing` or the fault of the value, before
    anything has been executed.
    """
    for name in tree:
        if name not in table:
            param = _path(prefix, name)
            raise invalid(param, f"Received unknown parameter: {param}", code="parameter_unknown")
    params: Json = {}
    for name, shape in table.items():
        param = _path(prefix, name)
        must = isinstance(shape, str) and shape.endswith("!")
        if name in tree:
            params[name] = _value(tree[name], shape.rstrip("!") if must else shape, param)
        if must and params.get(name) is None:
            raise required(param)
    return params


def _path(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def _value(raw: Any, shape: Shape, param: str) -> Any:
    if isinstance(shape, dict):
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise invalid(param, f"Invalid object: {param}")
        return check(raw, shape, prefix=param)
    if shape == "any":
        return raw
    reader = _READERS.get(shape)
    return reader(raw, param) if reader else _word(raw, shape, param)


def _text(raw: Any, param: str) -> str | None:
    if not isinstance(raw, str):
        raise invalid(param, f"Invalid string: {param}")
    return raw or None


def _word(raw: Any, shape: str, param: str) -> str | None:
    word = _text(raw, param)
    words = shape.split("|")
    if word is not None and word not in words:
        raise invalid(param, f"Invalid {param}: must be one of {', '.join(words)}")
    return word


def _integer(raw: Any, param: str) -> int | None:
    text = _text(raw, param)
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII):
        raise invalid(param, f"Invalid integer: {text}", code="parameter_invalid_integer")
    return int(text)


def _boolean(raw: Any, param: str) -> bool | None:
    text = _text(raw, param)
    if text not in (None, "true", "false"):
        raise invalid(param, f"Invalid boolean: {text}")
    return None if text is None else text == "true"


def _list(raw: Any, param: str) -> list[str]:
    if raw == "":
        return []
    if not isinstance(raw, dict) or not all(isinstance(item, str) for item in raw.values()):
        raise invalid(param, f"Invalid array: {param}")
    return list(raw.values())


def _range(raw: Any, param: str) -> Json:
    if isinstance(raw, dict):
        return check(raw, dict.fromkeys(("gt", "gte", "lt", "lte"), "int"), prefix=param)
    at = _integer(raw, param)
    return {"gte": at, "lte": at}


def _metadata(raw: Any, param: str) -> dict[str, str] | None:
    if raw == "":
        return None
    if not isinstance(raw, dict) or not all(isinstance(item, str) for item in raw.values()):
        raise invalid(param, "Metadata must be a hash of strings.")
    for name, value in raw.items():
        if len(name) > _MAX_METADATA["name"] or len(value) > _MAX_METADATA["value"]:
            raise invalid(_path(param, name), "Metadata: a name or a value is too long.")
    if len(raw) > _MAX_METADATA["keys"]:
        raise invalid(param, "Metadata can hold at most 50 keys.")
    return raw


_READERS = {
    "str": _text,
    "int": _integer,
    "bool": _boolean,
    "list": _list,
    "range": _range,
    "meta": _metadata,
}


def merge_metadata(held: dict[str, str], params: Json) -> dict[str, str]:
    """The metadata after an update: names are merged, an empty value unsets, null clears all."""
    if "metadata" not in params:
        return held
    change: dict[str, str] | None = params["metadata"]
    if change is None:
        return {}
    merged = {**held, **change}
    return {name: value for name, value in merged.items() if value != ""}
