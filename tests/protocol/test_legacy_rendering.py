"""The four older versions: the handshake, and results rendered down to what each of them knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from fakes import LISTS, SERVER_INFO
from mcp_types.methods import validate_server_result

from mcp_server.engine.service import Kind
from mcp_server.protocol import legacy
from mcp_server.protocol.errors import Code, Failure, ProtocolError, unknown_resource, unknown_tool
from mcp_server.protocol.messages import LOG_LEVELS, Peer, Request
from mcp_server.protocol.rendering import Rendering
from mcp_server.protocol.results import Prepared
from mcp_server.protocol.versions import (
    ALL_VERSIONS,
    LEGACY_VERSIONS,
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
)

HELLO = {"protocolVersion": V2025_06_18, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
TEXT = {"type": "text", "text": "t"}
AUDIO = {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}
LINK = {"type": "resource_link", "name": "a", "uri": "fake://a"}


def rendered(version: str, method: str, result: Mapping[str, Any]) -> dict[str, Any]:
    data = Rendering(SERVER_INFO).answer(Request(1, method, {}, Peer(version)), result)
    lowered = json.loads(data)["result"]
    validate_server_result(method, version, lowered)
    return lowered


def first(version: str, kind: Kind) -> set[str]:
    """The fields that the first entry of a list still has."""
    result = LISTS[kind]
    key = next(iter(result))
    return set(rendered(version, kind.value, result)[key][0])


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_a_handshake_gets_the_version_that_it_asks_for(version: str) -> None:
    assert legacy.handshake({**HELLO, "protocolVersion": version}).version == version


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01", "", "2025-06-19"])
def test_a_handshake_in_an_unknown_or_newer_version_gets_the_newest_that_has_one(version: str) -> None:
    assert legacy.handshake({**HELLO, "protocolVersion": version}).version == V2025_11_25


def test_a_handshake_introduces_the_client() -> None:
    peer = legacy.handshake({**HELLO, "capabilities": {"sampling": {}, "extensions": {"io.example/x": {}}}})
    assert (peer.name, peer.capabilities) == ("c", {"sampling": {}, "extensions": {"io.example/x": {}}})


@pytest.mark.parametrize("absent", ["capabilities", "clientInfo"])
def test_a_handshake_may_say_little(absent: str) -> None:
    assert legacy.handshake({key: value for key, value in HELLO.items() if key != absent}).version == V2025_06_18


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocolVersion": None},
        {"protocolVersion": 1},
        {"capabilities": []},
        {"capabilities": None},
        {"clientInfo": 1},
    ],
)
def test_a_handshake_of_the_wrong_types_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        legacy.handshake({**HELLO, **wrong})
    assert caught.value.failure.code == Code.INVALID_PARAMS


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_a_level_is_remembered_with_the_client(level: str) -> None:
    assert legacy.level({"level": level}) == level


@pytest.mark.parametrize("level", [None, "loud", 1, []])
def test_an_unknown_level_is_refused(level: object) -> None:
    with pytest.raises(ProtocolError, match="level must be one of"):
        legacy.level({"level": level})


def test_only_one_version_takes_batches() -> None:
    assert [version for version in ALL_VERSIONS if legacy.takes_batches(version)] == [V2025_03_26]


@pytest.mark.parametrize(
    ("version", "known"),
    [
        (V2024_11_05, {"name", "version"}),
        (V2025_03_26, {"name", "version"}),
        (V2025_06_18, {"name", "version", "title"}),
        (V2025_11_25, {"name", "version", "title", "icons", "description", "websiteUrl"}),
    ],
)
def test_a_server_introduces_itself_in_the_words_of_the_version(version: str, known: set[str]) -> None:
    result = legacy.introduction(version, SERVER_INFO, {"tools": {}}, None)
    validate_server_result("initialize", version, result)
    assert set(result["serverInfo"]) == known


def test_instructions_are_passed_on_where_there_are_any() -> None:
    assert legacy.introduction(V2025_06_18, SERVER_INFO, {}, "Ask")["instructions"] == "Ask"


def test_no_instructions_are_no_field() -> None:
    assert "instructions" not in legacy.introduction(V2025_06_18, SERVER_INFO, {}, None)


def test_extensions_stay_in_the_capabilities() -> None:
    capabilities: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/ui": {}}}
    assert legacy.introduction(V2025_06_18, SERVER_INFO, capabilities, None)["capabilities"] == capabilities


BARE_TOOL = {"name", "description", "inputSchema"}


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (V2024_11_05, BARE_TOOL),
        (V2025_03_26, BARE_TOOL | {"annotations"}),
        (V2025_06_18, BARE_TOOL | {"annotations", "title", "_meta", "outputSchema"}),
        (V2025_11_25, BARE_TOOL | {"annotations", "title", "_meta", "outputSchema", "icons"}),
    ],
)
def test_a_tool_has_the_fields_of_the_version(version: str, fields: set[str]) -> None:
    assert first(version, Kind.TOOLS) == fields


@pytest.mark.parametrize(
    ("version", "added"),
    [
        (V2024_11_05, set[str]()),
        (V2025_03_26, set[str]()),
        (V2025_06_18, {"title", "_meta"}),
        (V2025_11_25, {"title", "_meta", "icons"}),
    ],
)
def test_everything_else_in_a_list_has_the_fields_of_the_version(version: str, added: set[str]) -> None:
    assert first(version, Kind.RESOURCES) == {"uri", "name", "mimeType", "size"} | added
    assert first(version, Kind.TEMPLATES) == {"uriTemplate", "name", "description"} | added
    assert first(version, Kind.PROMPTS) == {"name", "arguments"} | added


@pytest.mark.parametrize(("version", "titled"), [(V2025_03_26, False), (V2025_06_18, True)])
def test_an_argument_of_a_prompt_has_a_title_since_2025_06_18(version: str, titled: bool) -> None:
    prompts = rendered(version, "prompts/list", LISTS[Kind.PROMPTS])["prompts"]
    assert ("title" in prompts[0]["arguments"][0]) is titled


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_an_output_schema_that_is_no_object_is_left_out(version: str) -> None:
    assert "outputSchema" not in rendered(version, "tools/list", LISTS[Kind.TOOLS])["tools"][1]


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_a_cursor_is_passed_on_and_cache_hints_are_not(version: str) -> None:
    listed = rendered(version, "tools/list", {"tools": [], "nextCursor": "c", "ttlMs": 5, "cacheScope": "public"})
    assert listed == {"tools": [], "nextCursor": "c"}


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_a_result_does_not_say_its_type(version: str) -> None:
    assert rendered(version, "ping", {"resultType": "complete"}) == {}


@pytest.mark.parametrize(
    ("version", "kept"), [(V2024_11_05, False), (V2025_03_26, False), (V2025_06_18, True), (V2025_11_25, True)]
)
@pytest.mark.parametrize("structure", [{"a": 1}, b'{"a":1}'])
def test_structure_is_known_since_2025_06_18(version: str, kept: bool, structure: object) -> None:
    result = rendered(version, "tools/call", {"content": [TEXT], "structuredContent": structure})
    assert result == {"content": [TEXT], **({"structuredContent": {"a": 1}} if kept else {})}


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
@pytest.mark.parametrize("structure", [[1], b"[1]", 1, b"1", "s", None, b"null", True])
def test_structure_that_is_no_object_is_left_out(version: str, structure: object) -> None:
    result = rendered(version, "tools/call", {"content": [TEXT], "structuredContent": structure})
    assert result == {"content": [TEXT]}


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_an_error_of_a_tool_stays_one(version: str) -> None:
    assert rendered(version, "tools/call", {"content": [TEXT], "isError": True})["isError"] is True


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_content_that_is_json_already_goes_out_as_it_is(version: str) -> None:
    result = rendered(version, "tools/call", {"content": b'[{"type":"text","text":"t"}]'})
    assert result == {"content": [TEXT]}


def test_sound_is_an_embedded_resource_where_there_is_no_audio_yet() -> None:
    block = rendered(V2024_11_05, "tools/call", {"content": [AUDIO]})["content"][0]
    assert block == {
        "type": "resource",
        "resource": {"uri": "audio://inline", "mimeType": "audio/wav", "blob": "AAAA"},
    }


@pytest.mark.parametrize("version", [V2025_03_26, V2025_06_18, V2025_11_25])
def test_sound_is_sound_since_2025_03_26(version: str) -> None:
    assert rendered(version, "tools/call", {"content": [AUDIO]})["content"] == [AUDIO]


@pytest.mark.parametrize("version", [V2024_11_05, V2025_03_26])
@pytest.mark.parametrize(("title", "said"), [({}, "a: fake://a"), ({"title": "A"}, "A: fake://a")])
def test_a_link_is_told_in_words_where_there_are_no_links_yet(version: str, title: dict[str, str], said: str) -> None:
    content = rendered(version, "tools/call", {"content": [{**LINK, **title}]})["content"]
    assert content == [{"type": "text", "text": said}]


@pytest.mark.parametrize("version", [V2025_06_18, V2025_11_25])
def test_a_link_is_a_link_since_2025_06_18(version: str) -> None:
    assert rendered(version, "tools/call", {"content": [LINK]})["content"] == [LINK]


def test_the_messages_of_a_prompt_are_adapted_like_the_content_of_a_tool() -> None:
    result = rendered(V2024_11_05, "prompts/get", {"messages": [{"role": "user", "content": LINK}], "description": "d"})
    text = {"type": "text", "text": "a: fake://a"}
    assert result == {"messages": [{"role": "user", "content": text}], "description": "d"}


@pytest.mark.parametrize(("version", "told"), [(V2024_11_05, False), (V2025_03_26, True), (V2025_11_25, True)])
def test_progress_has_a_message_since_2025_03_26(version: str, told: bool) -> None:
    params = {"progressToken": 1, "progress": 1, "message": "half"}
    data = Rendering(SERVER_INFO).notification(Peer(version), "notifications/progress", params)
    assert ("message" in json.loads(data)["params"]) is told


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_other_notifications_keep_their_message(version: str) -> None:
    params = {"level": "info", "data": {"message": "m"}, "message": "m"}
    data = Rendering(SERVER_INFO).notification(Peer(version), "notifications/message", params)
    assert json.loads(data)["params"] == params


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_a_missing_resource_has_the_code_that_it_used_to_have(version: str) -> None:
    failure = unknown_resource("fake://x").failure
    data = Rendering(SERVER_INFO).answer(Request(1, "resources/read", {}, Peer(version)), failure)
    assert json.loads(data)["error"]["code"] == -32002


@pytest.mark.parametrize("failure", [unknown_tool("t").failure, Failure(Code.INTERNAL_ERROR, "no")])
def test_other_errors_keep_their_code(failure: Failure) -> None:
    data = Rendering(SERVER_INFO).answer(Request(1, "m", {}, Peer(V2025_11_25)), failure)
    assert json.loads(data)["error"]["code"] == failure.code


def test_a_prepared_list_is_rendered_for_each_version_apart() -> None:
    prepared, rendering = Prepared(LISTS[Kind.TOOLS]), Rendering(SERVER_INFO)
    seen = {rendering.answer(Request(1, "tools/list", {}, Peer(version)), prepared) for version in ALL_VERSIONS}
    assert len(seen) == len(ALL_VERSIONS)


def test_rendering_for_an_old_client_leaves_the_result_as_it_was() -> None:
    result = {"content": [dict(AUDIO)], "structuredContent": [1]}
    rendered(V2024_11_05, "tools/call", result)
    assert result == {"content": [AUDIO], "structuredContent": [1]}
