"""Tasks of 2026-07-28, in memory: who gets one, what becomes of it, and what may be asked about it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest
from fakes import FakeService
from task_shop import (
    CAPABLE,
    FORM,
    TASKS,
    Shop,
    SlowToWrite,
    begin,
    happens,
    look,
    play,
    reply,
    said,
    until,
    until_so,
    word,
)

from mcp_server import Context, RegistrationError, Server
from mcp_server.engine.calls import Call
from mcp_server.engine.engine import Engine
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.stores import open_store
from mcp_server.testing import ErrorResponse, TestClient

NO_TASKS: dict[str, Any] = {"elicitation": {"form": {}}}
NEEDED: dict[str, Any] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def refusal(client: TestClient, method: str, params: Mapping[str, Any]) -> ErrorResponse:
    """The error that a request is answered with."""
    with pytest.raises(ErrorResponse) as refused:
        await client.request_once(method, params)
    return refused.value


def test_a_call_is_answered_with_a_flat_task_that_everybody_can_find() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            answer = await client.request_once("tools/call", {"name": "wait", "arguments": {"tag": "a"}})
            assert answer["resultType"] == "task"
            assert answer["status"] == "working"
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["createdAt"])
            assert (answer["ttlMs"], answer["pollIntervalMs"]) == (3_600_000, 1000)
            assert answer.keys() - {"_meta"} == {
                "resultType", "taskId", "status", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs",
            }  # fmt: skip
            task = await look(client, answer["taskId"])
            assert (task["resultType"], task["status"]) == ("complete", "working")
            shop.open.set()
            task = await until(client, answer["taskId"], "completed")
            assert task["result"]["content"] == [{"type": "text", "text": "done a"}]
            assert task["result"]["resultType"] == "complete"

    play(story)


def test_a_caller_who_takes_no_task_waits_for_the_result() -> None:
    async def story() -> None:
        shop = Shop()
        shop.open.set()
        async with shop.client(capabilities=NO_TASKS) as client:
            assert (await client.call_tool("wait", tag="b")).text == "done b"

    play(story)


def test_a_tool_that_is_only_a_task_needs_a_caller_who_takes_one() -> None:
    async def story() -> None:
        async with Shop().client(capabilities=NO_TASKS) as client:
            refused = await refusal(client, "tools/call", {"name": "must", "arguments": {}})
            assert (refused.code, refused.data) == (-32021, NEEDED)

    play(story)


@pytest.mark.parametrize("capabilities", [{"extensions": []}, {"extensions": {"com.example/other": {}}}])
def test_something_else_that_is_declared_is_not_the_extension(capabilities: dict[str, Any]) -> None:
    async def story() -> None:
        async with Shop().client(capabilities=capabilities) as client:
            assert (await refusal(client, "tools/call", {"name": "must", "arguments": {}})).code == -32021

    play(story)


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
def test_nothing_about_tasks_is_told_to_a_client_that_does_not_declare_them(method: str) -> None:
    async def story() -> None:
        async with Shop().client(capabilities=NO_TASKS) as client:
            refused = await refusal(client, method, {"taskId": "x"})
            assert (refused.code, refused.data) == (-32021, NEEDED)

    play(story)


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list", "tasks/run"])
def test_what_only_an_older_version_asks_does_not_exist(method: str) -> None:
    async def story() -> None:
        async with Shop().client() as client:
            assert (await refusal(client, method, {"taskId": "x"})).code == -32601

    play(story)


def test_a_server_without_such_a_tool_has_no_tasks() -> None:
    async def story() -> None:
        server = Server("bare", lint="off")
        async with TestClient(server.engine(), capabilities=CAPABLE) as client:
            assert "extensions" not in (await client.request("server/discover"))["capabilities"]
            assert (await refusal(client, "tasks/get", {"taskId": "x"})).code == -32601

    play(story)


def test_a_tool_that_is_added_later_brings_tasks_with_it() -> None:
    async def story() -> None:
        server = Server("late", lint="off")

        async def late() -> str:
            return "late"

        async with TestClient(server.engine(), capabilities=CAPABLE) as client:
            server.add_tool(late, task="optional")
            assert TASKS in (await client.request("server/discover"))["capabilities"]["extensions"]
            task = await until(client, await begin(client, "late"), "completed")
            assert said(task) == "late"

    play(story)


def test_tools_say_nothing_of_tasks_in_the_list_of_the_newest_version() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            assert not any("execution" in tool for tool in await client.list_tools())
            assert "tasks" not in (await client.request("server/discover"))["capabilities"]

    play(story)


def test_the_parameter_of_an_older_version_makes_no_task() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            asked = {"name": "plain", "arguments": {}, "task": {"ttl": 1}}
            assert (await client.request_once("tools/call", asked))["resultType"] == "complete"

    play(story)


def test_wrong_arguments_make_no_task() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            answer = await client.request_once("tools/call", {"name": "wait", "arguments": {"tag": 5}})
            assert answer["isError"]
            assert shop.begun == []

    play(story)


def test_a_rate_limit_counts_a_task_once() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task = await until(client, await begin(client, "scarce"), "completed")
            assert "isError" not in task["result"]
            again = await client.request_once("tools/call", {"name": "scarce", "arguments": {}})
            assert again["isError"]

    play(story)


# -- how a task ends ---------------------------------------------------------------------------------------------------


def test_a_tool_that_says_that_it_failed_has_completed_its_task() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task = await until(client, await begin(client, "fail"), "completed")
            assert task["result"]["isError"]
            assert task["statusMessage"] == "no luck"
            assert "error" not in task

    play(story)


def test_a_tool_that_breaks_is_masked_in_a_task_as_in_a_call() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task = await until(client, await begin(client, "break"), "completed")
            assert task["result"]["isError"]
            assert "secret" not in str(task)

    play(story)


def test_an_error_of_the_protocol_fails_its_task() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task = await until(client, await begin(client, "refuse"), "failed")
            assert task["error"] == {"code": -32603, "message": "no way", "data": {"why": "so"}}
            assert "result" not in task

    play(story)


def test_a_tool_that_cancels_itself_fails_its_task() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task = await until(client, await begin(client, "quit"), "failed")
            assert task["error"]["code"] == -32603

    play(story)


def test_a_tool_of_its_own_limit_ends_on_time_even_if_it_does_not_stop() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task = await until(client, await begin(client, "hang"), "completed")
            assert said(task) == "Timed out after 0.05 s"
            await happens(lambda: shop.stopped)
            shop.open.set()
            await happens(lambda: shop.done == ["late"])
            assert (await look(client, task["taskId"]))["result"] == task["result"]

    play(story)


def test_the_time_limit_of_calls_is_none_for_tasks() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(timeout=0.05) as client:
            task_id = await begin(client, "wait")
            await happens(lambda: shop.begun)
            await asyncio.sleep(0.1)  # longer than a call may take
            assert (await look(client, task_id))["status"] == "working"
            shop.open.set()
            await until(client, task_id, "completed")

    play(story)


def test_a_task_ends_at_the_end_of_its_time_with_a_reason() -> None:
    async def story() -> None:
        async with Shop().client(terms=TaskTerms(ttl=0.2)) as client:
            task = await until(client, await begin(client, "wait"), "completed")
            assert "Timed out" in said(task)
            assert task["ttlMs"] > 200  # and is kept as long again from its end

    play(story)


def test_a_result_that_is_too_large_is_not_kept() -> None:
    async def story() -> None:
        async with Shop().client(terms=TaskTerms(most_bytes=2000)) as client:
            task = await until(client, await begin(client, "large", size=5000), "completed")
            assert task["result"]["isError"]
            assert "too large" in said(task)
            task = await until(client, await begin(client, "large", size=100), "completed")
            assert "isError" not in task["result"]

    play(story)


@pytest.mark.parametrize(("levels", "kept"), [(150, True), (230, False)])
def test_a_result_that_is_nested_too_deep_to_be_read_again_is_not_kept(levels: int, kept: bool) -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task = await until(client, await begin(client, "deep", levels=levels), "completed")
            assert ("isError" not in task["result"]) is kept
            assert kept or "nested too deep" in said(task)

    play(story)


def test_a_task_tells_how_far_it_is() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "tell")
            task = await until_so(lambda: look(client, task_id), lambda task: "statusMessage" in task)
            assert task["statusMessage"] == "half of it"
            assert client.notifications == []
            shop.open.set()
            await until(client, task_id, "completed")

    play(story)


def test_what_was_to_be_told_does_not_outlast_the_task() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "hurry")
            await until_so(lambda: look(client, task_id), lambda task: task.get("statusMessage") == "1/2")
            shop.open.set()
            assert "statusMessage" not in await until(client, task_id, "completed")

    play(story)


# -- cancelling ------------------------------------------------------------------------------------------------------


def test_a_task_that_is_cancelled_stops_and_stays_so() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "wait", tag="c")
            await happens(lambda: shop.begun)
            acknowledged = await client.request_once("tasks/cancel", {"taskId": task_id})
            assert acknowledged.keys() == {"resultType", "_meta"}
            assert (await look(client, task_id))["status"] == "cancelled"
            await happens(lambda: shop.stopped == ["c"])
            again = await client.request_once("tasks/cancel", {"taskId": task_id})
            assert again["resultType"] == "complete"
            assert (await look(client, task_id))["status"] == "cancelled"

    play(story)


def test_a_task_that_has_ended_cannot_be_cancelled_any_more() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task_id = await begin(client, "must")
            await until(client, task_id, "completed")
            await client.request_once("tasks/cancel", {"taskId": task_id})
            assert (await look(client, task_id))["status"] == "completed"

    play(story)


def test_the_cancellation_of_a_request_is_none_of_a_task() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "wait")
            await client.notify("notifications/cancelled", {"requestId": 1})
            await client.notify("notifications/cancelled", {"requestId": task_id})
            shop.open.set()
            await until(client, task_id, "completed")

    play(story)


# -- questions in the middle -------------------------------------------------------------------------------------------


def test_a_question_in_a_task_waits_for_an_update() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task_id = await begin(client, "ask")
            task = await until(client, task_id, "input_required")
            asked = {"mode": "form", "message": "One word?", "requestedSchema": FORM}
            assert task["inputRequests"] == {"question-1": {"method": "elicitation/create", "params": asked}}
            acknowledged = await reply(client, task_id, question_1=word("yes"))
            assert acknowledged.keys() == {"resultType", "_meta"}
            task = await until(client, task_id, "completed")
            assert said(task) == "accept {'word': 'yes'}"

    play(story)


def test_questions_that_are_asked_at_once_are_answered_one_by_one() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task_id = await begin(client, "ask_both")
            assert (await until(client, task_id, "input_required"))["inputRequests"].keys() == {"one", "two"}
            await reply(client, task_id, one=word("1"))
            task = await look(client, task_id)
            assert (task["status"], list(task["inputRequests"])) == ("input_required", ["two"])
            await reply(client, task_id, one=word("stale"), two=word("2"), three=word("never asked"))
            task = await until(client, task_id, "completed")
            assert said(task) == "{'word': '1'} {'word': '2'}"

    play(story)


def test_an_answer_that_does_not_fit_is_asked_for_under_another_key() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task_id = await begin(client, "ask")
            await until(client, task_id, "input_required")
            await reply(client, task_id, question_1=word(5))
            await until_so(
                lambda: look(client, task_id), lambda task: list(task.get("inputRequests", {})) == ["question-1-2"]
            )
            await reply(client, task_id, question_1=word("late"))
            await reply(client, task_id, question_1_2=word("better"))
            task = await until(client, task_id, "completed")
            assert "better" in said(task)

    play(story)


@pytest.mark.parametrize("responses", [None, [], "x", {"question-1": None}, {"question-1": "text"}])
def test_answers_that_are_none_are_refused(responses: object) -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task_id = await begin(client, "ask")
            await until(client, task_id, "input_required")
            refused = await refusal(client, "tasks/update", {"taskId": task_id, "inputResponses": responses})
            assert refused.code == -32602
            assert (await look(client, task_id))["status"] == "input_required"

    play(story)


def test_an_update_of_a_task_that_asks_nothing_is_ignored() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "wait")
            before = await look(client, task_id)
            await reply(client, task_id, anything=word("x"))
            assert await look(client, task_id) == before
            shop.open.set()
            await until(client, task_id, "completed")
            await reply(client, task_id, anything=word("x"))

    play(story)


def test_a_function_in_a_thread_asks_like_any_other() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task_id = await begin(client, "blocks")
            await until(client, task_id, "input_required")
            await reply(client, task_id, question_1={"action": "decline"})
            task = await until(client, task_id, "completed")
            assert said(task) == "thread decline"

    play(story)


def test_a_question_that_nobody_waits_for_any_more_is_taken_back() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "forget")
            await until(client, task_id, "input_required")
            shop.open.set()
            await until_so(lambda: look(client, task_id), lambda task: list(task["inputRequests"]) == ["now"])
            await reply(client, task_id, mind=word("late"), now=word("now"))
            assert said(await until(client, task_id, "completed")) == "accept"

    play(story)


def test_what_the_client_cannot_answer_fails_the_task() -> None:
    async def story() -> None:
        async with Shop().client(capabilities={"extensions": {TASKS: {}}}) as client:
            task = await until(client, await begin(client, "ask"), "failed")
            assert task["error"]["code"] == -32021

    play(story)


def test_a_cancelled_task_asks_no_more() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            task_id = await begin(client, "ask")
            await until(client, task_id, "input_required")
            await client.request_once("tasks/cancel", {"taskId": task_id})
            task = await look(client, task_id)
            assert task["status"] == "cancelled"
            assert "inputRequests" not in task

    play(story)


# -- questions before the task ----------------------------------------------------------------------------------------


def test_what_is_asked_before_the_task_is_asked_in_rounds_and_not_again() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            call: dict[str, Any] = {"name": "ask_first", "arguments": {}}
            round_one = await client.request_once("tools/call", call)
            assert round_one["resultType"] == "input_required"
            assert list(round_one["inputRequests"]) == ["first"]
            assert "taskId" not in round_one
            answered = {"inputResponses": {"first": word("me")}, "requestState": round_one["requestState"]}
            round_two = await client.request_once("tools/call", {**call, **answered})
            assert round_two["resultType"] == "task"
            assert round_two.keys().isdisjoint({"requestState", "inputRequests"})
            task = await until(client, round_two["taskId"], "completed")
            assert said(task) == "{'word': 'me'} 1"
            assert shop.begun == ["once", "after"]

    play(story)


def test_a_tool_may_decide_against_a_task() -> None:
    async def story() -> None:
        async with Shop().client(answers=lambda _method, _params: word("me")) as client:
            answer = await client.call_tool("ask_first", begin=False)
            assert answer.text == "{'word': 'me'} 1"

    play(story)


def test_where_nobody_takes_a_task_there_is_nothing_to_begin() -> None:
    async def story() -> None:
        server = Server("both", lint="off")
        shop = Shop()
        server.add_tool(shop.ask_first, task="optional", task_begins="when_told")

        def answers(_method: str, _params: Mapping[str, Any]) -> Mapping[str, Any]:
            return word("me")

        async with server.test_client(answers=answers) as client:
            assert (await client.call_tool("ask_first")).text == "{'word': 'me'} 1"
        async with server.test_client("2025-11-25", answers=answers) as client:
            assert (await client.call_tool("ask_first")).text == "{'word': 'me'} 3"

    play(story)


def test_a_thread_can_begin_a_task_too() -> None:
    async def story() -> None:
        server = Server("threads", lint="off")

        def threaded(ctx: Context) -> str:
            ctx.wait(ctx.begin_task())
            return "in a thread"

        server.add_tool(threaded, task="required", task_begins="when_told")
        async with server.test_client(tasks=True) as client:
            assert (await client.call_tool("threaded")).text == "in a thread"

    play(story)


# -- whose it is -------------------------------------------------------------------------------------------------------


def test_somebody_else_s_task_looks_like_none() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(who="ada") as ada:
            task_id = await begin(ada, "wait")
            for who in ("bob", None):
                stranger = shop.caller(who)
                theirs = [await refusal(stranger, "tasks/get", {"taskId": each}) for each in (task_id, "x" * 32)]
                assert [(each.code, each.message) for each in theirs] == [(-32602, "Unknown task")] * 2
                update: dict[str, Any] = {"taskId": task_id, "inputResponses": {}}
                assert (await refusal(stranger, "tasks/update", update)).code == -32602
                assert (await refusal(stranger, "tasks/cancel", {"taskId": task_id})).code == -32602
            shop.open.set()
            await until(ada, task_id, "completed")

    play(story)


@pytest.mark.parametrize("task_id", ["", "no such task, and no id at all", "a" * 5000, "\0" * 32, None, 5])
def test_an_id_that_is_none_is_refused(task_id: object) -> None:
    async def story() -> None:
        async with Shop().client() as client:
            assert (await refusal(client, "tasks/get", {"taskId": task_id})).code == -32602

    play(story)


def test_ids_cannot_be_guessed() -> None:
    async def story() -> None:
        async with Shop().client() as client:
            ids = {await begin(client, "must") for _ in range(20)}
            assert len(ids) == 20
            assert all(re.fullmatch(r"[\w-]{32}", each) for each in ids)

    play(story)


# -- how many ----------------------------------------------------------------------------------------------------------


def test_only_so_many_tasks_run_at_once() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(terms=TaskTerms(most=2)) as client:
            first, _ = await begin(client, "wait"), await begin(client, "wait")
            refused = await client.request_once("tools/call", {"name": "wait", "arguments": {}})
            assert refused["isError"]
            assert refused["_meta"]["mcp-server/reason"] == "too_many_tasks"
            await client.request_once("tasks/cancel", {"taskId": first})
            await happens(lambda: shop.stopped)
            again: dict[str, Any] = {"name": "wait", "arguments": {}}
            await until_so(lambda: client.request_once("tools/call", again), lambda answer: "taskId" in answer)

    play(story)


def test_a_caller_has_only_so_many_tasks_however_fast_it_asks() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(who="ada", terms=TaskTerms(most_per_caller=3)) as client:
            asked = [client.request_once("tools/call", {"name": "wait", "arguments": {}}) for _ in range(8)]
            answers = await asyncio.gather(*asked)
            assert [each["resultType"] for each in answers].count("task") == 3
            assert any("3 tasks" in each["content"][0]["text"] for each in answers if each.get("isError"))

    play(story)


# -- the end of a server -----------------------------------------------------------------------------------------------


def test_a_server_that_stops_says_so_in_its_tasks(tmp_path: Any) -> None:
    async def story() -> None:
        shop, terms = Shop(), TaskTerms(open_store=lambda: open_store(f"sqlite:///{tmp_path}/tasks.db"))
        async with shop.client(terms=terms) as client:
            working, asking = await begin(client, "wait", tag="s"), await begin(client, "ask")
            stubborn = await begin(client, "tell")
            await until(client, asking, "input_required")
            await happens(lambda: shop.begun)
        assert shop.stopped == ["s"]
        async with shop.client(terms=terms) as client:
            for task_id in (working, asking, stubborn):
                task = await look(client, task_id)
                assert (task["status"], task["error"]["data"]) == ("failed", {"reason": "task_stopped"})

    play(story)


def test_tasks_may_go_on_for_a_while_when_a_server_is_told_to_stop() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(terms=TaskTerms(grace=30.0)) as client:
            task_id = await begin(client, "wait", tag="g")
            await happens(lambda: shop.begun)
            shop.server.drain()
            refused = await client.request_once("tools/call", {"name": "wait", "arguments": {}})
            assert refused["isError"]
            assert (await look(client, task_id))["status"] == "working"
            asyncio.get_running_loop().call_later(0.05, shop.open.set)
        assert shop.done == ["g"]

    play(story)


# -- registration ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"task": "maybe"}, '"optional" or "required"'),
        ({"task": "optional", "task_begins": "later"}, '"at_once" or "when_told"'),
        ({"task_begins": "when_told"}, 'write `task="optional"`'),
    ],
)
def test_an_option_that_means_nothing_is_refused_with_what_to_write(options: dict[str, Any], advice: str) -> None:
    async def tool() -> str:
        return ""

    with pytest.raises(RegistrationError, match=re.escape(advice)):
        Server("x", lint="off").add_tool(tool, **options)


# -- other services ----------------------------------------------------------------------------------------------------


class Elsewhere:
    """Tasks of somebody else, such as those behind a bridge."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    async def get(self, task_id: str, call: Call) -> dict[str, Any]:
        return {"taskId": task_id, "status": "working", "createdAt": "t", "lastUpdatedAt": "t", "ttlMs": None}

    async def update(self, task_id: str, responses: Mapping[str, Any], call: Call) -> None:
        self.heard.append((task_id, responses))

    async def cancel(self, task_id: str, call: Call) -> None:
        self.heard.append(task_id)

    async def list(self, cursor: str | None, call: Call) -> dict[str, Any]:
        return {"tasks": []}


def test_another_service_answers_for_tasks_of_its_own() -> None:
    async def story() -> None:
        service = FakeService(capabilities={"tools": {}, "extensions": {TASKS: {}}})
        client = TestClient(Engine(service), capabilities=CAPABLE)
        async with client:
            assert (await refusal(client, "tasks/get", {"taskId": "x"})).code == -32601
            service.tasks = theirs = Elsewhere()
            task = await look(client, "theirs")
            assert (task["status"], task["ttlMs"]) == ("working", None)
            await reply(client, "theirs", key=word("w"))
            await client.request("tasks/cancel", {"taskId": "theirs"})
            assert theirs.heard == [("theirs", {"key": word("w")}), "theirs"]

    play(story)


def test_a_call_that_is_cancelled_while_its_thread_begins_a_task_is_not_answered() -> None:
    async def story() -> None:
        shop, store = Shop(), SlowToWrite()

        def threaded(ctx: Context) -> str:
            ctx.wait(ctx.begin_task())
            shop.done.append("threaded")
            return "in a thread"

        shop.server.add_tool(threaded, task="required", task_begins="when_told")
        async with shop.client(terms=TaskTerms(open_store=lambda: store)) as client:
            asked = asyncio.ensure_future(client.request_once("tools/call", {"name": "threaded", "arguments": {}}))
            await store.reached.wait()
            asked.cancel()
            await asyncio.wait([asked])
            store.go_on.set()
            await happens(lambda: shop.done)  # it is a task by now, of which nobody knows
            assert asked.cancelled()

    play(story)
