"""The messages a client may send under graphql-transport-ws, read strictly.

See "GraphQL over WebSocket Protocol" of graphql-ws: anything else closes the socket with 4400."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.endpoints.requests import GraphQLRequest, read_json, read_request
from gateway.errors import BadUserInput

SUBPROTOCOL = "graphql-transport-ws"
_ID_CHARS = 128


class Kind(StrEnum):
    """What a client's message is about."""

    INIT = "connection_init"
    PING = "ping"
    PONG = "pong"
    SUBSCRIBE = "subscribe"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """One message. `id`: set for subscribe and complete; `request`: for subscribe; `payload`: for
    the others, empty if the client sent none."""

    kind: Kind
    id: str
    payload: dict[str, Any]
    request: GraphQLRequest | None


def read_message(text: str, *, json_depth: int) -> ClientMessage:
    """The message in a text frame. Raises BadUserInput for anything the protocol does not know,
    messages of the server's side included."""
    value = read_json(text, what="The message")
    if not isinstance(value, dict):
        raise BadUserInput("A message is a JSON object.")
    named = str(value.get("type"))
    if named not in list(Kind):
        raise BadUserInput("Unknown message type.")
    kind = Kind(named)
    if kind is Kind.SUBSCRIBE:
        request = read_request(value.get("payload"), json_depth=json_depth)
        return ClientMessage(kind, _id(value), {}, request)
    if kind is Kind.COMPLETE:
        return ClientMessage(kind, _id(value), {}, None)
    payload = value.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise BadUserInput("payload must be a JSON object.")
    return ClientMessage(kind, "", payload or {}, None)


def _id(message: dict[str, Any]) -> str:
    id = message.get("id")
    if not isinstance(id, str) or not 1 <= len(id) <= _ID_CHARS:
        raise BadUserInput(f"id must be a string of 1 to {_ID_CHARS} characters.")
    return id
