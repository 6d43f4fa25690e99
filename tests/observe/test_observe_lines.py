from __future__ import annotations

from dataclasses import replace

from mcp_server.observe import lines
from mcp_server.observe.records import CallRecord


def test_a_request_can_be_found_by_method_and_path() -> None:
    assert lines.http_request("POST", "/mcp") == "POST /mcp"


def test_a_request_is_logged_without_its_query() -> None:
    assert lines.http_request("GET", "/mcp?key=secret") == "GET /mcp"


def test_the_start_of_a_stream_keeps_its_words() -> None:
    assert lines.stream_started("POST", "/mcp") == "=== MCP SSE CONNECTION START === Method: POST, Path: /mcp"


def test_the_accept_header_keeps_its_words() -> None:
    line = lines.accept_header("application/json, text/event-stream")
    assert line == "=== ACCEPT HEADER === application/json, text/event-stream"


def test_only_media_types_of_the_accept_header_are_shown() -> None:
    line = lines.accept_header("text/html;q=0.8, */*\r\n2026 | forged, Bearer hidden")
    assert line == "=== ACCEPT HEADER === text/html, */*"


def test_a_long_accept_header_has_an_end() -> None:
    assert lines.accept_header("a/b," * 100).count("a/b") == 8


def test_an_accepted_token_is_told_by_its_fingerprint() -> None:
    assert lines.oauth_success("1a2b3c4d") == "=== OAUTH SUCCESS === Token valid: 1a2b3c4d"


def test_an_accepted_token_itself_is_never_shown() -> None:
    assert lines.oauth_success("the-token-itself") == "=== OAUTH SUCCESS === Token valid: ?"


def test_a_refused_token_is_told_with_reason_and_address() -> None:
    assert lines.oauth_failure("expired", "203.0.113.7") == "=== OAUTH FAILURE === expired, from 203.0.113.7"


def test_a_refused_key_is_told_with_reason_and_address() -> None:
    assert lines.key_refused("wrong\nkey", "203.0.113.7") == r"=== AUTH FAILURE === wrong\nkey, from 203.0.113.7"


def test_processing_keeps_its_words() -> None:
    assert lines.processing("tools/list", 1) == "Processing MCP method: tools/list, id: 1"


def test_an_event_keeps_its_words() -> None:
    assert lines.stream_event(2, 1) == "=== SSE EVENT 2 === Sending response for request_id=1"


def test_the_end_of_a_stream_keeps_its_words() -> None:
    assert lines.stream_ended(3) == "=== SSE STREAM END === Stream closed after sending 3 events"


def test_one_event_is_not_called_events() -> None:
    assert lines.stream_ended(1).endswith("after sending 1 event")


def test_a_call_is_told_in_one_line(record: CallRecord) -> None:
    assert lines.call(record) == (
        "Processing MCP method: tools/call, id: 1 | search_items ok in 1.2 ms | 12 B in, 345 B out"
        " | http 2026-07-28 claude-ai/0.1.0 | key 1a2b3c4d | reference abcd1234"
    )


def test_a_call_says_nothing_of_what_it_does_not_have(record: CallRecord) -> None:
    bare = replace(record, method="tools/list", target=None, version=None, client=None, reference=None, key=None)
    assert lines.call(bare) == "Processing MCP method: tools/list, id: 1 | ok in 1.2 ms | 12 B in, 345 B out | http"
