"""The HTTP headers of MCP, held against the body."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.protocol.errors import Code, ProtocolError
from mcp_server.protocol.headers import Accept, Headers, check, check_parameters, decoded
from mcp_server.protocol.messages import Peer, Request
from mcp_server.protocol.versions import V2026_07_28

RAW = {"mcp-protocol-version": V2026_07_28, "mcp-method": "tools/call", "mcp-name": "echo"}


@dataclass(frozen=True)
class Mirrored:
    path: tuple[str, ...]
    header: str


def read(headers: dict[str, str] | list[tuple[str, str]]) -> Headers:
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Headers([(name.encode(), value.encode("latin-1")) for name, value in pairs])


def encoded(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def call(method: str = "tools/call", **params: Any) -> Request:
    return Request(1, method, {"name": "echo", **params}, Peer(V2026_07_28))


def mismatch(request: Request, headers: dict[str, str] | list[tuple[str, str]]) -> str:
    with pytest.raises(ProtocolError) as caught:
        check(request, read(headers))
    assert caught.value.failure.code == Code.HEADER_MISMATCH
    return caught.value.failure.message


def says(header: str, value: object) -> bool:
    """Whether a header agrees with an argument."""
    try:
        check_parameters([Mirrored(("a",), "A")], {"a": value}, read({"mcp-param-a": header}))
    except ProtocolError as error:
        return error.failure.code != Code.HEADER_MISMATCH
    return True


def test_headers_that_say_what_the_body_says_pass() -> None:
    check(call(), read(RAW))


@pytest.mark.parametrize("name", list(RAW))
def test_each_routing_header_is_required(name: str) -> None:
    assert "is missing" in mismatch(call(), {key: value for key, value in RAW.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-method", "tools/list"),
        ("mcp-method", "Tools/Call"),
        ("mcp-name", "Echo"),
        ("mcp-name", ""),
    ],
)
def test_each_routing_header_must_agree_with_the_body(name: str, value: str) -> None:
    assert "contradicts the body" in mismatch(call(), {**RAW, name: value})


@pytest.mark.parametrize("name", list(RAW))
def test_a_routing_header_must_come_once_even_if_both_agree(name: str) -> None:
    assert mismatch(call(), [*RAW.items(), (name, RAW[name])]) == f"The header {name} must come once"


def test_a_parameter_header_must_come_once() -> None:
    assert "must come once" in mismatch(call(), [*RAW.items(), ("mcp-param-a", "1"), ("mcp-param-a", "1")])


@pytest.mark.parametrize(
    ("method", "key"),
    [("resources/read", "uri"), ("prompts/get", "name"), ("tasks/get", "taskId"), ("tasks/cancel", "taskId")],
)
def test_the_name_repeats_what_the_method_is_about(method: str, key: str) -> None:
    check(call(method, **{key: "x"}), read({**RAW, "mcp-method": method, "mcp-name": "x"}))


def test_a_method_that_is_about_nothing_needs_no_name() -> None:
    check(Request(1, "tools/list", {}, Peer(V2026_07_28)), read({**RAW, "mcp-method": "tools/list"}))


@pytest.mark.parametrize("name", ["größe", " padded ", "=?base64?YQ==?=", "line\nbreak", ""])
def test_a_name_may_be_encoded(name: str) -> None:
    check(call(name=name), read({**RAW, "mcp-name": encoded(name)}))


def test_a_name_that_is_no_text_matches_no_header() -> None:
    assert "contradicts" in mismatch(call(name=5), {**RAW, "mcp-name": "5"})


@pytest.mark.parametrize("value", [" echo", "echo  ", "\techo\t"])
def test_blanks_around_a_value_are_not_part_of_it(value: str) -> None:
    check(call(), read({**RAW, "mcp-name": value}))


@pytest.mark.parametrize("blank", ["\xa0", "\x85", "\x0b", "\x1f"])
def test_other_blanks_around_a_value_are(blank: str) -> None:
    assert "must be encoded" in mismatch(call(), {**RAW, "mcp-name": f"echo{blank}"})


@pytest.mark.parametrize("value", ["é", "a\x00b", "a\x7f"])
def test_a_plain_value_is_printable_ascii(value: str) -> None:
    with pytest.raises(ProtocolError, match="X has characters that must be encoded"):
        decoded("X", value)


@pytest.mark.parametrize("value", ["=?base64?YQ=?=", "=?base64?Y Q==?=", "=?base64?/w==?=", "=?base64?é?="])
def test_a_value_that_says_it_is_encoded_must_be(value: str) -> None:
    with pytest.raises(ProtocolError, match="X is not valid base64"):
        decoded("X", value)


@pytest.mark.parametrize("value", ["=?BASE64?YQ==?=", "=?base64?YQ==", "YQ==?=", "=?base64?=", "a b\tc"])
def test_a_value_without_the_exact_marks_is_literal(value: str) -> None:
    assert decoded("X", value) == value


@given(st.text())
def test_any_text_survives_its_encoding(text: str) -> None:
    assert decoded("X", encoded(text)) == text


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_a_header_is_decoded_or_refused_and_nothing_else(value: str) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(decoded("X", value), str)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("42", 42),
        ("42.0", 42),
        ("42.", 42),
        ("42", 42.0),
        ("-7", -7),
        ("true", True),
        ("false", False),
        ("us-west1", "us-west1"),
        ("", ""),
        ("9007199254740991", 2**53 - 1),
    ],
)
def test_a_parameter_header_that_repeats_its_argument_passes(header: str, value: object) -> None:
    assert says(header, value)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("43", 42),
        ("42.5", 42),
        ("4e1", 40),
        ("0x2a", 42),
        ("1_0", 10),
        ("+42", 42),
        ("", 0),
        (encoded("\u0664\u0662"), 42),
        ("True", True),
        ("1", True),
        ("true", 1),
        ("0", False),
        ("US", "us"),
        ("a", ["a"]),
        ("{}", {}),
    ],
)
def test_a_parameter_header_that_says_something_else_is_refused(header: str, value: object) -> None:
    assert not says(header, value)


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_every_safe_integer_can_be_repeated(value: int) -> None:
    assert says(str(value), value)
    assert not says(str(value + 1), value)


def test_an_argument_that_is_there_needs_its_header() -> None:
    with pytest.raises(ProtocolError, match="The header Mcp-Param-Region is missing"):
        check_parameters([Mirrored(("region",), "Region")], {"region": "x"}, read({}))


@pytest.mark.parametrize("arguments", [{}, {"region": None}, {"region": {}}])
def test_an_argument_that_is_not_there_expects_no_header(arguments: dict[str, Any]) -> None:
    path = ("region", "name") if arguments.get("region") == {} else ("region",)
    check_parameters([Mirrored(path, "Region")], arguments, read({}))


@pytest.mark.parametrize("arguments", [{}, {"region": None}])
def test_a_header_for_an_argument_that_is_not_there_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="repeats an argument that is not there"):
        check_parameters([Mirrored(("region",), "Region")], arguments, read({"mcp-param-region": "x"}))


def test_an_argument_may_stand_deep_in_the_others() -> None:
    check_parameters([Mirrored(("a", "b"), "B")], {"a": {"b": "x"}}, read({"mcp-param-b": "x"}))


@pytest.mark.parametrize("arguments", [{"a": "text"}, {"a": [1]}])
def test_a_path_through_something_else_leads_nowhere(arguments: dict[str, Any]) -> None:
    check_parameters([Mirrored(("a", "b"), "B")], arguments, read({}))


def test_headers_that_repeat_nothing_we_know_are_left_alone() -> None:
    check_parameters([], {}, read({"mcp-param-other": "x"}))


def test_what_a_client_accepts_is_joined() -> None:
    headers = read([("accept", "application/json"), ("accept", "text/event-stream")])
    assert headers.accept == Accept(events=True, only_events=False)


@pytest.mark.parametrize(
    ("accept", "insists"),
    [
        ("text/event-stream", True),
        ("text/event-stream, */*", False),
        ("text/event-stream, application/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_client_may_insist_on_an_event_stream(accept: str, insists: bool) -> None:
    assert read({"accept": accept}).accept.only_events is insists


def test_the_other_headers_are_read_as_they_are() -> None:
    headers = read({"content-type": "application/json", "mcp-session-id": "s", "last-event-id": " 7 ", "x": "y"})
    assert (headers.announces_json, headers.session, headers.last_event_id) == (True, "s", "7")


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON ; charset=utf-8", True),
        ("application/vnd.api+json", True),
        ("application/json, application/json", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_a_body_is_json_if_its_content_type_says_so(content_type: str, is_json: bool) -> None:
    assert read({"content-type": content_type}).announces_json is is_json


def test_a_body_without_a_content_type_is_not_taken_for_json() -> None:
    assert not read({}).announces_json


def test_headers_of_mcp_that_nobody_knows_are_left_alone() -> None:
    headers = read({"mcp-other": "x"})
    assert (headers.version, headers.method, headers.name, headers.session) == (None, None, None, None)
    assert (headers.parameters, headers.repeated) == ({}, None)


def test_an_accept_header_that_is_too_long_to_be_remembered_is_read_all_the_same() -> None:
    assert read({"accept": f"text/event-stream, {'x' * 1000}"}).accept == Accept(events=True, only_events=True)
