"""The GraphQL endpoints: HTTP, server-sent events and WebSocket behind one path."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import strawberry
from starlette.routing import BaseRoute, Route, WebSocketRoute

from gateway.endpoints.connections import Connections
from gateway.endpoints.draining import Draining
from gateway.endpoints.execution import Engine
from gateway.endpoints.http import HttpEndpoint
from gateway.endpoints.limits import Limits
from gateway.endpoints.login import Authenticator, ContextFactory
from gateway.endpoints.sse import EventStreams
from gateway.endpoints.websocket import WebSocketEndpoint

__all__ = ["PATH", "Authenticator", "ContextFactory", "Limits", "graphql_routes"]

PATH = "/graphql"


def graphql_routes(
    *,
    schema: strawberry.Schema,
    authenticate: Authenticator,
    make_context: ContextFactory,
    limits: Limits,
    clock: Callable[[], datetime],
    draining: Draining,
) -> list[BaseRoute]:
    """Routes that serve `schema` at `/graphql`: POST, GET for queries, event streams, and the
    WebSocket subprotocol graphql-transport-ws.

    clock: the time that a token's end is compared with. draining: once set, lasting connections
    are closed so that their clients come back, to another process. Raises ValueError for a schema
    with extensions, which would not run."""
    engine = Engine(schema=schema, make_context=make_context, limits=limits)
    connections = Connections(per_subject=limits.sockets_per_subject)
    streams = EventStreams(
        engine=engine, limits=limits, clock=clock, draining=draining, connections=connections
    )
    http = HttpEndpoint(engine=engine, authenticate=authenticate, limits=limits, streams=streams)
    websocket = WebSocketEndpoint(
        engine=engine,
        authenticate=authenticate,
        limits=limits,
        clock=clock,
        draining=draining,
        connections=connections,
    )
    return [Route(PATH, http), WebSocketRoute(PATH, websocket)]
