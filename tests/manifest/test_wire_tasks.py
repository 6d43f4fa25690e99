"""Tasks: the extension of 2026-07-28, and the experiment of 2025-11-25."""

from __future__ import annotations

import asyncio
import itertools
import re
from typing import Any

import pytest
from wire import PREFIX, Connect, Message, WireSession, on_loop

TASKS = PREFIX + "tasks"
TAKES: Message = {PREFIX + "clientCapabilities": {"extensions": {TASKS: {}}, "elicitation": {"form": {}}}}
NO_TASK = "x" * 32
ENDED = {"completed", "failed", "cancelled"}


async def called(session: WireSession, tool: str, /, **arguments: Any) -> Message:
    """The answer to a call by a client that takes tasks."""
    params: Message = {"name": tool, "arguments": arguments}
    if session.modern:
        return await session.request("tools/call", params, meta=TAKES)
    return (await session.request("tools/call", {**params, "task": {}}))["task"]


async def look(session: WireSession, task_id: str) -> Message:
    """A task as it is."""
    return await session.request("tasks/get", {"taskId": task_id}, meta=TAKES if session.modern else None)


async def until(session: WireSession, task_id: str, *states: str) -> Message:
    """A task once it is in one of these states."""
    while True:
        task = await look(session, task_id)
        if task["status"] in states:
            return task
        await asyncio.sleep(0.01)


async def reply(session: WireSession, task_id: str, **words: str) -> Message:
    """Answer questions of a task."""
    responses = {key: {"action": "accept", "content": {"word": word}} for key, word in words.items()}
    return await session.request("tasks/update", {"taskId": task_id, "inputResponses": responses}, meta=TAKES)


@pytest.mark.requirement("X1a")
@on_loop
async def test_a_task_can_be_looked_up_at_once(connect: Connect) -> None:
    async with connect("tasks") as session:
        begun = await called(session, "endless_job")
        assert begun["resultType"] == "task"
        assert (await look(session, begun["taskId"]))["status"] == "working"
        await session.request("tasks/cancel", {"taskId": begun["taskId"]}, meta=TAKES)


@pytest.mark.requirement("T9")
@on_loop
async def test_the_id_of_a_task_cannot_be_guessed(connect: Connect) -> None:
    async with connect("tasks") as session:
        ids = [(await called(session, "job"))["taskId"] for _ in range(8)]
        assert all(re.fullmatch(r"[\w-]{22,}", each, re.ASCII) for each in ids)  # of six bits each
        # Random ones agree in fewer than one place in ten; what is counted, or made of a time, in most of them.
        for one, other in itertools.combinations(ids, 2):
            assert sum(a == b for a, b in zip(one, other, strict=True)) < len(one) // 2


@pytest.mark.requirement("X1b")
@on_loop
async def test_who_takes_no_task_gets_none(connect: Connect) -> None:
    async with connect("tasks") as session:
        assert (await session.call("job"))["content"][0]["text"] == "done"


@pytest.mark.requirement("X1c")
@on_loop
async def test_who_must_take_a_task_is_told_what_to_declare(connect: Connect) -> None:
    async with connect("tasks") as session:
        refused = await session.refusal("tools/call", {"name": "broken_job", "arguments": {}})
        assert (refused.code, refused.data) == (-32021, {"requiredCapabilities": {"extensions": {TASKS: {}}}})


@pytest.mark.requirement("X2a")
@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@on_loop
async def test_a_task_that_is_not_there_is_unknown(connect: Connect, method: str) -> None:
    async with connect("tasks") as session:
        refused = await session.refusal(method, {"taskId": NO_TASK, "inputResponses": {}}, meta=TAKES)
        assert refused.code == -32602


@pytest.mark.requirement("X2b")
@on_loop
async def test_all_about_tasks_needs_the_extension(connect: Connect) -> None:
    async with connect("tasks") as session:
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            assert (await session.refusal(method, {"taskId": NO_TASK, "inputResponses": {}})).code == -32021
        listen = {"notifications": {"taskIds": [NO_TASK]}}
        assert (await session.refusal("subscriptions/listen", listen)).code == -32021


@pytest.mark.requirement("X2c")
@on_loop
async def test_what_was_removed_is_not_there(connect: Connect) -> None:
    async with connect("tasks") as session:
        for method in ("tasks/result", "tasks/list"):
            assert (await session.refusal(method, {"taskId": NO_TASK}, meta=TAKES)).code == -32601
        params = {"name": "echo", "arguments": {"text": "e"}, "task": {"ttl": 1}}
        assert (await session.request("tools/call", params, meta=TAKES))["resultType"] == "complete"


@pytest.mark.requirement("X3a")
@on_loop
async def test_a_tool_that_fails_completes_and_a_protocol_that_breaks_fails(connect: Connect) -> None:
    async with connect("tasks") as session:
        task = await until(session, (await called(session, "job", fail=True))["taskId"], *ENDED)
        assert (task["status"], task["result"]["isError"]) == ("completed", True)
        task = await until(session, (await called(session, "broken_job"))["taskId"], *ENDED)
        assert (task["status"], task["error"]) == ("failed", {"code": -32603, "message": "broken"})


@pytest.mark.requirement("X3b")
@pytest.mark.requirement("X3c")
@on_loop
async def test_questions_are_answered_one_by_one(connect: Connect) -> None:
    async with connect("tasks") as session:
        task_id = (await called(session, "asking_job"))["taskId"]
        assert (await until(session, task_id, "input_required"))["inputRequests"].keys() == {"one", "two"}
        await reply(session, task_id, one="1", never="asked")
        assert (await look(session, task_id))["inputRequests"].keys() == {"two"}
        await reply(session, task_id, one="stale", two="2")
        task = await until(session, task_id, *ENDED)
        assert task["result"]["content"][0]["text"] == "{'word': '1'} {'word': '2'}"


@pytest.mark.requirement("X3d")
@on_loop
async def test_only_its_own_request_cancels_a_task(connect: Connect) -> None:
    async with connect("tasks") as session:
        begun = await called(session, "endless_job")
        for identity in range(1, 5):
            await session.cancel(identity)
        assert (await look(session, begun["taskId"]))["status"] == "working"
        await session.request("tasks/cancel", {"taskId": begun["taskId"]}, meta=TAKES)
        await until(session, begun["taskId"], "cancelled")


@pytest.mark.requirement("X3e")
@on_loop
async def test_a_listener_is_told_of_its_tasks_alone(connect: Connect) -> None:
    async with connect("tasks") as session:
        heard, other = [(await called(session, "asking_job"))["taskId"] for _ in range(2)]
        await until(session, heard, "input_required")
        wanted = {"notifications": {"taskIds": [heard, NO_TASK]}}
        await session.ask("subscriptions/listen", wanted, meta=TAKES)
        (acknowledged,) = await session.heard("notifications/subscriptions/acknowledged")
        assert acknowledged["notifications"] == {"taskIds": [heard]}
        for task_id in (other, heard):
            await until(session, task_id, "input_required")
            await reply(session, task_id, one="1", two="2")
            await until(session, task_id, "completed")
        told = lambda: session.told("notifications/tasks")  # noqa: E731
        await session.wait_for(lambda _: bool(told()) and told()[-1]["status"] == "completed")
        assert {each["taskId"] for each in told()} == {heard}


@pytest.mark.requirement("X4")
@on_loop
async def test_what_is_asked_first_is_asked_in_rounds(connect: Connect) -> None:
    async with connect("tasks") as session:
        asked = await called(session, "careful_job")
        assert (asked["resultType"], list(asked["inputRequests"])) == ("input_required", ["word"])
        params = {
            "name": "careful_job",
            "arguments": {},
            "requestState": asked["requestState"],
            "inputResponses": {"word": {"action": "accept", "content": {"word": "open"}}},
        }
        begun = await session.request("tools/call", params, meta=TAKES)
        task = await until(session, begun["taskId"], "completed")
        assert "open" in task["result"]["content"][0]["text"]


@pytest.mark.requirement("X5a")
@on_loop
async def test_the_extension_is_advertised(connect: Connect) -> None:
    async with connect("tasks") as session:
        capabilities = (await session.request("server/discover"))["capabilities"]
        assert capabilities["extensions"] == {TASKS: {}}
        assert "tasks" not in capabilities
        assert not any("execution" in tool for tool in (await session.request("tools/list"))["tools"])


@pytest.mark.requirement("X5b")
@on_loop
async def test_the_older_capability_is_declared(connect: Connect) -> None:
    async with connect("tasks", shake_hands=False) as session:
        capabilities = (await session.shake_hands())["capabilities"]
        assert capabilities["tasks"] == {"cancel": {}, "requests": {"tools": {"call": {}}}}
        assert "extensions" not in capabilities
        tools = {tool["name"]: tool.get("execution") for tool in (await session.request("tools/list"))["tools"]}
        assert (tools["echo"], tools["job"]) == (None, {"taskSupport": "optional"})
        assert tools["asking_job"] == {"taskSupport": "required"}


@pytest.mark.requirement("X5c")
@on_loop
async def test_an_older_task_has_its_result_on_request(connect: Connect) -> None:
    async with connect("tasks") as session:
        begun = await called(session, "job")
        assert begun["status"] == "working"
        result = await session.request("tasks/result", {"taskId": begun["taskId"]})
        assert result["content"][0]["text"] == "done"
        assert result["_meta"] == {PREFIX + "related-task": {"taskId": begun["taskId"]}}
        assert (await look(session, begun["taskId"]))["status"] == "completed"


@pytest.mark.requirement("X5d")
@on_loop
async def test_an_older_client_keeps_to_what_a_tool_says(connect: Connect) -> None:
    async with connect("tasks") as session:
        assert (await session.refusal("tools/call", {"name": "broken_job", "arguments": {}})).code == -32601
        asked = {"name": "echo", "arguments": {"text": "e"}, "task": {}}
        assert (await session.refusal("tools/call", asked)).code == -32601


@pytest.mark.requirement("X5e")
@on_loop
async def test_an_older_task_is_cancelled_once(connect: Connect) -> None:
    async with connect("tasks") as session:
        named = {"taskId": (await called(session, "endless_job"))["taskId"]}
        assert (await session.request("tasks/cancel", named))["status"] == "cancelled"
        assert (await session.refusal("tasks/cancel", named)).code == -32602


@pytest.mark.requirement("X5f")
@on_loop
async def test_a_version_without_tasks_hears_nothing_of_them(connect: Connect) -> None:
    async with connect("tasks", shake_hands=False) as session:
        capabilities = (await session.shake_hands())["capabilities"]
        assert capabilities.keys().isdisjoint({"tasks", "extensions"})
        assert not any("execution" in tool for tool in (await session.request("tools/list"))["tools"])
        assert (await session.refusal("tasks/get", {"taskId": NO_TASK})).code == -32601
        assert (await session.call("job"))["content"][0]["text"] == "done"
