"""Being told of tasks on a `subscriptions/listen`: which, to whom, and when somebody else has changed them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from task_shop import Shop, begin, happens, play, reply, until, word

from mcp_server.engine import task_methods
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.testing import ErrorResponse, TestClient
from tests.store_backends import Backend

ACKNOWLEDGED = "notifications/subscriptions/acknowledged"


@asynccontextmanager
async def listening(shop: Shop, client: TestClient, **wanted: Any) -> AsyncGenerator[dict[str, Any]]:
    """A subscription, from its acknowledgement, which is given, to its end."""
    asked = asyncio.ensure_future(client.request_once("subscriptions/listen", {"notifications": wanted}))
    await happens(lambda: asked.done() or client.notifications)
    if asked.done():
        await asked
    acknowledged = client.notifications[0]
    assert acknowledged["method"] == ACKNOWLEDGED
    try:
        yield acknowledged["params"]["notifications"]
    finally:
        shop.engine.close_feeds()
        await asked


def told(client: TestClient) -> list[dict[str, Any]]:
    """What the client has been told of tasks."""
    return [each["params"] for each in client.notifications if each["method"] == "notifications/tasks"]


async def hears(client: TestClient, *states: str) -> None:
    """Wait until the last that the client was told is one of these states."""
    await happens(lambda: told(client) and told(client)[-1]["status"] in states)


def test_a_listener_is_told_how_a_task_is_and_becomes() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "ask")
            await until(client, task_id, "input_required")
            async with listening(shop, client, taskIds=[task_id]) as honoured:
                assert honoured == {"taskIds": [task_id]}
                await hears(client, "input_required")
                assert "question-1" in told(client)[-1]["inputRequests"]
                await reply(client, task_id, question_1=word("heard"))
                await hears(client, "completed")
                assert "heard" in told(client)[-1]["result"]["content"][0]["text"]
                assert all("io.modelcontextprotocol/subscriptionId" in each["_meta"] for each in told(client))
                seen = [each["status"] for each in told(client)]
                assert seen[0] == "input_required"
                assert len(seen) == len({(each["status"], each["lastUpdatedAt"]) for each in told(client)})

    play(story)


def test_a_task_that_has_ended_is_told_at_once() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "must")
            await until(client, task_id, "completed")
            async with listening(shop, client, taskIds=[task_id]):
                await hears(client, "completed")

    play(story)


def test_a_change_that_changes_nothing_is_not_told() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "wait")
            async with listening(shop, client, taskIds=[task_id]):
                await hears(client, "working")
                for _ in range(3):
                    shop.inside._tell(task_id)
                    await asyncio.sleep(0)
                await happens(lambda: not any(feed._unheard for feed in inside(shop)._hub._feeds))
                shop.open.set()
                await hears(client, "completed")
                assert [each["status"] for each in told(client)] == ["working", "completed"]

    play(story)


def inside(shop: Shop) -> Any:
    """The engine, for a test that looks into it."""
    return shop.engine


def test_other_news_come_on_the_same_stream() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            task_id = await begin(client, "wait")
            async with listening(shop, client, taskIds=[task_id], toolsListChanged=True) as honoured:
                assert honoured == {"toolsListChanged": True, "taskIds": [task_id]}
                await hears(client, "working")
                shop.server.remove_tool("plain")
                await happens(lambda: client.notifications[-1]["method"] == "notifications/tools/list_changed")
                shop.open.set()
                await hears(client, "completed")

    play(story)


def test_only_the_owner_is_told() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(who="ada") as ada:
            task_id = await begin(ada, "wait")
            bob = shop.caller("bob")
            async with listening(shop, bob, taskIds=[task_id, "nonsense"]) as honoured:
                assert honoured == {}
                shop.open.set()
                await until(ada, task_id, "completed")
                assert told(bob) == []

    play(story)


def test_nothing_is_told_of_tasks_that_nobody_asked_for() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            first, second = await begin(client, "wait"), await begin(client, "wait")
            async with listening(shop, client, taskIds=[first]):
                shop.open.set()
                await hears(client, "completed")
                await until(client, second, "completed")
                assert {each["taskId"] for each in told(client)} == {first}

    play(story)


@pytest.mark.parametrize("wanted", ["x", {"a": 1}, [5], [["x"]]])
def test_ids_that_are_none_are_refused(wanted: object) -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            with pytest.raises(ErrorResponse) as refused:
                async with listening(shop, client, taskIds=wanted):
                    pass
            assert refused.value.code == -32602

    play(story)


def test_too_many_are_refused() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client() as client:
            with pytest.raises(ErrorResponse) as refused:
                async with listening(shop, client, taskIds=["x"] * (task_methods.MAX_WATCHED + 1)):
                    pass
            assert refused.value.code == -32602

    play(story)


def test_a_client_that_does_not_declare_tasks_is_told_what_to_declare() -> None:
    async def story() -> None:
        shop = Shop()
        async with shop.client(capabilities={}) as client:
            with pytest.raises(ErrorResponse) as refused:
                async with listening(shop, client, taskIds=[]):
                    pass
            assert refused.value.code == -32021

    play(story)


def test_what_another_process_changes_is_told_too(shared_store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no bus here, so the listener's process looks for itself."""
    monkeypatch.setattr(task_methods, "LOOK_EVERY", 0.05)

    async def story() -> None:
        here, there = Shop(), Shop()
        terms = TaskTerms(open_store=shared_store.new)
        async with here.client(terms=terms) as client, there.client(terms=terms) as far:
            task_id = await begin(far, "wait")
            async with listening(here, client, taskIds=[task_id]):
                await hears(client, "working")
                there.open.set()
                await hears(client, "completed")

    play(story)
