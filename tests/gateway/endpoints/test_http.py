"""GraphQL over HTTP: what is answered, as a raw client sees it."""

from urllib.parse import quote

import aiohttp
import pytest

from gateway.endpoints.answers import INTERNAL_MESSAGE, OUTAGE_MESSAGE
from tests.gateway.endpoints.raw import GOOD, STRICT, get, post, refusal
from tests.gateway.endpoints.toy import Server

pytestmark = pytest.mark.anyio


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
