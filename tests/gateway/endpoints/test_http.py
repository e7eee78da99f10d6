"""GraphQL over HTTP, as a raw client sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from gateway.endpoints.answers import INTERNAL_MESSAGE, OUTAGE_MESSAGE
from gateway.endpoints.graphql import Limits
from tests.gateway.endpoints.toy import Server, served

pytestmark = pytest.mark.anyio

GOOD = {"Authorization": "Bearer good"}
STRICT = {**GOOD, "Accept": "application/graphql-response+json"}


async def post(
    client: aiohttp.ClientSession,
    server: Server,
    body: object,
    headers: dict[str, str] = STRICT,
) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    async with client.post(server.url, data=data, headers=sent) as response:
        return response.status, json.loads(await response.read())


def refusal(answer: dict[str, Any]) -> tuple[str, str]:
    """Code and message of the only error of an answer without data."""
    assert list(answer) == ["errors"]
    [error] = answer["errors"]
    assert error["extensions"]["requestId"]
    return error["extensions"]["code"], error["message"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*;q=0.5", "application/json"),
        ("application/json", "application/json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        (
            "application/graphql-response+json, application/json;q=0.9, text/event-stream",
            "application/graphql-response+json",
        ),
        (
            "application/graphql-response+json;q=0.1, application/json",
            "application/json",
        ),
        ("text/html, application/json;q=0.2", "application/json"),
    ],
)
async def test_the_answer_has_the_media_type_the_client_prefers(
    server: Server, client: aiohttp.ClientSession, accept: str | None, content_type: str
) -> None:
    headers = {**GOOD, "Accept": accept} if accept else GOOD
    skip = () if accept else ("Accept",)
    async with client.post(
        server.url, json={"query": "{ hello }"}, headers=headers, skip_auto_headers=skip
    ) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == f"{content_type}; charset=utf-8"
        assert await response.json(content_type=None) == {"data": {"hello": "Hello, world!"}}


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "text/event-streams"])
async def test_a_client_that_takes_no_json_gets_406(
    server: Server, client: aiohttp.ClientSession, accept: str
) -> None:
    status, answer = await post(client, server, {"query": "{ hello }"}, {**GOOD, "Accept": accept})
    assert status == 406
    assert refusal(answer)[0] == "BAD_USER_INPUT"


async def test_variables_and_operation_name_are_used(
    server: Server, client: aiohttp.ClientSession
) -> None:
    body = {
        "query": "query A { hello } query B($name: String!) { hello(name: $name) }",
        "operationName": "B",
        "variables": {"name": "Ada"},
    }
    assert await post(client, server, body) == (200, {"data": {"hello": "Hello, Ada!"}})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "operationName is needed: the document has several operations."),
        ("C", "The document has no operation of the name in operationName."),
    ],
)
async def test_an_unclear_operation_is_not_run(
    server: Server, client: aiohttp.ClientSession, name: str | None, message: str
) -> None:
    text = 'mutation A { change(text: "a") } mutation B { change(text: "b") }'
    status, answer = await post(client, server, {"query": text, "operationName": name})
    assert (status, refusal(answer)) == (400, ("BAD_USER_INPUT", message))
    assert server.toy.changes == []


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


async def get(
    client: aiohttp.ClientSession, server: Server, query: str, headers: dict[str, str] = STRICT
) -> tuple[int, Any, dict[str, str]]:
    url = URL(f"{server.url}?{query}", encoded=True)
    async with client.get(url, headers=headers) as response:
        return response.status, json.loads(await response.read()), dict(response.headers)


async def test_a_query_may_come_by_get(server: Server, client: aiohttp.ClientSession) -> None:
    text = quote("query Q($name: String) { hello(name: $name) }")
    variables = quote('{"name":"Ada"}')
    status, answer, headers = await get(
        client, server, f"query={text}&variables={variables}&operationName=Q&unknown=1"
    )
    assert (status, answer) == (200, {"data": {"hello": "Hello, Ada!"}})
    assert headers["Cache-Control"] == "no-store"


async def test_a_mutation_may_not_come_by_get(
    server: Server, client: aiohttp.ClientSession
) -> None:
    text = quote('mutation { change(text: "a") }')
    for accept in ("application/json", "text/event-stream"):
        status, answer, headers = await get(
            client, server, f"query={text}", {**GOOD, "Accept": accept}
        )
        assert (status, headers["Allow"]) == (405, "POST")
        assert refusal(answer) == ("BAD_USER_INPUT", "Mutations are sent by POST.")
    assert server.toy.changes == []


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


@pytest.mark.parametrize(
    "query",
    ["{ nope }", "{", "{ hello(name: 7) }", "{ even(value: 3) }", "{ helo }"],
)
async def test_a_bad_document_is_a_request_error_in_both_media_types(
    server: Server, client: aiohttp.ClientSession, query: str
) -> None:
    for accept, expected in (("application/graphql-response+json", 400), ("*/*", 200)):
        status, answer = await post(client, server, {"query": query}, {**GOOD, "Accept": accept})
        assert status == expected
        code, message = refusal(answer)
        assert code == "BAD_USER_INPUT"
        assert "Did you mean" not in message


@pytest.mark.parametrize("variables", [{}, {"v": None}, {"v": "x"}, {"v": 3}, {"v": {"a": 1}}])
async def test_variables_that_do_not_fit_are_a_request_error(
    server: Server, client: aiohttp.ClientSession, variables: dict[str, object]
) -> None:
    body = {"query": "query ($v: Even!) { even(value: $v) }", "variables": variables}
    status, answer = await post(client, server, body)
    assert status == 400
    assert refusal(answer)[0] == "BAD_USER_INPUT"


async def test_field_errors_say_what_is_known_and_mask_what_is_not(
    server: Server, client: aiohttp.ClientSession
) -> None:
    query = "{ hello broken refused busy wronglyWritten }"
    async with client.post(server.url, json={"query": query}, headers=STRICT) as response:
        answer = await response.json(content_type=None)
        assert response.status == 200
    assert answer["data"] == {
        "hello": "Hello, world!",
        "broken": None,
        "refused": None,
        "busy": None,
        "wronglyWritten": None,
    }
    told = {e["path"][0]: (e["extensions"]["code"], e["message"]) for e in answer["errors"]}
    assert told == {
        "broken": ("INTERNAL", INTERNAL_MESSAGE),
        "refused": ("FORBIDDEN", "Not for you."),
        "busy": ("CONFLICT_RETRY", OUTAGE_MESSAGE),
        "wronglyWritten": ("INTERNAL", INTERNAL_MESSAGE),
    }
    request_id = response.headers["X-Request-Id"]
    assert {e["extensions"]["requestId"] for e in answer["errors"]} == {request_id}


async def test_a_subscription_needs_a_stream(server: Server, client: aiohttp.ClientSession) -> None:
    status, answer = await post(client, server, {"query": "subscription { count(to: 3) }"})
    assert status == 406
    assert refusal(answer)[0] == "BAD_USER_INPUT"
    assert server.toy.closed == []


async def test_introspection_is_open_to_whoever_is_logged_in(
    server: Server, client: aiohttp.ClientSession
) -> None:
    status, answer = await post(client, server, {"query": "{ __schema { queryType { name } } }"})
    assert (status, answer) == (200, {"data": {"__schema": {"queryType": {"name": "Query"}}}})


async def test_a_value_that_json_cannot_carry_is_a_masked_bug(
    server: Server, client: aiohttp.ClientSession
) -> None:
    status, answer = await post(client, server, {"query": f"{{ even(value: {2**70}) }}"})
    assert (status, refusal(answer)) == (500, ("INTERNAL", INTERNAL_MESSAGE))
