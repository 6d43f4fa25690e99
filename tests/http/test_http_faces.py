"""What each URL answers to whom: methods, media types, and the ladder that a request of 2026-07-28 climbs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fakes import meta
from http_driver import BOTH, Visit, rpc, serving
from http_shop import content, shop

from mcp_server.protocol.versions import ALL_VERSIONS, LEGACY_VERSIONS, V2026_07_28

_MODERN = {"mcp-protocol-version": V2026_07_28, "mcp-method": "tools/list"}


def visit(body: object = b"", **how: Any) -> Visit:
    """One request to a server of its own."""

    async def main() -> Visit:
        async with serving(shop()[0]) as web:
            return await web.ask(body, **how)

    return asyncio.run(main())


def modern(method: str, params: dict[str, Any] | None = None, **how: Any) -> Visit:
    """One request of 2026-07-28 to a server of its own."""

    async def main() -> Visit:
        async with serving(shop()[0]) as web:
            return await web.modern(method, params, **how)

    return asyncio.run(main())


# -- the ladder ------------------------------------------------------------------------------------------------------


def test_a_good_request_is_answered_in_json() -> None:
    answer = modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}})
    assert (answer.status, answer.result["structuredContent"]) == (200, {"sum": 3})
    assert answer.headers["cache-control"] == "no-store"
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":NaN}}', -32700),
        (b"null", -32600),
        (b'"text"', -32600),
        (b"{}", -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","action":"list_tools"}', -32600),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
    ],
)
def test_what_is_no_message_is_a_400(body: bytes, code: int) -> None:
    answer = visit(body)
    assert (answer.status, answer.code) == (400, code)


def test_the_id_of_a_bad_message_comes_back_if_it_can_be_read() -> None:
    assert visit(b'{"jsonrpc":"2.0","id":"mine","method":7}').json["id"] == "mine"
    assert visit(b"{").json["id"] is None


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
def test_a_request_without_its_metadata_is_a_400(missing: str) -> None:
    said = meta()
    del said["io.modelcontextprotocol/" + missing]
    answer = visit(rpc("tools/list", {"_meta": said}, 9), headers=_MODERN)
    assert (answer.status, answer.code, answer.json["id"]) == (400, -32602, 9)


@pytest.mark.parametrize("params", [None, {}, {"_meta": None}, {"_meta": 7}])
def test_a_modern_header_alone_demands_metadata(params: Any) -> None:
    answer = visit(rpc("tools/list", params, 1), headers=_MODERN)
    assert (answer.status, answer.code) == (400, -32602)


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp-protocol-version": None},
        {"mcp-protocol-version": "2025-11-25"},
        {"mcp-protocol-version": "v999"},
        {"mcp-method": None},
        {"mcp-method": "Tools/Call"},
        {"mcp-method": "tools/list"},
        {"mcp-name": None},
        {"mcp-name": "subtract"},
        {"mcp-name": "ADD"},
        {"mcp-name": "=?base64?!!?="},
        {"mcp-name": "ädd"},
    ],
)
def test_headers_that_contradict_the_body_are_a_400(headers: dict[str, str | None]) -> None:
    answer = modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, headers=headers)
    assert (answer.status, answer.code, answer.json["id"]) == (400, -32020, 1)


@pytest.mark.parametrize("name", ["mcp-protocol-version", "mcp-method", "mcp-name"])
def test_a_routing_header_that_comes_twice_is_a_400(name: str) -> None:
    said = {"mcp-protocol-version": V2026_07_28, "mcp-method": "tools/call", "mcp-name": "add"}
    answer = modern("tools/call", {"name": "add"}, more=[(name, said[name])])
    assert (answer.status, answer.code) == (400, -32020)


def test_a_name_may_be_encoded_and_surrounded_by_blanks() -> None:
    """Peers' failure 13: `Mcp-Name` with trailing spaces is refused, because a parser keeps them."""
    for name in ("add   ", "\t add", "=?base64?YWRk?="):
        answer = modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}}, headers={"mcp-name": name})
        assert answer.status == 200


def test_an_unknown_version_names_those_that_are_known() -> None:
    answer = modern("tools/list", headers={"mcp-protocol-version": "v999.0.0"}, meta={"version": "v999.0.0"})
    assert (answer.status, answer.code) == (400, -32022)
    assert answer.json["error"]["data"] == {"supported": [V2026_07_28], "requested": "v999.0.0"}


def test_an_unknown_version_in_the_header_alone_names_those_that_are_known() -> None:
    answer = visit(rpc("tools/list", {}, 1), headers={"mcp-protocol-version": "1999-01-01"})
    assert (answer.status, answer.code) == (400, -32022)


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_an_old_version_cannot_be_named_in_a_single_request(version: str) -> None:
    answer = modern("tools/list", headers={"mcp-protocol-version": version}, meta={"version": version})
    assert (answer.status, answer.code) == (400, -32022)


@pytest.mark.parametrize(
    "method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tools/burn"]
)
def test_a_method_that_the_version_does_not_have_is_a_404(method: str) -> None:
    answer = modern(method)
    assert (answer.status, answer.code, answer.json["id"]) == (404, -32601, 1)


def test_the_version_is_judged_before_mirrored_arguments() -> None:
    how: dict[str, Any] = {"headers": {"mcp-protocol-version": "v2"}, "meta": {"version": "v2"}}
    assert modern("tools/call", {"name": "route", "arguments": {"region": "x"}}, **how).code == -32022


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("eu", 200),
        ("=?base64?ZXU=?=", 200),
        ("us", 400),
        (None, 400),
        ("=?base64?ZXU?=", 400),
    ],
)
def test_a_mirrored_argument_is_held_against_its_header(header: str | None, status: int) -> None:
    headers = {"mcp-param-region": header}
    answer = modern("tools/call", {"name": "route", "arguments": {"region": "eu"}}, headers=headers)
    assert answer.status == status
    if status == 400:
        assert answer.code == -32020


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/call", {"name": "nope", "arguments": {}}, -32602),
        ("resources/read", {"uri": "shop://nope"}, -32602),
        ("prompts/get", {"name": "nope"}, -32602),
        ("tools/list", {"cursor": "nope"}, -32602),
    ],
)
def test_other_errors_are_told_with_status_200(method: str, params: dict[str, Any], code: int) -> None:
    answer = modern(method, params)
    assert (answer.status, answer.code) == (200, code)


def test_an_unknown_tool_is_named_and_no_other() -> None:
    answer = modern("tools/call", {"name": "nope"})
    assert answer.json["error"]["message"] == "Unknown tool: nope"
    assert b"add" not in answer.body


def test_a_client_need_not_say_who_it_is() -> None:
    assert modern("server/discover").result["supportedVersions"] == list(reversed(ALL_VERSIONS))


def test_a_modern_request_ignores_a_session() -> None:
    assert modern("tools/list", headers={"mcp-session-id": "stale", "last-event-id": "x-1"}).status == 200


def test_a_modern_request_without_headers_is_not_taken_for_an_old_one() -> None:
    assert visit(rpc("tools/list", {"_meta": meta()}, 1)).code == -32020


# -- other methods and other types -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/sse", "/mcp/sse/"])
@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_told_to_post(path: str, method: str) -> None:
    answer = visit(method=method, path=path)
    assert (answer.status, answer.headers["allow"], answer.body) == (405, "POST", b"")
    assert answer.headers["content-length"] == "0"


@pytest.mark.parametrize("version", [None, V2026_07_28])
def test_there_is_nothing_to_get_without_a_session(version: str | None) -> None:
    answer = visit(method="GET", headers={"mcp-protocol-version": version, "accept": "text/event-stream"})
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_a_modern_client_has_no_stream_and_no_session_to_end(path: str, method: str) -> None:
    headers = {"mcp-protocol-version": V2026_07_28, "mcp-session-id": "x"}
    assert visit(method=method, path=path, headers=headers).status == 405


def test_options_says_what_there_is() -> None:
    answer = visit(method="OPTIONS")
    assert (answer.status, answer.headers["allow"]) == (204, "DELETE, GET, OPTIONS, POST")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_a_body_that_is_not_called_json_is_a_415(kind: str | None) -> None:
    answer = visit(rpc("ping", {}, 1), headers={"content-type": kind})
    assert (answer.status, answer.code) == (415, -32600)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.mcp+json", " application/json "]
)
def test_json_has_several_names(kind: str) -> None:
    assert visit(rpc("ping", {}, 1), headers={"content-type": kind}).status == 200


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/json", "text/html", BOTH, "application/*"])
def test_whoever_does_not_insist_on_events_gets_json(accept: str | None) -> None:
    answer = modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, headers={"accept": accept})
    assert (answer.status, answer.json["result"]["structuredContent"]) == (200, {"sum": 3})


@pytest.mark.parametrize("accept", ["text/event-stream", "Text/Event-Stream", "text/event-stream;q=0.9"])
def test_whoever_insists_on_events_gets_one(accept: str) -> None:
    answer = modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, headers={"accept": accept})
    assert answer.is_stream
    assert answer.events[0]["event"] == "message"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.result["structuredContent"] == {"sum": 3}


def test_whoever_insists_on_events_is_still_refused_in_json() -> None:
    answer = modern("tools/burn", headers={"accept": "text/event-stream"})
    assert (answer.status, answer.json["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize("path", ["/mcp/sse", "/mcp/sse/"])
def test_the_event_url_answers_with_events_only(path: str) -> None:
    answer = modern("tools/call", {"name": "say", "arguments": {"text": "hi"}}, path=path, headers={"accept": "*/*"})
    assert answer.is_stream
    assert answer.complete
    assert [message["result"]["content"] for message in answer.messages] == [content("hi")]


def test_a_trailing_slash_is_not_redirected() -> None:
    assert modern("tools/list", path="/mcp/").status == 200


def test_the_application_can_live_below_a_prefix() -> None:
    assert modern("tools/list", root_path="/api").status == 200


def test_what_is_nowhere_is_a_404() -> None:
    assert visit(method="GET", path="/mcp/other").status == 404


# -- messages that are not requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, *ALL_VERSIONS])
def test_a_notification_is_accepted_without_a_word(version: str | None) -> None:
    answer = visit(rpc("notifications/initialized"), headers={"mcp-protocol-version": version})
    assert (answer.status, answer.body, answer.headers["content-length"]) == (202, b"", "0")


def test_a_response_is_accepted_from_old_clients_only() -> None:
    response: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert visit(response, headers={"mcp-protocol-version": "2025-06-18"}).status == 202
    refused = visit(response, headers={"mcp-protocol-version": V2026_07_28})
    assert (refused.status, refused.code, refused.json["id"]) == (400, -32600, None)


def test_a_client_that_goes_while_it_sends_is_not_answered() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            sent: list[Any] = []
            request = web.open(method="HEAD")
            await request.done()

            async def receive() -> dict[str, Any]:
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                sent.append(message)

            headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
            for path in ("/mcp", "/mcp/sse"):
                scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "client": ("127.0.0.1", 1)}
                await web.app({**scope, "query_string": b"", "scheme": "http", "state": {}}, receive, send)
            assert sent == []

    asyncio.run(main())


def test_colliding_ids_of_different_clients_do_not_meet() -> None:
    """Peers' failure 17: one client-chosen request id overwrites another call in flight."""

    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            waiting = [web.begin("wait", id=1) for _ in range(5)]
            await stage.sees("waits", 5)
            assert (await web.call("add", {"a": 1, "b": 1}, id=1)).result["structuredContent"] == {"sum": 2}
            stage.release.set()
            for each in waiting:
                assert (await each.done()).result["content"] == content("released")

    asyncio.run(main())


def test_many_requests_at_once_all_get_their_own_answer() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            asked = [web.begin("say", {"text": f"<{number}>"}, id=number) for number in range(200)]
            for number, each in enumerate(asked):
                answer = await each.done()
                assert (answer.json["id"], answer.result["content"]) == (number, content(f"<{number}>"))

    asyncio.run(main())


def test_completing_is_offered_from_the_first_completion_on() -> None:
    server, _ = shop()

    @server.prompt
    def letter(to: str) -> str:  # pyright: ignore[reportUnusedFunction] - it is registered
        return f"Write to {to}."

    params = {"ref": {"type": "ref/prompt", "name": "letter"}, "argument": {"name": "to", "value": "A"}}

    async def main() -> None:
        async with serving(server) as web:
            assert (await web.modern("completion/complete", params)).code == -32601

            @server.completion("letter", "to")
            def names(value: str) -> list[str]:  # pyright: ignore[reportUnusedFunction] - it is registered
                return [name for name in ("Ada", "Bob") if name.startswith(value)]

            answer = await web.modern("completion/complete", params)
            assert answer.result["completion"]["values"] == ["Ada"]

    asyncio.run(main())
