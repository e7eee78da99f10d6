"""Clients that nobody here wrote, unmodified: from npm and from PyPI."""

import pytest
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.gateway.endpoints.toy import Server, until
from tests.npm_clients import run_client

pytestmark = pytest.mark.anyio


async def test_every_audit_of_graphql_over_http_passes(server: Server) -> None:
    code, audits = await run_client("audit.js", url=server.url, token="good")
    assert code == 0
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == 61


def address(server: Server, script: str) -> str:
    return server.ws if script == "ws.js" else server.url


@pytest.mark.parametrize("script", ["ws.js", "sse.js"])
async def test_a_subscription_reaches_the_npm_client(server: Server, script: str) -> None:
    code, lines = await run_client(
        script,
        url=address(server, script),
        token="good",
        query="subscription ($to: Int!) { count(to: $to) }",
        variables='{"to": 3}',
    )
    assert lines == [
        {"answer": {"data": {"count": 1}}},
        {"answer": {"data": {"count": 2}}},
        {"answer": {"data": {"count": 3}}},
        {"end": "complete"},
    ]
    assert code == 0


@pytest.mark.parametrize("script", ["ws.js", "sse.js"])
async def test_an_npm_client_that_leaves_ends_its_subscription(server: Server, script: str) -> None:
    code, lines = await run_client(
        script,
        url=address(server, script),
        token="good",
        query="subscription { held }",
        events="1",
    )
    assert lines == [{"answer": {"data": {"held": "first"}}}, {"end": "enough"}]
    assert code == 0
    await until(lambda: server.toy.closed == ["held"])


@pytest.mark.parametrize(
    ("script", "token", "code"),
    [
        ("ws.js", "wrong", 4401),
        ("ws.js", "expired", 4403),
        ("ws.js", "seconds:0.5", 4403),
        ("sse.js", "wrong", 401),
    ],
)
async def test_an_npm_client_learns_that_its_token_is_no_good(
    server: Server, script: str, token: str, code: int
) -> None:
    exit_code, lines = await run_client(
        script, url=address(server, script), token=token, query="subscription { held }"
    )
    assert (lines[-1]["end"], lines[-1]["code"]) == ("closed", code)
    assert exit_code == 1


@pytest.mark.parametrize("script", ["ws.js", "sse.js"])
async def test_an_npm_client_is_told_what_is_wrong_with_its_document(
    server: Server, script: str
) -> None:
    _, lines = await run_client(
        script, url=address(server, script), token="good", query="subscription { nope }"
    )
    told = lines[0]["errors"] if script == "ws.js" else lines[0]["answer"]["errors"]
    assert [error["extensions"]["code"] for error in told] == ["BAD_USER_INPUT"]


async def test_pythons_gql_over_http(server: Server) -> None:
    transport = AIOHTTPTransport(server.url, headers={"Authorization": "Bearer good"})
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        assert await session.execute(gql("{ hello }")) == {"hello": "Hello, world!"}
        with pytest.raises(TransportQueryError) as refused:
            await session.execute(gql("{ refused }"))
    assert refused.value.errors is not None
    assert refused.value.errors[0]["extensions"]["code"] == "FORBIDDEN"


async def test_pythons_gql_over_a_websocket(server: Server) -> None:
    transport = WebsocketsTransport(
        server.ws,
        init_payload={"Authorization": "Bearer good"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    async with Client(transport=transport) as session:
        counted = [
            e["count"] async for e in session.subscribe(gql("subscription { count(to: 3) }"))
        ]
    assert counted == [1, 2, 3]
