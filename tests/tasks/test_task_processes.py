"""Several processes with one store: any of them answers for a task, one runs it, and a loss is noticed and said.

Here a process is a server of its own in one event loop. Two that share a bus are in `test_tasks_http`; those that are
killed are real, in `test_task_kills`.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from task_shop import Shop, SlowToWrite, begin, happens, look, play, reply, said, until, until_so, word

from mcp_server.bus import open_bus
from mcp_server.engine.neighbours import Neighbours
from mcp_server.engine.task_records import Task, TaskRecords, new_id
from mcp_server.engine.task_run import TaskRun
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.engine.tasks import Tasks
from mcp_server.stores import Store, StoreUnavailable, open_store
from mcp_server.stores.memory import MemoryStore
from mcp_server.testing import ErrorResponse, TestClient
from tests.redis_servers import RUNNING, require_running_redis
from tests.store_backends import Backend


@pytest.fixture
def warnings() -> Generator[list[logging.LogRecord]]:
    """What the log has been told of tasks."""
    told: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record)

    handler = Keeping()
    logging.getLogger("mcp_server.tasks").addHandler(handler)
    yield told
    logging.getLogger("mcp_server.tasks").removeHandler(handler)


def terms(store: Backend, **more: Any) -> TaskTerms:
    """Terms on which one process hears of the others soon."""
    return TaskTerms(open_store=store.new, poll=0.02, **more)


@asynccontextmanager
async def two_processes(store: Backend) -> AsyncGenerator[tuple[Shop, TestClient, Shop, TestClient]]:
    """A process and a client of it, and another one of each."""
    here, there = Shop(), Shop()
    async with here.client(terms=terms(store)) as near, there.client(terms=terms(store)) as far:
        yield here, near, there, far


def test_any_process_answers_for_a_task(shared_store: Backend) -> None:
    async def story() -> None:
        async with two_processes(shared_store) as (here, near, there, far):
            task_id = await begin(near, "wait", tag="1")
            assert (await look(far, task_id))["status"] == "working"
            here.open.set()
            assert said(await until(far, task_id, "completed")) == "done 1"
            assert (here.done, there.done) == (["1"], [])

    play(story)


def test_a_cancellation_reaches_the_process_that_runs_the_task(shared_store: Backend) -> None:
    async def story() -> None:
        async with two_processes(shared_store) as (here, near, _, far):
            task_id = await begin(near, "wait", tag="1")
            await happens(lambda: here.begun)
            await far.request("tasks/cancel", {"taskId": task_id})
            assert (await look(near, task_id))["status"] == "cancelled"
            await happens(lambda: here.stopped == ["1"])

    play(story)


def test_answers_reach_the_process_that_runs_the_task(shared_store: Backend) -> None:
    async def story() -> None:
        async with two_processes(shared_store) as (_, near, _, far):
            task_id = await begin(near, "ask_both")
            await until(far, task_id, "input_required")
            await asyncio.gather(reply(far, task_id, one=word("1")), reply(near, task_id, two=word("2")))
            assert said(await until(far, task_id, "completed")) == "{'word': '1'} {'word': '2'}"

    play(story)


def test_a_caller_s_tasks_are_counted_in_all_processes(shared_store: Backend) -> None:
    async def story() -> None:
        here, there, few = Shop(), Shop(), {"most_per_caller": 2}
        async with (
            here.client(who="ada", terms=terms(shared_store, **few)) as near,
            there.client(who="ada", terms=terms(shared_store, **few)) as far,
        ):
            await begin(near, "wait")
            await begin(far, "wait")
            refused = await far.request("tools/call", {"name": "wait", "arguments": {}})
            assert refused["isError"]

    play(story)


async def _marks(records: TaskRecords) -> list[tuple[str, str]]:
    return [each async for each in records.marks()]


def _dies(shop: Shop) -> None:
    """Let a process do nothing any more, as one that was killed."""
    tasks = shop.inside
    tasks._tending._leaving = True
    for work in (tasks._opened.tending, *tasks._works):
        work.cancel()
    for run in tasks._runs.values():
        run.concluded = True


@pytest.mark.parametrize("asks", [True, False], ids=["asked", "noticed"])
def test_a_task_whose_process_is_gone_has_failed_for_a_reason(shared_store: Backend, asks: bool) -> None:
    async def story() -> None:
        here, there = Shop(), Shop()
        lease = {"lease": 1.0}
        near = here.client(terms=terms(shared_store, **lease))
        async with near, there.client(terms=terms(shared_store, **lease)) as far:
            task_id = await begin(near, "wait")
            _dies(here)
            await here.inside._opened.kept.take_leave(here.inside._me)
            if not asks:
                kept = there.inside._opened.kept
                await until_so(lambda: kept.find(task_id), lambda found: found.ended)
            task = await look(far, task_id)
            assert task["status"] == "failed"
            assert task["error"]["data"] == {"reason": "task_lost"}
            assert "not run again" in task["error"]["message"]
            here.inside._runs.clear()
        assert here.done == there.done == []

    play(story)


def test_a_process_that_was_taken_for_dead_stops_its_task(shared_store: Backend) -> None:
    async def story() -> None:
        async with two_processes(shared_store) as (here, near, _, far):
            task_id = await begin(near, "wait", tag="1")
            await happens(lambda: here.begun)
            tasks = here.inside
            await tasks._opened.kept.take_leave(tasks._me)
            assert (await look(far, task_id))["status"] == "failed"
            await happens(lambda: here.stopped == ["1"])
            assert (await look(near, task_id))["status"] == "failed"

    play(story)


def test_a_mark_without_a_task_is_removed(shared_store: Backend, warnings: list[logging.LogRecord]) -> None:
    async def story() -> None:
        store = shared_store.new()
        await store.open()
        records = TaskRecords(store, "shop")
        now = records.now()
        tasks = [
            Task(id=new_id(), owner="", tool="t", runner="gone", created=now, updated=now, ttl=60.0) for _ in range(3)
        ]
        for task in tasks:
            await records.create(task)
        inside: Any = records
        await store.delete(inside._tasks, tasks[0].id)
        async with Shop().client(terms=terms(shared_store)) as client:
            await until_so(lambda: _marks(records), lambda marks: not marks)
            assert (await look(client, tasks[1].id))["status"] == "failed"
            await happens(lambda: warnings)
        assert "2 tasks were lost" in warnings[0].getMessage()
        await store.close()

    play(story)


# -- a store that is away ----------------------------------------------------------------------------------------------


class Unsteady(MemoryStore):
    """A store that is away when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.failed = 0

    def _check_open(self) -> None:
        super()._check_open()
        if self.away:
            self.failed += 1
            raise StoreUnavailable("the cellar is locked")


def test_a_store_that_is_away_fails_requests_about_tasks_and_nothing_else() -> None:
    async def story() -> None:
        shop, store = Shop(), Unsteady()
        async with shop.client(terms=TaskTerms(open_store=lambda: store, poll=0.02)) as client:
            task_id = await begin(client, "wait")
            store.away = True
            requests: list[tuple[str, dict[str, Any]]] = [
                ("tasks/get", {"taskId": task_id}),
                ("tasks/update", {"taskId": task_id, "inputResponses": {}}),
                ("tasks/cancel", {"taskId": task_id}),
                ("tools/call", {"name": "wait", "arguments": {}}),
            ]
            for method, params in requests:
                with pytest.raises(ErrorResponse, match="try again") as refused:
                    await client.request(method, params)
                assert (refused.value.code, refused.value.data) == (-32603, {"reason": "no_store"})
                assert "cellar" not in str(refused.value)
            assert (await client.call_tool("plain")).text == "plain"
            store.away = False
            shop.open.set()
            await until(client, task_id, "completed")

    play(story)


def test_what_a_task_comes_to_is_written_down_when_the_store_is_back() -> None:
    async def story() -> None:
        shop, store = Shop(), Unsteady()
        async with shop.client(terms=TaskTerms(open_store=lambda: store, poll=0.02)) as client:
            task_id, asking = await begin(client, "wait"), await begin(client, "ask")
            await until(client, asking, "input_required")
            await happens(lambda: shop.begun)
            store.away = True
            shop.open.set()
            await happens(lambda: shop.done and store.failed > 3)
            store.away = False
            await until(client, task_id, "completed")

    play(story)


def test_a_question_is_written_down_when_the_store_is_back() -> None:
    async def story() -> None:
        shop, store = Shop(), Unsteady()
        async with shop.client(terms=TaskTerms(open_store=lambda: store, poll=0.02)) as client:
            task_id = await begin(client, "ask")
            store.away = True
            await happens(lambda: store.failed)
            store.away = False
            await until(client, task_id, "input_required")

    play(story)


def test_a_store_that_stays_away_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.engine.tasks._LAST_WORDS", 0.1)

    async def story() -> None:
        shop, store = Shop(), Unsteady()
        async with shop.client(terms=TaskTerms(open_store=lambda: store, poll=0.02)) as client:
            await begin(client, "wait", tag="w")
            await happens(lambda: shop.begun)
            store.away = True
        assert shop.stopped == ["w"]

    play(story)


def test_a_store_that_cannot_be_opened_is_opened_later() -> None:
    class Closed(MemoryStore):
        async def open(self) -> None:
            if locked:
                raise StoreUnavailable("not yet")
            await super().open()

    locked = [True]

    async def story() -> None:
        shop = Shop()
        async with shop.client(terms=TaskTerms(open_store=Closed)) as client:
            assert (await client.call_tool("plain")).text == "plain"
            with pytest.raises(ErrorResponse, match="try again"):
                await begin(client, "must")
            locked.clear()
            await until(client, await begin(client, "must"), "completed")

    play(story)


def test_a_task_whose_caller_hangs_up_before_it_is_written_down_never_was() -> None:
    async def story() -> None:
        shop, store = Shop(), SlowToWrite()
        async with shop.client(terms=TaskTerms(open_store=lambda: store)) as client:
            asked = asyncio.ensure_future(client.request_once("tools/call", {"name": "wait", "arguments": {}}))
            await store.reached.wait()
            asked.cancel()
            await asyncio.wait([asked])
            store.go_on.set()
            tasks = shop.inside
            await happens(lambda: not tasks._aside)
            assert await _marks(tasks._opened.kept) == []
            assert shop.begun == []

    play(story)


def test_a_task_that_cannot_be_written_down_does_not_begin() -> None:
    class Full(MemoryStore):
        async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
            if kind.startswith("task/"):
                raise StoreUnavailable("full")
            await super().put(kind, key, value, lifetime=lifetime, owner=owner)

    async def story() -> None:
        shop = Shop()
        async with shop.client(terms=TaskTerms(open_store=Full)) as client:
            with pytest.raises(ErrorResponse, match="try again"):
                await begin(client, "wait")
            tasks = shop.inside
            await happens(lambda: not tasks._aside)
            assert await _marks(tasks._opened.kept) == []
            assert shop.begun == []

    play(story)


def test_a_store_is_opened_once_however_many_need_it() -> None:
    opened: list[int] = []

    class Slow(MemoryStore):
        async def open(self) -> None:
            opened.append(1)
            await asyncio.sleep(0)
            if len(opened) == 1:
                raise StoreUnavailable("not yet")
            await super().open()

    async def story() -> None:
        async with Shop().client(terms=TaskTerms(open_store=Slow)) as client:
            await asyncio.gather(*[begin(client, "must") for _ in range(3)])
        assert len(opened) == 2

    play(story)


def test_a_process_that_lives_keeps_its_tasks(shared_store: Backend) -> None:
    async def story() -> None:
        here, there, often = Shop(), Shop(), {"lease": 30.0}
        async with here.client(terms=terms(shared_store, **often)) as near:
            ids = [await begin(near, "wait") for _ in range(2)]
            async with there.client(terms=terms(shared_store, **often)) as far:
                await happens(lambda: there.inside._tending._looked_at > 0)
                await there.inside._tending.look_for_lost(there.inside._opened.kept)
                assert [(await look(far, each))["status"] for each in ids] == ["working"] * 2
            await here.inside._tending.look_for_lost(here.inside._opened.kept)
            assert [(await look(near, each))["status"] for each in ids] == ["working"] * 2

    play(story)


def test_a_mark_of_ours_that_nothing_runs_behind_is_that_of_a_lost_task() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "wait")
            tasks = shop.inside
            run = tasks._runs.pop(task_id)
            await tasks._tending.look_for_lost(tasks._opened.kept)
            assert (await look(client, task_id))["error"]["data"] == {"reason": "task_lost"}
            tasks._runs[task_id] = run

    play(story)


def test_a_nudge_for_a_task_that_has_ended_does_nothing() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(terms=TaskTerms(poll=0.02)) as client:
            await begin(client, "wait")
            kept, me = shop.inside._opened.kept, shop.inside._me
            await kept.nudge(me, "x" * 32)

            async def left() -> Any:
                return await kept._store.find(kept._nudges, owner=me)

            assert await until_so(left, lambda found: not found) == []

    play(story)


def test_processes_tell_each_other_over_the_bus() -> None:
    """They would find out by themselves only in an hour."""
    require_running_redis()

    async def story() -> None:
        with tempfile.TemporaryDirectory() as folder:
            rare = TaskTerms(open_store=lambda: open_store(f"sqlite:///{folder}/t.db"), poll=3600, lease=3600)
            here, there, name = Shop(), Shop(), f"bus-{uuid.uuid4().hex}"
            one = here.client(terms=rare, neighbours=Neighbours(open_bus(RUNNING, name)))
            two = there.client(terms=rare, neighbours=Neighbours(open_bus(RUNNING, name)))
            async with one as near, two as far:
                asking, working = await begin(near, "ask"), await begin(near, "wait", tag="b")
                await until(far, asking, "input_required")

                async def again() -> dict[str, Any]:  # until both are connected
                    await reply(far, asking, question_1=word("bus"))
                    return await look(far, asking)

                assert "bus" in said(await until_so(again, lambda task: task["status"] == "completed"))
                await far.request("tasks/cancel", {"taskId": working})
                await happens(lambda: here.stopped == ["b"])

    play(story)


def test_ctrl_c_in_a_task_ends_the_process_as_anywhere() -> None:
    async def story() -> None:
        shop = Shop()

        async def interrupt() -> str:
            raise KeyboardInterrupt

        shop.server.add_tool(interrupt, task="optional")
        async with shop.client() as client:
            await begin(client, "wait")
            await happens(lambda: shop.begun)
            await begin(client, "interrupt")
            await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        play(story)


def test_a_panic_in_a_task_ends_only_the_task() -> None:
    class Panic(BaseException):
        pass

    async def story() -> None:
        shop = Shop()

        async def panic() -> str:
            raise Panic

        shop.server.add_tool(panic, task="optional")
        async with shop.client() as client:
            task = await until(client, await begin(client, "panic"), "failed")
            assert task["error"]["message"].startswith("Internal error")

    play(story)


def test_a_server_may_end_before_its_store_was_ever_there() -> None:
    class Never(MemoryStore):
        async def open(self) -> None:
            raise StoreUnavailable("never")

    async def story() -> None:
        async with Shop().client(terms=TaskTerms(open_store=Never)) as client:
            assert (await client.call_tool("plain")).text == "plain"

    play(story)


def test_two_who_need_the_store_at_once_open_it_once() -> None:
    opened: list[Store] = []

    class Slow(MemoryStore):
        async def open(self) -> None:
            await asyncio.sleep(0)
            await super().open()
            opened.append(self)

    async def story() -> None:
        shop = Shop()
        tasks = Tasks(TaskTerms(open_store=Slow), "shop", lambda _: None)
        kept = await asyncio.gather(*[tasks._kept() for _ in range(3)])  # pyright: ignore[reportPrivateUsage]
        assert len(opened) == 1
        assert kept[0] is kept[1] is kept[2]
        await tasks.close()
        assert shop.begun == []

    play(story)


def test_a_task_that_was_over_when_the_server_stops_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        shop, store = Shop(), Unsteady()
        async with shop.client(terms=TaskTerms(open_store=lambda: store, poll=0.01, grace=0.0)) as client:
            task_id = await begin(client, "wait")
            await happens(lambda: shop.begun)
            store.away = True
            shop.open.set()
            await happens(lambda: shop.done and shop.inside._runs[task_id].concluded)
            asyncio.get_running_loop().call_later(0.05, setattr, store, "away", False)
            kept = shop.inside._opened.kept
            closed: list[Any] = []
            close = store.close

            async def last_look() -> None:
                closed.append(await kept.find(task_id))
                await close()

            monkeypatch.setattr(store, "close", last_look)
        assert closed[0].status == "completed"

    play(story)


def test_an_answer_to_a_question_that_was_just_given_up_is_let_go() -> None:
    async def story() -> None:
        task = Task(id="x" * 32, owner="", tool="t", runner="r", created=0.0, updated=0.0, ttl=1.0)
        stale: list[TaskRun] = []
        run = TaskRun(task, stale.append, lambda _run, _answer: None)
        asking = asyncio.ensure_future(run.question(NOBODY, "elicitation/create", {}))
        await happens(lambda: stale)
        assert run.merged(replace(task, answers={"question": {}, "other": {}}), 1.0) is not None
        asking.cancel()
        run.take_answers()
        await asyncio.wait([asking])
        assert asking.cancelled()

    play(story)


NOBODY: Any = None
