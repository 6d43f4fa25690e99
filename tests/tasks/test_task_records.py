"""What is kept of tasks, in every kind of store: atomic changes, marks, signs of life and nudges."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_server.engine.task_records import Task, TaskRecords, new_id
from mcp_server.stores import Store
from mcp_server.stores.memory import MemoryStore
from tests.store_backends import Backend


def a_task(**fields: Any) -> Task:
    """A task that has just begun."""
    known: dict[str, Any] = {
        "id": new_id(), "owner": "ada", "tool": "t", "runner": "r1", "created": 0.0, "updated": 0.0, "ttl": 3600.0,
    }  # fmt: skip
    return Task(**(known | fields))


def records_in(store: Store, server: str = "shop") -> TaskRecords:
    """The records of a server; its clock is not that of the wall."""
    return TaskRecords(store, server, clock=lambda: 10.0)


def test_a_task_comes_back_as_it_was_written(any_store: Backend) -> None:
    async def story(store: Store) -> None:
        records = records_in(store)
        task = a_task(
            status="completed",
            message="für 日本",
            result={"content": [1.5, None]},
            requests={"a": {}},
            answers={"b": {}},
        )
        await records.create(task)
        assert await records.find(task.id) == task
        assert await records.find(new_id()) is None
        assert await records.find("no id") is None
        assert await records_in(store, "other").find(task.id) is None

    any_store.run(story)


def test_a_change_is_made_by_one_at_a_time(any_store: Backend) -> None:
    async def story(store: Store) -> None:
        records = records_in(store)
        task = a_task(message="")
        await records.create(task)

        async def add(letter: str) -> None:
            await records.change(task.id, lambda each: replace(each, message=f"{each.message}{letter}"))

        await asyncio.gather(*[add(letter) for letter in "abcdefgh"])
        found = await records.find(task.id)
        assert found is not None
        assert sorted(found.message or "") == list("abcdefgh")

    any_store.run(story)


def test_a_task_ends_once(any_store: Backend) -> None:
    async def story(store: Store) -> None:
        records = records_in(store)
        task = a_task()
        await records.create(task)
        ends = ("completed", "failed", "cancelled")
        found = await asyncio.gather(
            *[records.change(task.id, lambda each, end=end: replace(each, status=end, updated=20.0)) for end in ends]
        )
        assert len({each.status for each in found if each is not None}) == 1
        assert [each async for each in records.marks()] == []

    any_store.run(story)


def test_nothing_changes_where_nothing_is_wanted_or_there(any_store: Backend) -> None:
    async def story(store: Store) -> None:
        records = records_in(store)
        task = a_task()
        await records.create(task)
        assert await records.change(task.id, lambda _: None) == task
        await records.discard(task)
        assert await records.change(task.id, lambda each: each) is None
        assert await records.running_of("ada", 10) == 0

    any_store.run(story)


def test_marks_tell_who_runs_what_for_whom(any_store: Backend) -> None:
    async def story(store: Store) -> None:
        records = records_in(store)
        tasks = [a_task(runner=f"r{number}", owner="ada" if number else "bob") for number in range(3)]
        for task in tasks:
            await records.create(task)
        assert {each async for each in records.marks()} == {(task.id, task.runner) for task in tasks}
        assert await records.running_of("ada", 10) == 2
        assert await records.running_of("ada", 1) == 1
        await records.unmark(tasks[1].id)
        assert await records.running_of("ada", 10) == 1
        assert {task.id for task in await records.of("ada", "", 10)} == {task.id for task in tasks[1:]}

    any_store.run(story)


def test_a_process_lives_until_it_leaves(any_store: Backend) -> None:
    async def story(store: Store) -> None:
        records = records_in(store)
        assert not await records.lives("r1")
        await records.give_sign_of_life("r1", 60)
        assert await records.lives("r1")
        await records.take_leave("r1")
        assert not await records.lives("r1")

    any_store.run(story)


def test_a_nudge_reaches_its_process_once(any_store: Backend) -> None:
    async def story(store: Store) -> None:
        records = records_in(store)
        await records.nudge("r1", "a")
        await records.nudge("r1", "a")
        await records.nudge("r1", "b")
        await records.nudge("r2", "c")
        assert sorted(await records.nudges("r1")) == ["a", "b"]
        assert await records.nudges("r1") == []
        assert await records.nudges("r2") == ["c"]

    any_store.run(story)


def test_the_poll_interval_grows_with_the_age_of_a_task() -> None:
    young, old = a_task(updated=1.0), a_task(updated=100.0)
    assert (young.told()["pollIntervalMs"], old.told()["pollIntervalMs"]) == (1000, 5000)


def test_an_ended_task_is_kept_for_its_time_from_its_end() -> None:
    working = a_task(created=100.0, updated=100.0, ttl=60.0)
    ended = replace(working, status="cancelled", updated=150.0)
    assert (working.told()["ttlMs"], ended.told()["ttlMs"]) == (60_000, 110_000)
    assert ended.kept_until == 210.0
    assert working.kept_until > 160.0  # so that its end can still be written down


STATES = st.sampled_from(["working", "input_required", "completed", "failed", "cancelled"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STATES, max_size=8), st.randoms(use_true_random=False))
def test_whatever_is_tried_a_task_takes_a_path_that_the_specification_allows(states: list[str], chance: Any) -> None:
    async def story() -> None:
        store = MemoryStore()
        await store.open()
        records = records_in(store)
        task = a_task()
        await records.create(task)
        seen = ["working"]

        async def attempt(state: str) -> None:
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            before = await records.find(task.id)
            after = await records.change(task.id, lambda each: replace(each, status=state))
            assert before is not None
            assert after is not None
            seen.append(after.status)

        await asyncio.gather(*map(attempt, states))
        ends = [each for each in seen if each in {"completed", "failed", "cancelled"}]
        assert len(set(ends)) <= 1
        marked = [each async for each in records.marks()]
        assert bool(ends) is not bool(marked)

    asyncio.run(story())
