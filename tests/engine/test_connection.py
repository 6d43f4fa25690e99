"""One client at the end of a pipe: what it is told about broken messages, in batches, and without asking."""

# Nothing public tells what a call leaves behind.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from clients import Client, turns
from fakes import FakeService, message, meta

from mcp_server.engine.calls import Call, Principal
from mcp_server.engine.connection import Connection
from mcp_server.engine.service import Kind, ListChanged, ResourceUpdated
from mcp_server.engine.subscriptions import MAX_RESOURCES, MAX_URI
from mcp_server.protocol.legacy import MAX_BATCH
from mcp_server.protocol.results import Result, text_content
from mcp_server.protocol.versions import LEGACY_VERSIONS, V2025_03_26, V2025_11_25, V2026_07_28

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
FAKES: dict[Kind, str] = {
    Kind.TOOLS: "notifications/tools/list_changed",
    Kind.PROMPTS: "notifications/prompts/list_changed",
    Kind.RESOURCES: "notifications/resources/list_changed",
    Kind.TEMPLATES: "notifications/resources/list_changed",
}


def said_to(*data: bytes, version: str = V2025_11_25) -> list[Any]:
    """What a client that has introduced itself gets for each of these lines."""

    async def main() -> list[Any]:
        client = await Client(version=version).begin()
        answers = [await client.connection.receive(line) for line in data]
        client.connection.close()
        await turns()
        return [None if answer is None else json.loads(answer) for answer in answers]

    return asyncio.run(main())


def batch(*bodies: object, version: str = V2025_03_26) -> Any:
    return said_to(json.dumps(bodies).encode(), version=version)[0]


def ping(identity: int | str) -> dict[str, Any]:
    return {**PING, "id": identity}


def pong(identity: int | str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "result": {}}


# -- one message


@pytest.mark.parametrize("version", [*LEGACY_VERSIONS, V2026_07_28])
@pytest.mark.parametrize("data", [b"{", b"hello", b"\xff\xfe", b'{"id": NaN}'])
def test_what_is_not_json_is_answered_and_the_next_message_too(version: str, data: bytes) -> None:
    refused, answered = said_to(data, message("tools/list", {"_meta": meta()}, 2), version=version)
    assert (refused["error"]["code"], refused["id"]) == (-32700, None)
    assert answered["result"]["tools"]


@pytest.mark.parametrize(
    ("body", "identity"),
    [
        (1, None),
        ({}, None),
        ({"id": 4}, 4),
        ({"jsonrpc": "2.0", "id": "a", "method": 5}, "a"),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, None),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, None),
        ({"jsonrpc": "1.0", "id": 0, "method": "ping"}, 0),
        ({"jsonrpc": "2.0", "id": 3, "method": "ping", "params": []}, 3),
        ({"jsonrpc": "2.0", "method": 5}, None),
        ({"jsonrpc": "2.0", "id": 3, "result": 5}, None),
    ],
)
def test_json_that_is_no_message_is_answered_with_the_id_that_it_has(body: object, identity: object) -> None:
    (refused,) = said_to(json.dumps(body).encode())
    assert (refused["error"]["code"], refused["id"]) == (-32600, identity)


@pytest.mark.parametrize("method", ["notifications/roots/list_changed", "tools/call", "ping", "initialize", "no/such"])
def test_a_notification_is_never_answered(method: str) -> None:
    assert said_to(message(method, {"name": "echo"})) == [None]


@pytest.mark.parametrize("params", [{}, {"requestId": None}, {"requestId": []}, {"requestId": {}}, {"requestId": 99}])
def test_a_cancellation_of_nothing_is_never_answered(params: dict[str, Any]) -> None:
    assert said_to(message("notifications/cancelled", params)) == [None]


@pytest.mark.parametrize(
    "body",
    [
        {"id": 1, "result": {}},
        {"id": "x", "error": {"code": 1, "message": "m"}},
        {"id": None, "error": {"code": 1, "message": "m"}},
        {"error": {"code": 1, "message": "m"}},
    ],
)
def test_a_response_is_never_answered(body: dict[str, Any]) -> None:
    assert said_to(json.dumps({"jsonrpc": "2.0", **body}).encode()) == [None]


def test_two_servers_on_one_pipe_fall_silent() -> None:
    async def main() -> int:
        ends = [Client(), Client()]
        said: bytes | None = b"garbage"
        rounds = 0
        while said is not None:
            said = await ends[rounds % 2].connection.receive(said)
            rounds += 1
            assert rounds < 10
        return rounds

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize("identity", [0, -1, "", "0", 2**64, "\u2028", "a" * 1000])
def test_an_answer_bears_the_id_with_its_type(identity: int | str) -> None:
    assert said_to(json.dumps(ping(identity)).encode()) == [pong(identity)]


def test_a_call_knows_its_caller() -> None:
    seen = list[Any]()

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        seen.append(call.principal)
        return {"content": []}

    async def main() -> None:
        client = Client(FakeService({"tool": tool}))
        connection = Connection(client.engine, client, principal=Principal("me"))
        await connection.receive(message("tools/call", {"name": "tool", "_meta": meta()}, 1))

    asyncio.run(main())
    assert seen == [Principal("me")]


# -- batches


def test_a_batch_is_answered_in_a_batch() -> None:
    assert batch(ping(1), ping("a")) == [pong(1), pong("a")]


def test_what_needs_no_answer_has_none_in_a_batch() -> None:
    notification = {"jsonrpc": "2.0", "method": "notifications/x"}
    assert batch(notification, ping(1), {"jsonrpc": "2.0", "id": 9, "result": {}}) == [pong(1)]


def test_a_batch_that_needs_no_answer_has_none() -> None:
    assert batch({"jsonrpc": "2.0", "method": "notifications/x"}) is None


def test_what_is_broken_in_a_batch_is_answered_alone() -> None:
    answers = batch(1, [], {"id": 4}, ping(5))
    assert [(answer["id"], answer.get("error", {}).get("code")) for answer in answers] == [
        (None, -32600),
        (None, -32600),
        (4, -32600),
        (5, None),
    ]


def test_a_handshake_must_not_be_part_of_a_batch() -> None:
    hello: dict[str, Any] = {"protocolVersion": V2025_11_25, "capabilities": {}}
    refused, answered = batch({**ping(1), "method": "initialize", "params": hello}, ping(2))
    assert refused["error"]["code"] == -32600
    assert answered == pong(2)


@pytest.mark.parametrize("method", ["tools/list", "subscriptions/listen"])
def test_a_modern_request_must_not_be_part_of_a_batch(method: str) -> None:
    params = {"_meta": meta(), "notifications": {}}
    (refused,) = batch({**ping(1), "method": method, "params": params})
    assert refused["error"]["code"] == -32600


@pytest.mark.parametrize("version", [version for version in LEGACY_VERSIONS if version != V2025_03_26])
def test_a_batch_is_refused_in_every_other_version(version: str) -> None:
    refused = batch(ping(1), version=version)
    assert (refused["error"]["code"], refused["id"]) == (-32600, None)


def test_a_batch_before_the_handshake_is_refused() -> None:
    assert batch(ping(1), version=V2026_07_28)["error"]["code"] == -32600


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_that_is_empty_or_too_long_is_refused_as_one(count: int) -> None:
    refused = batch(*[ping(number) for number in range(count)])
    assert (refused["error"]["code"], refused["id"]) == (-32600, None)


def test_the_longest_batch_is_answered() -> None:
    assert len(batch(*[ping(number) for number in range(MAX_BATCH)])) == MAX_BATCH


def test_an_id_that_comes_twice_in_a_batch_is_answered_twice_and_runs_once() -> None:
    runs = list[int]()

    async def main() -> Any:
        async def tool(arguments: dict[str, Any], call: Call) -> Result:
            runs.append(1)
            await asyncio.sleep(0)
            return {"content": [text_content("done")]}

        client = await Client(FakeService({"tool": tool}), version=V2025_03_26).begin()
        call = {**ping(1), "method": "tools/call", "params": {"name": "tool"}}
        answer = await client.connection.receive(json.dumps([call, call]).encode())
        client.connection.close()
        await turns()
        return json.loads(answer or b"")

    first, second = asyncio.run(main())
    assert first["result"]["content"]
    assert second["error"]["code"] == -32600
    assert runs == [1]


def test_one_call_of_a_batch_can_be_cancelled() -> None:
    async def main() -> Any:
        async def tool(arguments: dict[str, Any], call: Call) -> Result:
            await asyncio.Event().wait()
            return {}

        client = await Client(FakeService({"tool": tool}), version=V2025_03_26).begin()
        call = {**ping("slow"), "method": "tools/call", "params": {"name": "tool"}}
        answering = asyncio.create_task(client.connection.receive(json.dumps([call, ping(2)]).encode()))
        await turns()
        await client.cancel("slow")
        answer = await answering
        client.connection.close()
        await turns()
        return json.loads(answer or b"")

    assert asyncio.run(main()) == [pong(2)]


# -- what an old client hears without asking


async def introduced(version: str = V2025_11_25) -> Client:
    return await Client(version=version).begin()


async def watching(client: Client) -> Client:
    """The same client, while the engine listens to its service."""
    client.service.watch(client.engine._hub.publish)
    await turns()
    return client


def heard_after(*changes: ListChanged | ResourceUpdated, subscribed: tuple[str, ...] = ()) -> list[Any]:
    async def main() -> list[Any]:
        client = await watching(await introduced())
        for uri in subscribed:
            await client.ask("resources/subscribe", {"uri": uri})
        for change in changes:
            client.service.publish(change)
        await turns(10)
        client.connection.close()
        await turns()
        return [(said["method"], said["params"]) for said in client.heard]

    return asyncio.run(main())


@pytest.mark.parametrize("kind", list(Kind))
def test_an_old_client_hears_that_a_list_has_changed(kind: Kind) -> None:
    assert heard_after(ListChanged(kind)) == [(FAKES[kind], {})]


def test_several_changes_of_a_list_are_told_once() -> None:
    assert heard_after(*[ListChanged(Kind.TOOLS)] * 100) == [(FAKES[Kind.TOOLS], {})]


def test_an_old_client_hears_of_the_resources_that_it_has_subscribed_to() -> None:
    changes = [ResourceUpdated(uri) for uri in ("fake://a", "fake://b", "fake://dir/x", "fake://director")]
    heard = heard_after(*changes, subscribed=("fake://a", "fake://dir"))
    updated = "notifications/resources/updated"
    assert heard == [(updated, {"uri": "fake://a"}), (updated, {"uri": "fake://dir/x"})]


def test_an_old_client_hears_no_more_of_what_it_has_unsubscribed_from() -> None:
    async def main() -> list[Any]:
        client = await watching(await introduced())
        await client.ask("resources/subscribe", {"uri": "fake://a"})
        await client.ask("resources/unsubscribe", {"uri": "fake://a"})
        await client.ask("resources/unsubscribe", {"uri": "fake://never"})
        client.service.publish(ResourceUpdated("fake://a"))
        await turns()
        client.connection.close()
        await turns()
        return client.heard

    assert asyncio.run(main()) == []


def test_there_is_a_limit_to_what_one_client_can_subscribe_to() -> None:
    async def main() -> Any:
        client = await introduced()
        for number in range(MAX_RESOURCES):
            await client.ask("resources/subscribe", {"uri": f"fake://{number}"})
        refused = await client.ask("resources/subscribe", {"uri": "fake://one-more"})
        client.connection.close()
        await turns()
        return refused

    assert asyncio.run(main())["error"]["code"] == -32602


def test_there_is_a_limit_to_how_long_a_watched_uri_may_be() -> None:
    async def main() -> Any:
        client = await introduced()
        refused = await client.ask("resources/subscribe", {"uri": "a://" + "b" * MAX_URI})
        client.connection.close()
        await turns()
        return refused

    assert asyncio.run(main())["error"]["code"] == -32602


def test_a_client_that_has_not_introduced_itself_hears_nothing() -> None:
    async def main() -> list[Any]:
        client = await watching(Client(version=V2025_03_26))
        await client.tell("notifications/initialized")
        client.service.publish(ListChanged(Kind.TOOLS))
        await turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return client.heard

    assert asyncio.run(main()) == []


def test_a_client_that_says_twice_that_it_is_ready_hears_everything_once() -> None:
    async def main() -> list[Any]:
        client = await watching(await introduced())
        await client.tell("notifications/initialized")
        client.service.publish(ListChanged(Kind.TOOLS))
        await turns()
        client.connection.close()
        await turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return client.heard

    assert len(asyncio.run(main())) == 1


def test_a_client_hears_nothing_after_its_connection_has_ended() -> None:
    async def main() -> list[Any]:
        client = await watching(await introduced())
        client.connection.close()
        await turns()
        client.service.publish(ListChanged(Kind.TOOLS))
        await turns()
        return client.heard

    assert asyncio.run(main()) == []


def test_a_change_may_come_from_any_thread() -> None:
    async def main() -> list[Any]:
        client = await watching(await introduced())
        await asyncio.to_thread(client.service.publish, ListChanged(Kind.TOOLS))
        heard = await client.hears(1)
        client.connection.close()
        await turns()
        return [said["method"] for said in heard]

    assert asyncio.run(main()) == [FAKES[Kind.TOOLS]]


def test_a_change_before_anybody_listens_is_nobodys_news() -> None:
    async def main() -> list[Any]:
        client = Client()
        async with client.engine.lifespan():
            client.service.publish(ListChanged(Kind.TOOLS))
        return client.heard

    assert asyncio.run(main()) == []


def test_a_connection_that_ends_stops_its_calls() -> None:
    async def main() -> None:
        async def tool(arguments: dict[str, Any], call: Call) -> Result:
            await asyncio.Event().wait()
            return {}

        client = Client(FakeService({"tool": tool}))
        calls = [asyncio.create_task(client.call("tool")) for _ in range(3)]
        await turns()
        client.connection.close()
        assert await asyncio.gather(*calls) == [None, None, None]
        assert client.heard == []
        assert len(client.in_flight) == 0

    asyncio.run(main())
