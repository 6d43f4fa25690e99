"""What only HTTP has: headers, statuses, streams, connections that end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from wire import Connect, Message, WireSession, envelope, on_loop
from wire_http import Http

from mcp_server.protocol.versions import V2026_07_28
from tests.http.http_driver import BOTH, Visit


def http(session: WireSession) -> Http:
    """The session, which is one over HTTP."""
    assert isinstance(session, Http)
    return session


async def modern(session: WireSession, method: str, params: Message | None = None, **headers: str | None) -> Visit:
    """A request of the newest version, with these headers instead of the right ones; `_` stands for `-`."""
    said = {**(params or {}), "_meta": envelope(V2026_07_28)}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": said}
    right: dict[str, str | None] = {"mcp-protocol-version": V2026_07_28, "mcp-method": method}
    name = said.get("name", said.get("uri"))
    if isinstance(name, str):
        right["mcp-name"] = name
    wrong = {key.replace("_", "-"): value for key, value in headers.items()}
    return await http(session).visit(body, headers=right | wrong)


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("header", [{"origin": "https://evil.example.com"}, {"origin": "null"}])
@on_loop
async def test_a_page_of_somebody_else_is_refused(connect: Connect, header: dict[str, str]) -> None:
    async with connect() as session:
        body: Message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        answer = await http(session).visit(body, headers=header)
        assert answer.status == 403


@pytest.mark.requirement("H1")
@on_loop
async def test_a_name_that_is_not_ours_is_refused(connect: Connect) -> None:
    async with connect() as session:
        answer = await http(session).visit(
            {"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers={"host": "evil.example.com"}
        )
        assert 400 <= answer.status < 500


@pytest.mark.requirement("H2")
@on_loop
async def test_a_request_without_a_session_is_served(connect: Connect) -> None:
    async with connect() as session:
        answer = await modern(session, "tools/call", {"name": "echo", "arguments": {"text": "x"}})
        assert answer.status == 200
        assert answer.result["content"][0]["text"] == "x"


@pytest.mark.requirement("H4")
@on_loop
async def test_a_call_whose_client_hangs_up_stops(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.begin("wait", name="gone")
        http(session).visit_of(asked).hang_up()
        while "gone" not in (await session.call("stopped"))["content"][0]["text"]:
            pass
        assert not session.answered(asked)


@pytest.mark.requirement("H4b")
@on_loop
async def test_a_call_whose_older_client_hangs_up_goes_on(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.begin("wait", name="gone")
        http(session).visit_of(asked).hang_up()
        await session.settle()
        assert (await session.call("stopped"))["content"][0]["text"] == "[]"
        await session.cancel(asked)
        while "gone" not in (await session.call("stopped"))["content"][0]["text"]:
            pass


@pytest.mark.requirement("H5")
@pytest.mark.parametrize(
    "headers",
    [
        {"mcp_method": None},
        {"mcp_method": "tools/list"},
        {"mcp_method": "Tools/Call"},
        {"mcp_name": None},
        {"mcp_name": "crash"},
        {"mcp_name": "=?base64?!?="},
        {"mcp_name": "n\u00e9"},
        {"mcp_protocol_version": None},
        {"mcp_protocol_version": "2025-11-25"},
    ],
)
@on_loop
async def test_headers_that_contradict_the_body_are_refused(connect: Connect, headers: dict[str, Any]) -> None:
    async with connect() as session:
        answer = await modern(session, "tools/call", {"name": "echo", "arguments": {"text": "x"}}, **headers)
        assert (answer.status, answer.code) == (400, -32020)
        assert answer.message["id"] == 1


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("name", ["  echo ", "=?base64?ZWNobw==?="])
@on_loop
async def test_blanks_around_a_header_and_its_encoding_say_the_same(connect: Connect, name: str) -> None:
    async with connect() as session:
        params = {"name": "echo", "arguments": {"text": "x"}}
        assert (await modern(session, "tools/call", params, mcp_name=name)).status == 200


@pytest.mark.requirement("H6")
@pytest.mark.parametrize(
    ("arguments", "headers", "status"),
    [
        ({}, {}, 200),
        ({"region": "north"}, {"mcp_param_region": "north"}, 200),
        ({"region": "n\u00f6rd"}, {"mcp_param_region": "=?base64?bsO2cmQ=?="}, 200),
        ({"count": 42}, {"mcp_param_count": "42.0"}, 200),
        ({"region": "north"}, {}, 400),
        ({"region": "north"}, {"mcp_param_region": "south"}, 400),
        ({"region": "north"}, {"mcp_param_region": "=?base64?bm9ydG?="}, 400),
        ({"count": 42}, {"mcp_param_count": "43"}, 400),
        ({}, {"mcp_param_region": "north"}, 400),
    ],
)
@on_loop
async def test_an_argument_in_a_header_is_held_against_it(
    connect: Connect, arguments: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    async with connect() as session:
        answer = await modern(session, "tools/call", {"name": "route", "arguments": arguments}, **headers)
        assert answer.status == status
        assert status == 200 or answer.code == -32020


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    ("method", "params", "headers", "expected"),
    [
        ("nothing/known", {}, {}, (404, -32601)),
        ("initialize", {}, {}, (404, -32601)),
        ("tools/call", {"name": "nobody", "arguments": {}}, {}, (200, -32602)),
        ("tools/call", {"name": "ask_name", "arguments": {}}, {}, (400, -32021)),
        ("tools/list", {"cursor": "?"}, {}, (200, -32602)),
    ],
)
@on_loop
async def test_each_error_has_its_status(
    connect: Connect, method: str, params: Message, headers: dict[str, str], expected: tuple[int, int]
) -> None:
    async with connect() as session:
        answer = await modern(session, method, params, **headers)
        assert (answer.status, answer.code) == expected


@pytest.mark.requirement("H7")
@on_loop
async def test_a_version_or_metadata_that_will_not_do_gets_400(connect: Connect) -> None:
    async with connect() as session:
        lacking = {**envelope("2099-01-01"), "io.modelcontextprotocol/clientCapabilities": None}
        for meta, code in ((envelope("2099-01-01"), -32022), (lacking, -32602)):
            version = meta["io.modelcontextprotocol/protocolVersion"]
            body: Message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
            headers = {"mcp-protocol-version": version, "mcp-method": "tools/list"}
            answer = await http(session).visit(body, headers=headers)
            assert (answer.status, answer.code) == (400, code)


@pytest.mark.requirement("H7b")
@on_loop
async def test_a_session_that_is_over_gets_404_and_an_unknown_method_does_not(connect: Connect) -> None:
    async with connect() as session:
        own = http(session).session_headers
        unknown = await http(session).visit({"jsonrpc": "2.0", "id": 1, "method": "nothing/known"}, headers=own)
        assert (unknown.status, unknown.code) == (200, -32601)
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        assert (await http(session).visit(method="DELETE", path="/mcp", headers=own)).status == 200
        assert (await http(session).visit(ping, headers=own)).status == 404


@pytest.mark.requirement("H8")
@on_loop
async def test_a_stream_says_that_it_must_not_be_buffered(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.ask("tools/call", {"name": "climb", "arguments": {}}, meta={"progressToken": "t"})
        await session.response(asked)
        stream = http(session).visit_of(asked)
        assert stream.is_stream
        assert stream.headers["x-accel-buffering"] == "no"


@pytest.mark.requirement("H9a")
@on_loop
async def test_no_session_is_made_and_one_that_is_named_is_passed_over(connect: Connect) -> None:
    async with connect() as session:
        answer = await modern(session, "tools/list", mcp_session_id="anything", last_event_id="7")
        assert answer.status == 200
        assert "mcp-session-id" not in answer.headers
        assert not any("id" in event for event in (answer.events if answer.is_stream else []))


@pytest.mark.requirement("H9b")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
@on_loop
async def test_asked_in_another_way_there_is_nothing(connect: Connect, method: str) -> None:
    async with connect() as session:
        headers = {"mcp-protocol-version": V2026_07_28, "accept": BOTH}
        answer = await http(session).visit(method=method, path="/mcp", headers=headers)
        assert answer.status == 405
        assert "POST" in answer.headers["allow"]


@pytest.mark.requirement("H10")
@on_loop
async def test_an_id_means_nothing_to_another_request(connect: Connect) -> None:
    async with connect() as session:
        await session.begin("wait", identity="same", name="first")
        answer = await modern(session, "tools/call", {"name": "echo", "arguments": {"text": "second"}})
        other = await http(session).visit(
            _echo("same"), headers={"mcp-protocol-version": V2026_07_28, "mcp-method": "tools/call", "mcp-name": "echo"}
        )
        assert (answer.status, other.status) == (200, 200)
        assert other.message["id"] == "same"
        assert not session.answered("same")


def _echo(identity: str) -> Message:
    params = {"name": "echo", "arguments": {"text": "third"}, "_meta": envelope(V2026_07_28)}
    return {"jsonrpc": "2.0", "id": identity, "method": "tools/call", "params": params}


@pytest.mark.requirement("H11")
@on_loop
async def test_a_notification_gets_202_and_no_body(connect: Connect) -> None:
    async with connect() as session:
        own = http(session).session_headers
        body: Message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}}
        answer = await http(session).visit(body, headers=own)
        assert (answer.status, answer.body) == (202, b"")


@pytest.mark.requirement("H12")
@on_loop
async def test_a_client_of_2024_11_05_has_its_own_transport(connect: Connect) -> None:
    async with connect() as session:
        place = http(session).path
        assert place.startswith("/mcp/messages?session_id=")
        asked = await session.ask("ping")
        assert (await session.response(asked))["result"] == {}
        accepted = await http(session).visit_of(asked).done()
        assert (accepted.status, accepted.body) == (202, b"")
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert (await http(session).visit(ping, path=place[:-1])).status == 404


@pytest.mark.requirement("H12")
@on_loop
async def test_nobody_else_gets_that_transport(connect: Connect) -> None:
    async with connect() as session:
        headers = {"mcp-protocol-version": V2026_07_28, "accept": "text/event-stream"}
        answer = await http(session).visit(method="GET", path="/mcp/sse", headers=headers)
        assert answer.status == 405


@pytest.mark.requirement("H13")
@on_loop
async def test_a_page_that_may_call_may_send_and_read_what_clients_need(connect: Connect) -> None:
    async with connect() as session:
        page = {"origin": "http://localhost:5173"}
        needed = {
            *("authorization", "content-type", "mcp-protocol-version", "mcp-session-id", "last-event-id"),
            *("mcp-method", "mcp-name", "mcp-param-region", "mcp-param-whatever-a-tool-repeats"),
        }
        asks = {"access-control-request-method": "POST", "access-control-request-headers": ", ".join(sorted(needed))}
        preflight = await http(session).visit(method="OPTIONS", headers=page | asks)
        allowed = {each.strip() for each in preflight.headers["access-control-allow-headers"].lower().split(",")}
        assert (preflight.status, needed - allowed) == (200, set())
        answer = await modern(session, "tools/list", origin=page["origin"])
        readable = {each.strip() for each in answer.headers["access-control-expose-headers"].lower().split(",")}
        assert answer.headers["access-control-allow-origin"] == page["origin"]
        assert {"mcp-session-id", "www-authenticate"} <= readable


@pytest.mark.requirement("H14")
@on_loop
async def test_a_response_is_refused_as_there_was_no_question(connect: Connect) -> None:
    async with connect() as session:
        body: Message = {"jsonrpc": "2.0", "id": 1, "result": {}}
        answer = await http(session).visit(body, headers={"mcp-protocol-version": V2026_07_28})
        assert (answer.status, answer.code) == (400, -32600)


@pytest.mark.requirement("P11")
@on_loop
async def test_a_subscription_that_the_server_ends_gets_its_result(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.ask("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        await session.heard("notifications/subscriptions/acknowledged")
        await http(session).end_everything()
        result = (await session.response(asked))["result"]
        assert result["_meta"]["io.modelcontextprotocol/subscriptionId"] == asked
        stream = await http(session).visit_of(asked).done()
        assert json.loads(stream.events[-1]["data"])["id"] == asked
        await asyncio.sleep(0)
