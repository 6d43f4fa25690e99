"""How long a call may take, and who answers for it when its time is up."""

# Nothing public tells what a call leaves behind.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from clients import Client
from fakes import FakeService, message, meta
from talking import DONE, TIMED_OUT, talk, waits_for_ever

from mcp_server.engine.asking import ask
from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine
from mcp_server.protocol.results import Result
from mcp_server.protocol.versions import ALL_VERSIONS, V2025_11_25
from mcp_server.threads import Threads


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_at_its_deadline_a_tool_is_answered_for_with_words_for_the_model(version: str) -> None:
    async def talking(client: Client) -> Any:
        assert await client.call("tool", id=3) is None
        return client.heard

    (said,) = talk(waits_for_ever, talking, version=version, timeout=0.01)
    assert (said["id"], said["result"]["content"], said["result"]["isError"]) == (3, TIMED_OUT, True)


def test_at_its_deadline_anything_else_is_answered_for_with_an_error() -> None:
    async def talking(client: Client) -> Any:
        client.service.read_resource = lambda uri, call: waits_for_ever({}, call)
        assert await client.ask("resources/read", {"uri": "fake://a"}) is None
        return client.heard[0]["error"]

    assert talk(waits_for_ever, talking, timeout=0.01) == {"code": -32603, "message": "Timed out after 0.01 s"}


def test_a_tool_that_does_not_let_itself_be_stopped_is_answered_for_on_time() -> None:
    release = asyncio.Event()

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                await call.progress(1, None, None)
                await call.log("error", "still here", None)
        return DONE

    async def talking(client: Client) -> Any:
        calling = asyncio.create_task(client.call("tool", _meta=meta(progressToken=1, logLevel="debug")))
        await client.hears(1)
        assert not calling.done()
        release.set()
        assert await calling is None
        return client.heard

    (said,) = talk(tool, talking, timeout=0.01)
    assert said["result"]["content"] == TIMED_OUT


def test_a_tool_that_fails_after_its_deadline_is_answered_for_once_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("in the clean-up")
        return DONE

    async def talking(client: Client) -> Any:
        assert await client.call("tool") is None
        return client.heard

    (said,) = talk(tool, talking, timeout=0.01)
    assert said["result"]["content"] == TIMED_OUT
    assert len(caplog.records) == 1


def test_a_deadline_in_the_same_turn_as_the_result_is_settled_once() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        result = asyncio.get_running_loop().create_future()
        result.set_result(DONE)
        asyncio.get_running_loop().call_soon(call._expire)
        while not call.settled:
            await asyncio.shield(result)
            await asyncio.sleep(0)
        return DONE

    async def talking(client: Client) -> Any:
        assert await client.call("tool") is None
        return len(client.heard)

    assert talk(tool, talking) == 1


def test_a_result_in_the_same_turn_as_its_deadline_is_settled_once() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        ready = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        loop.call_soon(ready.set_result, None)
        loop.call_soon(call._expire)
        await ready
        return DONE

    async def talking(client: Client) -> Any:
        assert await client.call("tool") is None
        assert (await client.call("echo"))["result"]
        return [said["result"]["content"] for said in client.heard]

    assert talk(tool, talking, timeout=0.01) == [TIMED_OUT]


def test_a_deadline_that_strikes_after_the_call_is_settled_says_nothing() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        await asyncio.sleep(0)
        call.cancel()
        call._expire()
        await asyncio.sleep(0)
        return DONE

    async def talking(client: Client) -> Any:
        assert await client.call("tool") is None
        return client.heard

    assert talk(tool, talking) == []


def test_a_function_stuck_in_a_thread_is_answered_for_on_time() -> None:
    threads = Threads(1)

    async def main() -> float:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def tool(arguments: dict[str, Any], call: Call) -> Result:
            await threads.run(lambda: asyncio.run_coroutine_threadsafe(release.wait(), loop).result())
            return DONE

        client = Client(FakeService({"tool": tool}), timeout=0.01)
        begun = time.monotonic()
        assert await client.call("tool") is None
        assert client.heard[0]["result"]["content"] == TIMED_OUT
        took = time.monotonic() - begun
        release.set()
        await threads.run(lambda: None)
        return took

    assert asyncio.run(main()) < 1


def test_a_person_who_is_asked_may_take_longer_than_a_call() -> None:
    question: dict[str, Any] = {"message": "?", "requestedSchema": {"type": "object", "properties": {}}}

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        answer = await ask(call, "elicitation/create", question, {"elicitation": {}}, dict)
        return {"content": [], "structuredContent": answer}

    async def main() -> None:
        asked = asyncio.get_running_loop().create_future()

        class Pipe:
            async def send(self, message: bytes) -> None:
                asked.set_result(json.loads(message)["id"])

            def deliver(self, message: bytes) -> None:
                raise AssertionError(message)

            def outlasts(self, call: Call) -> None:
                pass

        connection = Connection(Engine(FakeService({"tool": tool}), timeout=0.5), Pipe())
        hello: dict[str, Any] = {"protocolVersion": V2025_11_25, "capabilities": {"elicitation": {}}}
        await connection.receive(message("initialize", hello, 1))
        calling = asyncio.create_task(connection.receive(message("tools/call", {"name": "tool"}, 2)))
        identity = await asyncio.wait_for(asked, 60)
        deadline = asyncio.Event()
        asyncio.get_running_loop().call_later(0.7, deadline.set)
        await deadline.wait()
        answer = {"jsonrpc": "2.0", "id": identity, "result": {"action": "cancel"}}
        assert await connection.receive(json.dumps(answer).encode()) is None
        said = json.loads(await calling or b"")
        assert said["result"]["structuredContent"] == {"action": "cancel"}

    asyncio.run(main())
