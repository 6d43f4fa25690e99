"""Tasks as 2025-11-25 had them, made of the same tasks; and what other versions see of either."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from task_shop import LEGACY, Shop, begin, happens, look, play, until, word

from mcp_server import Server
from mcp_server.engine import task_methods
from mcp_server.protocol.versions import LEGACY_VERSIONS
from mcp_server.testing import ErrorResponse, TestClient

RELATED = "io.modelcontextprotocol/related-task"
CALL: dict[str, Any] = {"name": "wait", "arguments": {}}


async def code_of(client: TestClient, method: str, params: Mapping[str, Any]) -> int:
    """The code of the error that a request is answered with."""
    with pytest.raises(ErrorResponse) as refused:
        await client.request(method, params)
    return refused.value.code


def test_a_call_asks_for_a_task_and_gets_it_nested() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(LEGACY) as client:
            answer = await client.request("tools/call", {**CALL, "task": {"ttl": 5000}})
            assert answer.keys() == {"task"}
            task = answer["task"]
            assert task.keys() == {"taskId", "status", "createdAt", "lastUpdatedAt", "ttl", "pollInterval"}
            assert (task["status"], task["ttl"]) == ("working", 5000)
            assert await look(client, task["taskId"]) == task
            shop.open.set()
            await until(client, task["taskId"], "completed")

    play(story)


def test_a_call_without_the_parameter_waits_for_its_result() -> None:
    async def story() -> None:
        shop = Shop()
        shop.open.set()
        async with shop.client(LEGACY) as client:
            assert (await client.call_tool("wait", tag="l")).text == "done l"

    play(story)


def test_a_tool_says_whether_it_can_be_a_task() -> None:
    async def story() -> None:
        async with Shop().client(LEGACY) as client:
            tools = {tool["name"]: tool for tool in await client.list_tools()}
            assert tools["wait"]["execution"] == {"taskSupport": "optional"}
            assert tools["must"]["execution"] == {"taskSupport": "required"}
            assert "execution" not in tools["plain"]
            assert await code_of(client, "tools/call", {"name": "must", "arguments": {}}) == -32601
            assert await code_of(client, "tools/call", {"name": "plain", "arguments": {}, "task": {}}) == -32601

    play(story)


def test_a_server_without_tasks_ignores_the_parameter() -> None:
    async def story() -> None:
        server = Server("bare", lint="off")
        server.add_tool(Shop().plain)
        async with server.test_client(LEGACY) as client:
            answer = await client.request("tools/call", {"name": "plain", "arguments": {}, "task": {}})
            assert answer["content"][0]["text"] == "plain"

    play(story)


@pytest.mark.parametrize("task", [None, [], 5, {"ttl": "long"}, {"ttl": 0}, {"ttl": -1}, {"ttl": True}])
def test_a_parameter_that_is_none_is_refused(task: object) -> None:
    async def story() -> None:
        async with Shop().client(LEGACY) as client:
            assert await code_of(client, "tools/call", {**CALL, "task": task}) == -32602

    play(story)


@pytest.mark.parametrize("look_every", [0.01, 60.0], ids=["looking", "told"])
def test_a_result_is_waited_for(look_every: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_methods, "LOOK_EVERY", look_every)

    async def story() -> None:
        shop = Shop()
        async with shop.client(LEGACY) as client:
            task_id = await begin(client, "wait", tag="r")
            waiting = asyncio.ensure_future(client.request("tasks/result", {"taskId": task_id}))
            await happens(lambda: shop.begun)
            await asyncio.sleep(0.03)  # which is longer than one of the two looks lasts
            assert not waiting.done()
            shop.open.set()
            result = await waiting
            assert result["content"] == [{"type": "text", "text": "done r"}]
            assert result["_meta"] == {RELATED: {"taskId": task_id}}
            assert await client.request("tasks/result", {"taskId": task_id}) == result

    play(story)


def test_a_tool_that_failed_has_failed_its_task() -> None:
    async def story() -> None:
        async with Shop().client(LEGACY) as client:
            task = await until(client, await begin(client, "fail"), "failed")
            assert task["statusMessage"] == "no luck"
            result = await client.request("tasks/result", {"taskId": task["taskId"]})
            assert result["isError"]

    play(story)


def test_an_error_of_the_protocol_is_the_result_of_its_task() -> None:
    async def story() -> None:
        async with Shop().client(LEGACY) as client:
            task_id = await begin(client, "refuse")
            with pytest.raises(ErrorResponse) as refused:
                await client.request("tasks/result", {"taskId": task_id})
            assert (refused.value.code, refused.value.message) == (-32603, "no way")

    play(story)


def test_a_task_is_cancelled_once() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(LEGACY) as client:
            task_id = await begin(client, "wait")
            waiting = asyncio.ensure_future(code_of(client, "tasks/result", {"taskId": task_id}))
            task = await client.request("tasks/cancel", {"taskId": task_id})
            assert (task["taskId"], task["status"]) == (task_id, "cancelled")
            assert await waiting == -32603
            assert await code_of(client, "tasks/cancel", {"taskId": task_id}) == -32602

    play(story)


def test_questions_are_put_on_the_way_to_the_result() -> None:
    asked: list[Mapping[str, Any]] = []

    def answer(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(params)
        return word("legacy")

    async def story() -> None:
        async with Shop().client(LEGACY, answers=answer) as client:
            task_id = await begin(client, "ask")
            await until(client, task_id, "input_required")
            assert asked == []
            result = await client.request("tasks/result", {"taskId": task_id})
            assert "legacy" in result["content"][0]["text"]
            assert asked[0]["_meta"] == {RELATED: {"taskId": task_id}}
            first = await begin(client, "ask_first")
            result = await client.request("tasks/result", {"taskId": first})
            assert "legacy" in result["content"][0]["text"]

    play(story)


def test_a_client_that_does_not_answer_is_told_so() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(LEGACY) as client:
            task_id = await begin(client, "ask")
            await until(client, task_id, "input_required")

            inside: Any = client
            answering: list[Any] = []

            async def refuse(message: bytes) -> None:
                error = {"code": -1, "message": "not today"}
                refusal = {"jsonrpc": "2.0", "id": from_json(message)["id"], "error": error}
                answering.append(asyncio.ensure_future(inside._connection.receive(to_json(refusal))))

            inside.send = refuse
            with pytest.raises(ErrorResponse, match="not today"):
                await client.request("tasks/result", {"taskId": task_id})
            assert (await look(client, task_id))["status"] == "input_required"

    play(story)


def test_a_list_is_only_for_a_caller_who_is_known() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(LEGACY) as client:
            assert await code_of(client, "tasks/list", {}) == -32601
            introduction = await client.request("initialize", {"protocolVersion": LEGACY})
            assert introduction["capabilities"]["tasks"] == {"cancel": {}, "requests": {"tools": {"call": {}}}}

    play(story)


def test_a_known_caller_sees_its_tasks_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.engine.tasks._PAGE", 2)

    async def story() -> None:
        shop = Shop()
        async with shop.client(LEGACY, who="ada") as client:
            introduction = await client.request("initialize", {"protocolVersion": LEGACY})
            assert introduction["capabilities"]["tasks"]["list"] == {}
            assert await client.request("tasks/list") == {"tasks": []}
            ids = {await begin(client, "fail") for _ in range(3)}
            for task_id in ids:
                await until(client, task_id, "failed")
            page = await client.request("tasks/list")
            assert len(page["tasks"]) == 2
            rest = await client.request("tasks/list", {"cursor": page["nextCursor"]})
            assert {task["taskId"] for task in page["tasks"] + rest["tasks"]} == ids
            assert {task["status"] for task in rest["tasks"]} == {"failed"}
            assert "nextCursor" not in rest
            for cursor in (5, "\0", "x" * 5000):
                assert await code_of(client, "tasks/list", {"cursor": cursor}) == -32602

    play(story)


def test_what_the_newer_version_asks_does_not_exist() -> None:
    async def story() -> None:
        async with Shop().client(LEGACY) as client:
            assert await code_of(client, "tasks/update", {"taskId": "x", "inputResponses": {}}) == -32601

    play(story)


@pytest.mark.parametrize("version", [each for each in LEGACY_VERSIONS if each != LEGACY])
def test_versions_without_tasks_hear_nothing_of_them(version: str) -> None:
    async def story() -> None:
        shop = Shop()
        shop.open.set()
        async with shop.client(version) as client:
            introduction = await client.request("initialize", {"protocolVersion": version})
            assert introduction["capabilities"].keys().isdisjoint({"tasks", "extensions"})
            assert not any("execution" in tool for tool in await client.list_tools())
            assert await code_of(client, "tasks/get", {"taskId": "x"}) == -32601
            answer = await client.request("tools/call", {**CALL, "task": {"ttl": "ignored"}})
            assert answer["content"][0]["text"] == "done "
            refused = await client.call_tool("must")
            assert refused.is_error
            assert "use a newer client" in refused.text

    play(story)


def test_other_extensions_stay() -> None:
    async def story() -> None:
        server = Server("two", lint="off", extensions={"com.example/other": {}})
        server.add_tool(Shop().must, task="required")
        async with server.test_client(LEGACY) as client:
            introduction = await client.request("initialize", {"protocolVersion": LEGACY})
            assert introduction["capabilities"]["extensions"] == {"com.example/other": {}}

    play(story)


def test_the_extension_means_nothing_in_the_older_version() -> None:
    async def story() -> None:
        shop = Shop()
        shop.open.set()
        async with shop.client(LEGACY) as client:  # which declares it
            assert (await client.call_tool("wait")).text == "done "

    play(story)


def test_waiting_for_a_result_ends_when_the_server_stops() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(LEGACY) as client:
            task_id = await begin(client, "wait")
            waiting = asyncio.ensure_future(code_of(client, "tasks/result", {"taskId": task_id}))
            engine: Any = shop.engine
            hub = engine._hub
            await happens(lambda: len(hub._feeds) > 1)  # its own, and that for the result
            engine.close_feeds()
            assert await waiting == -32603

    play(story)
