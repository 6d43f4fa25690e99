"""Bytes to messages: what is read, what is refused, and to whom a refusal is addressed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.protocol.errors import Code, ProtocolError, Reason
from mcp_server.protocol.messages import (
    STRANGER,
    Json,
    Notification,
    Peer,
    Request,
    Response,
    is_request_id,
    parse,
    readable_id,
    shape,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def refusal(body: Json) -> tuple[int, str]:
    """The code and the words with which a body is refused."""
    with pytest.raises(ProtocolError) as caught:
        shape(body)
    return caught.value.failure.code, caught.value.failure.message


def outcome(read: Callable[[Any], object], value: object) -> int | None:
    """The code with which a value is refused, or None if it is taken."""
    try:
        read(value)
    except ProtocolError as error:
        return error.failure.code
    return None


def request(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "m", **members}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nothing",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'"\xff"',
        b'"\\ud800"',
        b"{} {}",
        b"'a'",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf" * 5000 + b"{}",
        b"\xfe\xff\x00{\x00}",
        b"9" * 5000,
    ],
)
def test_what_is_not_json_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse(data)
    assert caught.value.failure.code == Code.PARSE_ERROR


def test_a_mark_in_front_of_json_is_ignored() -> None:
    assert parse(b"\xef\xbb\xbf" + b'{"a": 1}') == {"a": 1}


def test_nesting_to_a_depth_of_a_hundred_is_read() -> None:
    assert parse(b"[" * 100 + b"]" * 100)


@pytest.mark.parametrize(
    "data",
    [b"[" * 5000, b"[" * 300 + b"]" * 300, b'{"a":' * 300 + b"1" + b"}" * 300, b"\xef\xbb\xbf" + b"[" * 300],
)
def test_deeper_nesting_is_said_to_be_that(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse(data)
    failure = caught.value.failure
    assert (failure.code, failure.reason) == (Code.INVALID_REQUEST, Reason.NESTED_TOO_DEEP)
    assert [failure.status_of(modern=modern) for modern in (True, False)] == [413, 413]


def test_of_a_name_that_stands_twice_the_last_value_counts() -> None:
    assert parse(b'{"method": "tools/list", "method": "ping"}') == {"method": "ping"}


@given(JSON)
def test_json_is_read_as_the_value_it_is(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value


@given(st.binary())
def test_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    assert outcome(parse, data) in {None, Code.PARSE_ERROR}


@given(JSON | st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"]), JSON))
def test_json_has_one_of_three_shapes_or_is_refused(body: Any) -> None:
    assert outcome(shape, body) in {None, Code.INVALID_REQUEST}


def test_a_message_with_method_and_id_is_a_request() -> None:
    assert shape(request(params={"a": 1})) == Request(1, "m", {"a": 1}, STRANGER)


def test_a_message_with_a_method_alone_is_a_notification() -> None:
    assert shape({"jsonrpc": "2.0", "method": "m"}) == Notification("m", {})


@pytest.mark.parametrize("params", [{}, {"params": None}])
def test_absent_params_are_empty(params: dict[str, Any]) -> None:
    message = shape(request(**params))
    assert isinstance(message, Request)
    assert message.params == {}


@pytest.mark.parametrize("identity", [0, -1, 7, 2**70, "", "a", "7"])
def test_an_id_keeps_its_type(identity: int | str) -> None:
    message = shape(request(id=identity))
    assert isinstance(message, Request)
    assert (message.id, type(message.id)) == (identity, type(identity))


@pytest.mark.parametrize("identity", [None, True, 1.5, [], {}])
def test_an_id_of_any_other_type_is_refused(identity: object) -> None:
    assert refusal(request(id=identity)) == (Code.INVALID_REQUEST, "id must be a string or an integer")


@pytest.mark.parametrize("body", [None, 1, "text", True, [], [request()]])
def test_json_that_is_no_object_is_refused(body: Json) -> None:
    assert refusal(body) == (Code.INVALID_REQUEST, "A message must be a JSON object")


@pytest.mark.parametrize("version", [None, "1.0", 2.0, 2, ["2.0"]])
def test_another_json_rpc_version_is_refused(version: object) -> None:
    assert refusal(request(jsonrpc=version)) == (Code.INVALID_REQUEST, 'A message must say "jsonrpc": "2.0"')


@pytest.mark.parametrize("method", [None, 1, [], {}])
def test_a_method_that_is_no_text_is_refused(method: object) -> None:
    assert refusal(request(method=method)) == (Code.INVALID_REQUEST, "method must be a string")


@pytest.mark.parametrize("params", [[], [1], "a", 0, False])
def test_params_that_are_no_object_are_refused(params: object) -> None:
    assert refusal(request(params=params)) == (Code.INVALID_REQUEST, "params must be an object")


def test_a_result_is_a_response() -> None:
    assert shape({"jsonrpc": "2.0", "id": "x", "result": {}}) == Response("x", {}, None)


def test_an_error_is_a_response() -> None:
    assert shape({"jsonrpc": "2.0", "id": 4, "error": {"code": 1}}) == Response(4, None, {"code": 1})


@pytest.mark.parametrize("identity", [{}, {"id": None}])
def test_an_error_without_an_id_is_a_response_so_that_two_servers_cannot_complain_to_each_other_for_ever(
    identity: dict[str, Any],
) -> None:
    assert shape({"jsonrpc": "2.0", "error": {"code": 1}, **identity}) == Response(None, None, {"code": 1})


@pytest.mark.parametrize(
    "members",
    [{}, {"result": {}, "error": {}}, {"result": 1}, {"error": "x"}, {"result": None, "error": None}],
)
def test_a_response_has_either_a_result_or_an_error(members: dict[str, Any]) -> None:
    words = "A response needs either a result or an error"
    assert refusal({"jsonrpc": "2.0", "id": 1, **members}) == (Code.INVALID_REQUEST, words)


@pytest.mark.parametrize("members", [{}, {"id": None}, {"id": True}, {"id": None, "result": {}}])
def test_a_message_without_method_and_id_is_refused(members: dict[str, Any]) -> None:
    assert refusal({"jsonrpc": "2.0", **members})[1].startswith("A message needs a method")


@pytest.mark.parametrize("identity", [0, "", "a", 12])
def test_the_id_of_a_broken_request_can_be_read(identity: int | str) -> None:
    assert readable_id({"id": identity, "method": 1}) == identity


@pytest.mark.parametrize("body", [None, [], {"id": None}, {"id": True}, {"id": 1.0}, {}])
def test_no_id_can_be_read_where_there_is_none(body: object) -> None:
    assert readable_id(body) is None


@pytest.mark.parametrize("member", ["result", "error"])
def test_the_id_of_a_broken_response_is_not_used_as_it_would_fail_a_request_of_the_client(member: str) -> None:
    assert readable_id({"jsonrpc": "2.0", "id": 1, member: "broken"}) is None


@pytest.mark.parametrize("value", [True, False, None, 1.0, [], {}])
def test_only_text_and_integers_are_ids(value: object) -> None:
    assert not is_request_id(value)


@pytest.mark.parametrize(("meta", "token"), [({"progressToken": 0}, 0), ({"progressToken": "t"}, "t"), ({}, None)])
def test_a_progress_token_is_taken_from_the_metadata(meta: dict[str, Any], token: object) -> None:
    assert Request(1, "m", {"_meta": meta}).progress_token == token


@pytest.mark.parametrize("params", [{}, {"_meta": None}, {"_meta": []}, {"_meta": {"progressToken": 1.5}}])
def test_there_is_no_progress_token_in_anything_else(params: dict[str, Any]) -> None:
    assert Request(1, "m", params).progress_token is None


@pytest.mark.parametrize(("info", "name"), [(None, None), ({}, None), ({"name": 3}, None), ({"name": "c"}, "c")])
def test_a_client_has_the_name_that_it_gives_itself(info: dict[str, Any] | None, name: str | None) -> None:
    assert Peer("2026-07-28", info=info).name == name
