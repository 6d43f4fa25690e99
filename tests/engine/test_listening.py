"""`subscriptions/listen`: what is acknowledged, what is told, and how it ends."""

# Nothing public tells what a call leaves behind.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from clients import Client, turns
from fakes import FakeService, meta

from mcp_server.engine.service import Kind, ListChanged, ResourceUpdated
from mcp_server.engine.subscriptions import MAX_RESOURCES, MAX_URI

ID = "io.modelcontextprotocol/subscriptionId"
ALL = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"


def listening(
    wanted: Any,
    talking: Callable[[Client], Awaitable[Any]],
    *,
    identity: int | str = 1,
    service: FakeService | None = None,
) -> list[dict[str, Any]]:
    """Everything that is said to a client from the moment it listens; the subscription ends with the connection."""

    async def main() -> list[dict[str, Any]]:
        client = Client(service, timeout=0.02)
        async with client.engine.lifespan(), asyncio.timeout(60):
            listens = asyncio.create_task(client.ask("subscriptions/listen", {"notifications": wanted}, id=identity))
            await turns()
            await talking(client)
            client.connection.close()
            last = await listens
        assert len(client.in_flight) == 0
        assert client.engine._hub._feeds == set()
        return client.heard if last is None else [*client.heard, last]

    return asyncio.run(main())


async def nothing_happens(client: Client) -> None:
    await turns()


def publishing(*changes: ListChanged | ResourceUpdated) -> Callable[[Client], Awaitable[None]]:
    async def talking(client: Client) -> None:
        for change in changes:
            client.service.publish(change)
        await turns(10)

    return talking


def refused(wanted: Any) -> dict[str, Any]:
    async def main() -> Any:
        return await Client().ask("subscriptions/listen", {"notifications": wanted})

    return asyncio.run(main())["error"]


@pytest.mark.parametrize("identity", [1, 0, "", "1", "listen"])
def test_the_first_thing_said_is_the_acknowledgement(identity: int | str) -> None:
    first = listening({"toolsListChanged": True}, nothing_happens, identity=identity)[0]
    assert first["method"] == ACKNOWLEDGED
    assert first["params"] == {"_meta": {ID: identity}, "notifications": {"toolsListChanged": True}}


@pytest.mark.parametrize(
    ("wanted", "honoured"),
    [
        ({}, {}),
        (ALL, ALL),
        ({"toolsListChanged": False}, {}),
        ({"resourceSubscriptions": []}, {}),
        ({"resourceSubscriptions": ["b://", "a://"]}, {"resourceSubscriptions": ["a://", "b://"]}),
        ({"resourceSubscriptions": ["a://", "a://"]}, {"resourceSubscriptions": ["a://"]}),
        ({"taskIds": ["t"], "unknown": True}, {}),
    ],
)
def test_what_is_acknowledged_is_what_is_honoured(wanted: dict[str, Any], honoured: dict[str, Any]) -> None:
    assert listening(wanted, nothing_happens)[0]["params"]["notifications"] == honoured


@pytest.mark.parametrize(
    "capabilities", [{}, {"tools": {}, "prompts": {}, "resources": {}}, {"tools": {"listChanged": False}}]
)
def test_what_the_server_does_not_declare_is_left_out_of_the_acknowledgement(capabilities: dict[str, Any]) -> None:
    service = FakeService(capabilities=capabilities)
    wanted = {**ALL, "resourceSubscriptions": ["a://"]}
    assert listening(wanted, nothing_happens, service=service)[0]["params"]["notifications"] == {}


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        [],
        "all",
        {"toolsListChanged": "yes"},
        {"toolsListChanged": None},
        {"promptsListChanged": 1},
        {"resourceSubscriptions": "a://"},
        {"resourceSubscriptions": [1]},
        {"resourceSubscriptions": None},
        {"resourceSubscriptions": [f"a://{number}" for number in range(MAX_RESOURCES + 1)]},
        {"resourceSubscriptions": ["a://" + "b" * MAX_URI]},
    ],
)
def test_a_filter_of_the_wrong_shape_or_size_is_refused(wanted: object) -> None:
    assert refused(wanted)["code"] == -32602


@pytest.mark.parametrize("identity", [0, "0"])
def test_everything_that_is_told_bears_the_subscription_id_with_its_type(identity: int | str) -> None:
    changes = publishing(ListChanged(Kind.TOOLS), ResourceUpdated("a://x"))
    said = listening({**ALL, "resourceSubscriptions": ["a://x"]}, changes, identity=identity)
    news = said[1:3]
    assert [(one["method"], one["params"]) for one in news] == [
        ("notifications/tools/list_changed", {"_meta": {ID: identity}}),
        ("notifications/resources/updated", {"uri": "a://x", "_meta": {ID: identity}}),
    ]
    assert said[3]["result"]["_meta"][ID] == identity


@pytest.mark.parametrize("key", list(ALL))
def test_nothing_is_told_that_was_not_asked_for(key: str) -> None:
    changes = publishing(*[ListChanged(kind) for kind in Kind], ResourceUpdated("a://x"))
    said = listening({key: True}, changes)
    word = key.removesuffix("ListChanged")
    assert [one["method"] for one in said[1:-2]] == [f"notifications/{word}/list_changed"]


def test_a_resource_within_a_watched_one_is_told_of() -> None:
    changes = [ResourceUpdated(uri) for uri in ("a://x/y", "a://xy", "a://x", "b://x")]
    said = listening({"resourceSubscriptions": ["a://x"]}, publishing(*changes))
    assert [one["params"]["uri"] for one in said[1:-2]] == ["a://x/y", "a://x"]


def test_a_slow_listener_is_told_once_of_many_changes() -> None:
    async def talking(client: Client) -> None:
        client.room.clear()
        await publishing(*[ListChanged(Kind.TOOLS)] * 1000)(client)
        await publishing(*[ListChanged(Kind.TOOLS)] * 1000)(client)
        client.room.set()
        await turns(10)

    said = listening(ALL, talking)
    assert len(said[1:-2]) == 2


def test_what_happens_between_the_request_and_its_acknowledgement_is_told() -> None:
    async def main() -> list[str]:
        client = Client()
        client.room.clear()
        async with client.engine.lifespan():
            listens = asyncio.create_task(client.ask("subscriptions/listen", {"notifications": ALL}))
            await turns()
            client.service.publish(ListChanged(Kind.TOOLS))
            client.room.set()
            heard = await client.hears(2)
            client.connection.close()
            await listens
        return [said["method"] for said in heard]

    assert asyncio.run(main()) == [ACKNOWLEDGED, "notifications/tools/list_changed"]


def test_a_subscription_has_no_deadline() -> None:
    async def talking(client: Client) -> None:
        await client.call("slow", id="slow")
        assert client.heard[-1]["result"]["isError"]

    async def slow(arguments: dict[str, Any], call: Any) -> Any:
        await asyncio.Event().wait()

    said = listening(ALL, talking, service=FakeService({"slow": slow}))
    assert [one.get("method") for one in said] == [ACKNOWLEDGED, None, None, "notifications/cancelled"]


def test_a_subscription_ends_with_its_result_and_then_a_cancellation() -> None:
    said = listening({}, nothing_happens, identity="mine")
    assert said[1]["id"] == "mine"
    assert set(said[1]["result"]) == {"resultType", "_meta"}
    assert (said[2]["method"], said[2]["params"]) == ("notifications/cancelled", {"requestId": "mine"})


def test_what_is_not_told_yet_is_told_before_the_end() -> None:
    async def talking(client: Client) -> None:
        client.service.publish(ListChanged(Kind.TOOLS))

    said = listening(ALL, talking)
    assert [one.get("method") for one in said] == [
        ACKNOWLEDGED,
        "notifications/tools/list_changed",
        None,
        "notifications/cancelled",
    ]


def test_a_cancelled_subscription_ends_without_a_word() -> None:
    async def talking(client: Client) -> None:
        await client.cancel(1)
        await turns()
        client.service.publish(ListChanged(Kind.TOOLS))
        await turns()

    assert [said["method"] for said in listening(ALL, talking)] == [ACKNOWLEDGED]


def test_many_subscriptions_are_told_apart() -> None:
    async def main() -> list[Any]:
        client = Client()
        async with client.engine.lifespan():
            listens = [
                asyncio.create_task(client.ask("subscriptions/listen", {"notifications": wanted}, id=identity))
                for identity, wanted in (("a", {"toolsListChanged": True}), ("b", ALL), (1, {}))
            ]
            await client.hears(3)
            client.service.publish(ListChanged(Kind.TOOLS))
            client.service.publish(ListChanged(Kind.PROMPTS))
            heard = (await client.hears(6))[3:]
            client.connection.close()
            await asyncio.gather(*listens)
        return sorted((said["params"]["_meta"][ID], said["method"].split("/")[1]) for said in heard)

    assert asyncio.run(main()) == [("a", "tools"), ("b", "prompts"), ("b", "tools")]


def test_the_id_of_a_subscription_is_in_flight_like_any_other() -> None:
    async def talking(client: Client) -> None:
        answer = await client.ask("subscriptions/listen", {"notifications": {}}, id=1)
        assert answer["error"]["code"] == -32600

    assert listening({}, talking)[0]["method"] == ACKNOWLEDGED


def test_progress_and_logs_of_other_calls_are_not_on_a_subscription() -> None:
    async def talking(client: Client) -> None:
        await client.call("loud", id="loud", _meta=meta(progressToken="p", logLevel="debug"))

    async def loud(arguments: dict[str, Any], call: Any) -> Any:
        await call.progress(1, None, None)
        await call.log("info", "x", None)
        return {"content": []}

    said = listening(ALL, talking, service=FakeService({"loud": loud}))
    assert all(ID not in one["params"].get("_meta", {}) for one in said[1:3])
