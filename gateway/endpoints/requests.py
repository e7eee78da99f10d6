"""From bytes to a GraphQL request: valid JSON of the right shape, or a plain refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.errors import BadUserInput


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The members of a GraphQL request. See GraphQL over HTTP, "Request Parameters"."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


def read_json(raw: bytes | str, *, what: str) -> Any:
    """The JSON value of `raw`; `what` names it in the refusal. Raises BadUserInput."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadUserInput(f"{what} is not valid JSON.") from None


def read_request(value: object, *, json_depth: int) -> GraphQLRequest:
    """The request inside a JSON value. Raises BadUserInput, naming the member that is wrong.

    json_depth: how many lists and objects may stand inside each other in `variables` and
    `extensions`. A list of requests (a batch) is refused. Unknown members are ignored."""
    if isinstance(value, list):
        raise BadUserInput("Batches are not served: send one request at a time.")
    if not isinstance(value, dict):
        raise BadUserInput("A GraphQL request is a JSON object.")
    query, name = value.get("query"), value.get("operationName")
    if not isinstance(query, str):
        raise BadUserInput("query is missing: it must be a string.")
    if name is not None and not isinstance(name, str):
        raise BadUserInput("operationName must be a string or null.")
    return GraphQLRequest(
        query=query,
        operation_name=name,
        variables=_object(value, "variables", json_depth),
        extensions=_object(value, "extensions", json_depth),
    )


def _object(request: dict[str, Any], name: str, json_depth: int) -> dict[str, Any] | None:
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadUserInput(f"{name} must be a JSON object or null.")
    if _is_deeper_than(json_depth, value):
        raise BadUserInput(f"{name} is nested too deeply: {json_depth} levels are allowed.")
    return value


def _is_deeper_than(levels: int, value: object) -> bool:
    level = [value]
    for _ in range(levels):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = [item for item in below if isinstance(item, dict | list)]
        if not level:
            return False
    return True
