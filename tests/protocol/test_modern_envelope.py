"""The metadata that every 2026-07-28 request carries, and the results that it gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakes import SERVER_INFO, meta

from mcp_server.protocol import modern
from mcp_server.protocol.errors import Code, Failure, ProtocolError
from mcp_server.protocol.messages import LOG_LEVELS, Peer, Request
from mcp_server.protocol.rendering import Rendering, failure_bytes
from mcp_server.protocol.results import Prepared, Result
from mcp_server.protocol.versions import V2026_07_28

PREFIX = "io.modelcontextprotocol/"
SIGNED = {"_meta": {PREFIX + "serverInfo": SERVER_INFO}}
PEER = Peer(V2026_07_28)


def admitted(metadata: Any) -> Peer:
    request = Request(1, "tools/list", {"_meta": metadata})
    modern.admit(request)
    return request.peer


def refused(metadata: Any) -> Failure:
    with pytest.raises(ProtocolError) as caught:
        admitted(metadata)
    return caught.value.failure


def rendered(result: Result, request: Request | None = None) -> dict[str, Any]:
    data = Rendering(SERVER_INFO).answer(request or Request(1, "tools/call", {}, PEER), result)
    return json.loads(data)["result"]


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01", None, 7])
def test_a_request_with_a_version_of_its_own_is_modern(version: object) -> None:
    assert modern.is_modern({"_meta": {PREFIX + "protocolVersion": version}})


@pytest.mark.parametrize("params", [{}, {"_meta": None}, {"_meta": []}, {"_meta": {}}, {"_meta": "protocolVersion"}])
def test_a_request_without_one_is_not(params: dict[str, Any]) -> None:
    assert not modern.is_modern(params)


def test_the_peer_is_what_the_metadata_says() -> None:
    peer = admitted(meta(capabilities={"sampling": {}}, clientInfo={"name": "c"}, logLevel="error"))
    assert (peer.version, peer.capabilities, peer.info, peer.log_level) == (
        V2026_07_28,
        {"sampling": {}},
        {"name": "c"},
        "error",
    )


def test_client_info_is_not_required() -> None:
    assert admitted(meta()).info is None


def test_no_log_level_means_none() -> None:
    assert admitted(meta()).log_level is None


def test_a_version_that_is_not_served_is_admitted_so_that_its_header_can_be_compared_first() -> None:
    assert admitted(meta("2099-01-01")).version == "2099-01-01"


@pytest.mark.parametrize("key", ["protocolVersion", "clientCapabilities"])
def test_what_a_request_must_carry_is_missed(key: str) -> None:
    metadata = meta()
    del metadata[PREFIX + key]
    failure = refused(metadata)
    assert (failure.code, failure.reason, failure.status_of(modern=True)) == (Code.INVALID_PARAMS, "bad_envelope", 400)
    assert key in failure.message


@pytest.mark.parametrize("metadata", [None, [], "x", 1])
def test_metadata_that_is_no_object_is_a_broken_envelope(metadata: object) -> None:
    assert refused(metadata).reason == "bad_envelope"


@pytest.mark.parametrize(
    ("key", "value"),
    [("protocolVersion", 20260728), ("clientCapabilities", []), ("clientCapabilities", None), ("clientInfo", "me")],
)
def test_metadata_of_the_wrong_type_is_a_broken_envelope(key: str, value: object) -> None:
    assert refused({**meta(), PREFIX + key: value}).reason == "bad_envelope"


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_each_log_level_is_known(level: str) -> None:
    assert admitted(meta(logLevel=level)).log_level == level


@pytest.mark.parametrize("level", ["verbose", "INFO", "", 3, [], {}])
def test_an_unknown_log_level_is_refused(level: object) -> None:
    failure = refused(meta(logLevel=level))
    assert (failure.code, failure.reason) == (Code.INVALID_PARAMS, "bad_params")


@pytest.mark.parametrize("token", [True, 1.5, [], {}])
def test_a_progress_token_of_the_wrong_type_is_refused(token: object) -> None:
    assert refused(meta(progressToken=token)).reason == "bad_params"


@pytest.mark.parametrize("token", [0, "", "t", 5])
def test_a_progress_token_is_text_or_an_integer(token: int | str) -> None:
    request = Request(1, "m", {"_meta": meta(progressToken=token)})
    modern.admit(request)
    assert request.progress_token == token


def test_a_result_says_that_it_is_complete_and_who_made_it() -> None:
    assert rendered({"content": []}) == {"resultType": "complete", "content": [], **SIGNED}


def test_an_empty_result_says_so_too() -> None:
    assert rendered({}) == {"resultType": "complete", **SIGNED}


def test_a_result_of_another_type_keeps_its_type() -> None:
    result = {"resultType": "input_required", "requestState": "s"}
    assert rendered(result) == {**result, **SIGNED}


def test_the_metadata_of_a_result_is_kept_beside_ours() -> None:
    assert rendered({"_meta": {"com.example/a": 1}})["_meta"] == {"com.example/a": 1, **SIGNED["_meta"]}


@pytest.mark.parametrize("empty", [None, {}])
def test_empty_metadata_of_a_result_does_not_come_twice(empty: object) -> None:
    data = Rendering(SERVER_INFO).answer(Request(1, "tools/call", {}, PEER), {"_meta": empty})
    assert data.count(b'"_meta"') == 1
    assert json.loads(data)["result"] == {"resultType": "complete", **SIGNED}


def test_a_value_that_is_json_already_goes_out_as_it_is() -> None:
    assert rendered({"structuredContent": b'{"a":1}', "content": []})["structuredContent"] == {"a": 1}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_becomes_null(number: float) -> None:
    assert rendered({"structuredContent": {"n": number}})["structuredContent"] == {"n": None}


@pytest.mark.parametrize("identity", [0, "", "a\nb", 2**70, 'quote"', "é"])
def test_the_answer_bears_the_id_of_the_request(identity: int | str) -> None:
    data = Rendering(SERVER_INFO).answer(Request(identity, "ping", {}, PEER), {})
    assert b"\n" not in data
    assert json.loads(data)["id"] == identity


def test_an_error_bears_the_id_too() -> None:
    data = Rendering(SERVER_INFO).answer(Request("x", "ping", {}, PEER), Failure(Code.INTERNAL_ERROR, "no"))
    assert json.loads(data) == {"jsonrpc": "2.0", "id": "x", "error": {"code": -32603, "message": "no"}}


def test_an_error_for_nobody_has_no_id() -> None:
    assert json.loads(failure_bytes(None, Failure(1, "no", {"a": 1}))) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": 1, "message": "no", "data": {"a": 1}},
    }


def test_a_prepared_result_is_rendered_once_for_all_who_ask() -> None:
    prepared, made = Prepared({"tools": []}), list[Result]()

    def render(result: Result) -> bytes:
        made.append(result)
        return b"{}"

    assert [prepared.rendered(V2026_07_28, render) for _ in range(3)] == [b"{}"] * 3
    assert made == [{"tools": []}]


def test_a_notification_has_its_method_and_parameters() -> None:
    data = Rendering(SERVER_INFO).notification(PEER, "notifications/message", {"level": "info", "data": "é\n"})
    assert json.loads(data) == {
        "jsonrpc": "2.0",
        "method": "notifications/message",
        "params": {"level": "info", "data": "é\n"},
    }
    assert b"\n" not in data
