"""Tools: how they are listed, called, and how they fail."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from fixture_server import GIVEN_SCHEMA, PIXEL, SECRET, SOUND
from wire import Connect, Message, WireSession, on_loop

TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@pytest.mark.requirement("T1a", "L1e", "G1a", "R3c")
@on_loop
async def test_the_capabilities_are_declared(connect: Connect) -> None:
    async with connect(shake_hands=False) as session:
        told = await (session.request("server/discover") if session.modern else session.shake_hands())
        assert told["capabilities"]["tools"] == {"listChanged": True}
        assert told["capabilities"]["prompts"] == {"listChanged": True}
        assert told["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}
        assert told["capabilities"]["logging"] == {}


@pytest.mark.requirement("T1b")
@on_loop
async def test_two_connections_see_the_same_tools(connect: Connect) -> None:
    async with connect() as one, connect() as other:
        assert await _tools(one) == await _tools(other)


@pytest.mark.requirement("T1b", "T2")
@on_loop
async def test_no_call_changes_the_list_of_tools(connect: Connect) -> None:
    async with connect() as session:
        before = await _tools(session)
        for tool in ("nothing", "fail", "crash", "lie", "show"):
            await session.call(tool)
        assert await _tools(session) == before


@pytest.mark.requirement("T2")
@on_loop
async def test_tools_are_listed_in_the_order_of_registration(connect: Connect) -> None:
    async with connect() as session:
        assert list(await _tools(session))[:4] == ["add", "shape", "never", "echo"]


@pytest.mark.requirement("T3a")
@on_loop
async def test_the_input_of_every_tool_is_an_object(connect: Connect) -> None:
    async with connect() as session:
        for tool in (await _tools(session)).values():
            assert tool["inputSchema"]["type"] == "object"
            assert tool["inputSchema"]["additionalProperties"] is False


@pytest.mark.requirement("T3a")
@on_loop
async def test_a_tool_without_arguments_takes_none(connect: Connect) -> None:
    async with connect() as session:
        tool = (await _tools(session))["nothing"]
        assert tool["inputSchema"] == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.requirement("T3b")
@on_loop
async def test_a_given_schema_is_published_to_the_letter(connect: Connect) -> None:
    async with connect() as session:
        published = (await _tools(session))["shape"]["inputSchema"]
        assert json.dumps(published) == json.dumps(GIVEN_SCHEMA)


@pytest.mark.requirement("T3b")
@on_loop
async def test_a_given_schema_is_enforced(connect: Connect) -> None:
    async with connect() as session:
        assert (await session.call("shape", shape="round"))["content"][0]["text"] == "round"
        assert (await session.call("shape", shape="flat"))["isError"]


@pytest.mark.requirement("T4a")
@on_loop
async def test_a_structured_result_is_told_as_text_too(connect: Connect) -> None:
    async with connect() as session:
        result = await session.call("add", a=2, b=3)
        assert result["structuredContent"] == {"total": 5}
        assert json.loads(result["content"][0]["text"]) == {"total": 5}


@pytest.mark.requirement("T4a")
@on_loop
async def test_the_schema_of_a_structured_result_is_listed(connect: Connect) -> None:
    async with connect() as session:
        schema = (await _tools(session))["add"]["outputSchema"]
        assert (schema["type"], schema["required"]) == ("object", ["total"])


@pytest.mark.requirement("T4b")
@pytest.mark.parametrize(
    ("tool", "arguments", "value"), [("count", {"to": 3}, [1, 2, 3]), ("count", {"to": 0}, []), ("stopped", {}, [])]
)
@on_loop
async def test_a_structured_result_is_any_value(
    connect: Connect, tool: str, arguments: dict[str, Any], value: Any
) -> None:
    async with connect() as session:
        result = await session.call(tool, **arguments)
        assert result["structuredContent"] == value
        assert [json.loads(block["text"]) for block in result["content"]] == [value]


@pytest.mark.requirement("T4c")
@on_loop
async def test_a_result_that_breaks_its_schema_is_not_shown(connect: Connect) -> None:
    async with connect() as session:
        result = await session.call("lie")
        assert result["isError"]
        assert "many" not in json.dumps(result)
        assert "structuredContent" not in result


@pytest.mark.requirement("T5a")
@pytest.mark.parametrize("name", ["nobody", "", "ECHO", "echo "])
@on_loop
async def test_an_unknown_tool_is_refused(connect: Connect, name: str) -> None:
    async with connect() as session:
        refused = await session.refusal("tools/call", {"name": name, "arguments": {}})
        assert (refused.code, refused.message) == (-32602, f"Unknown tool: {name}")


@pytest.mark.requirement("T5a")
@on_loop
async def test_an_unknown_tool_is_not_told_the_names_of_others(connect: Connect) -> None:
    async with connect() as session:
        assert "echo" not in str(await session.refusal("tools/call", {"name": "x", "arguments": {}}))


@pytest.mark.requirement("T5b")
@pytest.mark.parametrize(
    "params", [{}, {"name": 5}, {"name": "echo", "arguments": []}, {"name": "echo", "arguments": "a"}]
)
@on_loop
async def test_a_malformed_call_is_refused(connect: Connect, params: dict[str, Any]) -> None:
    async with connect() as session:
        unnamed = not isinstance(params.get("name"), str)
        assert (await session.refusal("tools/call", params)).code == (session.unnamed if unnamed else -32602)


@pytest.mark.requirement("T5b")
@pytest.mark.parametrize("params", [{"name": "nothing"}, {"name": "nothing", "arguments": None}])
@on_loop
async def test_arguments_may_be_left_out(connect: Connect, params: dict[str, Any]) -> None:
    async with connect() as session:
        assert not (await session.request("tools/call", params)).get("isError")


@pytest.mark.requirement("T5c", "T7")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"a": 1}, "b"),
        ({"a": "1", "b": 2}, "a"),
        ({"a": True, "b": 2}, "a"),
        ({"a": 1.5, "b": 2}, "a"),
        ({"a": None, "b": 2}, "a"),
        ({"a": 1, "b": 2, "extra": 3}, "extra"),
    ],
)
@on_loop
async def test_wrong_arguments_are_named_in_an_error_that_the_model_sees(
    connect: Connect, arguments: dict[str, Any], named: str
) -> None:
    async with connect() as session:
        result = await session.call("add", **arguments)
        assert result["isError"]
        assert named in result["content"][0]["text"]


@pytest.mark.requirement("T7")
@on_loop
async def test_a_wrong_argument_is_not_sent_back(connect: Connect) -> None:
    async with connect() as session:
        assert "hunter2" not in json.dumps(await session.call("add", a="hunter2", b=1))


@pytest.mark.requirement("T5d")
@on_loop
async def test_what_a_tool_says_went_wrong_is_told(connect: Connect) -> None:
    async with connect() as session:
        result = await session.call("fail")
        assert result["isError"]
        assert result["content"] == [{"type": "text", "text": "the shelf is empty"}]


@pytest.mark.requirement("T5e")
@on_loop
async def test_what_a_tool_did_not_mean_to_say_is_not_told(connect: Connect) -> None:
    async with connect() as session:
        result = await session.call("crash")
        assert result["isError"]
        assert re.fullmatch(r"Tool execution failed \[[0-9a-f]{8}\]", result["content"][0]["text"])
        assert SECRET not in json.dumps(session.received)


@pytest.mark.requirement("T6")
@on_loop
async def test_every_tool_has_a_name_that_every_host_takes(connect: Connect) -> None:
    async with connect() as session:
        names = list(await _tools(session))
        assert all(TOOL_NAME.fullmatch(name) for name in names)


@pytest.mark.requirement("T10")
@on_loop
async def test_content_arrives_as_it_is(connect: Connect) -> None:
    async with connect() as session:
        words, picture, *others = (await session.call("show"))["content"]
        assert words == {"type": "text", "text": "words"}
        assert (picture["type"], picture["mimeType"]) == ("image", "image/png")
        assert base64.b64decode(picture["data"]) == PIXEL
        assert base64.b64encode(SOUND).decode() in json.dumps(others)
        assert "inside" in json.dumps(others)
        assert "fixture://motd" in json.dumps(others)


async def _tools(session: WireSession) -> dict[str, Message]:
    """The tools by their names, which no two share."""
    tools = (await session.request("tools/list"))["tools"]
    by_name = {tool["name"]: tool for tool in tools}
    assert len(by_name) == len(tools)
    return by_name
