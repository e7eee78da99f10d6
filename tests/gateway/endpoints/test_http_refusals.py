"""GraphQL over HTTP: what is refused before GraphQL begins."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.endpoints.graphql import Limits
from tests.gateway.endpoints.raw import (
    GOOD,
    STRICT,
    get,
    post,
    refusal,
)
from tests.gateway.endpoints.toy import Server, served

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("token", "extensions"),
    [(None, {}), ("Bearer wrong", {}), ("Bearer expired", {"expired": True})],
)
async def test_without_a_good_token_nothing_runs(
    server: Server,
    client: aiohttp.ClientSession,
    token: str | None,
    extensions: dict[str, object],
) -> None:
    headers = {"Authorization": token} if token else {}
    query = {"query": 'mutation { change(text: "a") }'}
    async with client.post(server.url, json=query, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        [error] = (await response.json())["errors"]
    request_id = response.headers["X-Request-Id"]
    expected = {"code": "UNAUTHENTICATED", "requestId": request_id, **extensions}
    assert error["extensions"] == expected
    assert server.toy.changes == []


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("limited", 429, "RATE_LIMITED"),
        ("unreachable", 503, "CONFLICT_RETRY"),
        ("hurt", 500, "INTERNAL"),
    ],
)
async def test_trouble_during_login_has_its_own_status(
    server: Server, client: aiohttp.ClientSession, token: str, status: int, code: str
) -> None:
    async with client.post(
        server.url, json={"query": "{ hello }"}, headers={"Authorization": f"Bearer {token}"}
    ) as response:
        assert response.status == status
        assert refusal(await response.json())[0] == code
        assert response.headers.get("Retry-After") == ("7" if token == "limited" else None)
        assert "secret" not in await response.text()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b'"x"',
        b"true",
        b"[" * 100_000,
        b'{"query":"{hello}","variables":' + b'{"a":' * 30 + b"1" + b"}" * 31,
        b'{"query":"{hello}","variables":{"a":' + b"1" * 5_000 + b"}}",
        b'{"query":"\xff"}',
        b'{"query":"\\ud800"}',
        b'{"query":"{hello}"',
        b'{"query":"{hello}"} trailing',
        b"{}",
        b'{"query":null}',
        b'{"query":7}',
        b'{"query":["{hello}"]}',
        b'{"query":"{hello}","variables":[]}',
        b'{"query":"{hello}","variables":"{}"}',
        b'{"query":"{hello}","operationName":7}',
        b'{"query":"{hello}","extensions":[]}',
        b'{"query":"{hello}","variables":{"a":NaN}}',
    ],
)
async def test_a_malformed_body_is_the_clients_fault(
    server: Server, client: aiohttp.ClientSession, body: bytes
) -> None:
    status, answer = await post(client, server, body)
    assert status == 400
    assert refusal(answer)[0] == "BAD_USER_INPUT"


async def test_batches_are_refused(server: Server, client: aiohttp.ClientSession) -> None:
    batch = [{"query": 'mutation { change(text: "a") }'}] * 2
    status, answer = await post(client, server, batch)
    message = "Batches are not served: send one request at a time."
    assert (status, refusal(answer)) == (400, ("BAD_USER_INPUT", message))
    assert server.toy.changes == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Encoding": "gzip"},
    ],
)
async def test_a_body_that_is_not_plain_json_gets_415(
    server: Server, client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    status, answer = await post(client, server, b'{"query":"{hello}"}', {**STRICT, **headers})
    assert status == 415
    assert refusal(answer)[0] == "BAD_USER_INPUT"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_named_as_not_allowed(
    server: Server, client: aiohttp.ClientSession, method: str
) -> None:
    async with client.request(method, server.url, headers=GOOD) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, POST"
        assert refusal(await response.json())[0] == "BAD_USER_INPUT"


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_body_limit_holds_at_the_limit_and_one_past_it(
    client: aiohttp.ClientSession, *, chunked: bool
) -> None:
    def body(size: int) -> bytes:
        start, end = b'{"query":"{ hello }","extensions":{"x":"', b'"}}'
        return start + b"x" * (size - len(start) - len(end)) + end

    async def pieces(data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 500):
            yield data[start : start + 500]

    async with served(Limits(body_bytes=2_000)) as server:
        for size, status in ((2_000, 200), (2_001, 413)):
            data = pieces(body(size)) if chunked else body(size)
            async with client.post(
                server.url, data=data, headers={**GOOD, "Content-Type": "application/json"}
            ) as response:
                assert response.status == status
                answer = await response.json()
    assert refusal(answer) == (
        "QUERY_TOO_COSTLY",
        "The body passes the limit body_bytes: 2000 bytes.",
    )


async def test_a_body_that_does_not_arrive_in_time_gets_408() -> None:
    async with served(Limits(body_timeout_s=0.1)) as server:
        reader, writer = await asyncio.open_connection(*server.origin.split(":"))
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n"
            b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"query":'
        )
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert refusal(json.loads(body))[0] == "BAD_USER_INPUT"


async def test_a_get_without_a_token_is_refused_so_a_foreign_page_cannot_send_one(
    server: Server, client: aiohttp.ClientSession
) -> None:
    status, answer, _ = await get(client, server, "query=%7Bhello%7D", {})
    assert status == 401
    assert refusal(answer)[0] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "query=%ff",
        "query=%7Bhello%7D&query=%7Bhello%7D",
        "query=%7Bhello%7D&variables=7",
        "query=%7Bhello%7D&variables=%7B",
        "query=%7Bhello%7D&extensions=null%20null",
    ],
)
async def test_a_malformed_url_is_the_clients_fault(
    server: Server, client: aiohttp.ClientSession, query: str
) -> None:
    status, answer, _ = await get(client, server, query)
    assert status == 400
    assert refusal(answer)[0] == "BAD_USER_INPUT"


async def test_the_url_limit_holds_at_the_limit_and_one_past_it(
    client: aiohttp.ClientSession,
) -> None:
    async with served(Limits(url_bytes=100)) as server:
        start = "query=%7Bhello%7D&x="
        for size, expected in ((100, 200), (101, 414)):
            status, answer, _ = await get(client, server, start + "x" * (size - len(start)))
            assert status == expected
    assert refusal(answer)[0] == "QUERY_TOO_COSTLY"
