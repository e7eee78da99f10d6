"""Each request has one id, in the answer and in one log line."""

import aiohttp
import pytest
import structlog
from structlog.testing import capture_logs
from yarl import URL

from tests.gateway.endpoints.toy import Server, until

pytestmark = pytest.mark.anyio

GOOD = {"Authorization": "Bearer good"}


async def test_a_well_formed_id_of_the_client_is_kept(
    server: Server, client: aiohttp.ClientSession
) -> None:
    for given in ("abc-123_x.y", "a" * 128):
        headers = {**GOOD, "X-Request-Id": given}
        query = {"query": "{ requestId }"}
        async with client.post(server.url, json=query, headers=headers) as response:
            assert response.headers["X-Request-Id"] == given
            assert await response.json() == {"data": {"requestId": given}}


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "ü", "<script>", "a\tb"])
async def test_any_other_id_is_replaced(
    server: Server, client: aiohttp.ClientSession, given: str
) -> None:
    ids = set()
    for _ in range(2):
        headers = {**GOOD, "X-Request-Id": given}
        async with client.get(server.url, headers=headers) as response:
            ids.add(response.headers["X-Request-Id"])
    assert given not in ids
    assert len(ids) == 2


async def test_a_socket_has_an_id_too(server: Server, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect(
        server.ws, protocols=["graphql-transport-ws"], headers={**GOOD, "X-Request-Id": "socket"}
    ) as socket:
        assert socket._response.headers["X-Request-Id"] == "socket"
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["payload"]["requestId"] == "socket"
        payload = {"query": "{ requestId }"}
        await socket.send_json({"type": "subscribe", "id": "1", "payload": payload})
        assert (await socket.receive_json())["payload"] == {"data": {"requestId": "socket.1"}}


async def test_one_line_is_logged_without_query_text_or_token(
    server: Server, client: aiohttp.ClientSession
) -> None:
    headers = {**GOOD, "X-Request-Id": "one-line"}
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with client.get(
            f"{server.url}?query=%7Bhello%28name%3A%22canary%22%29%7D", headers=headers
        ) as response:
            assert response.status == 200
        await until(lambda: len(lines) == 1)
    [line] = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "protocol": "http",
        "method": "GET",
        "path": "/graphql",
        "status": 200,
        "request_id": "one-line",
    }


async def test_the_line_of_a_socket_tells_its_close_code(
    server: Server, client: aiohttp.ClientSession
) -> None:
    with capture_logs() as lines:
        async with client.ws_connect(server.ws, protocols=["graphql-transport-ws"]) as socket:
            await socket.send_str("null")
            await socket.receive()
        await until(lambda: len(lines) == 1)
    assert (lines[0]["protocol"], lines[0]["status"]) == ("websocket", 4400)


async def test_a_bug_is_logged_whole_with_the_request_id(
    server: Server, client: aiohttp.ClientSession
) -> None:
    headers = {**GOOD, "X-Request-Id": "with-bug"}
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with client.post(server.url, json={"query": "{ broken }"}, headers=headers):
            pass
        await until(lambda: len(lines) == 2)
    bug = lines[0]
    assert (bug["event"], bug["log_level"], bug["request_id"]) == (
        "unhandled_error",
        "error",
        "with-bug",
    )
    assert str(bug["exc_info"]) == "the secret is 42"


async def test_a_path_with_line_breaks_stays_one_line(
    server: Server, client: aiohttp.ClientSession
) -> None:
    url = URL(f"http://{server.origin}/x%0Aevent=forged%1B%5B31m", encoded=True)
    with capture_logs() as lines:
        async with client.get(url) as response:
            assert response.status == 404
        await until(lambda: len(lines) == 1)
    assert lines[0]["path"] == "/x%0Aevent%3Dforged%1B%5B31m"
