"""How a call is stopped, by whomever, and that nothing of it is left."""

# Nothing public tells what a call leaves behind.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clients import Client, turns
from fakes import FakeService, message, meta
from talking import DONE, cancelled, talk, waits_for_ever

from mcp_server.engine.calls import Call
from mcp_server.protocol.results import Result
from mcp_server.protocol.versions import ALL_VERSIONS


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_a_cancelled_call_is_stopped_and_nothing_is_said(version: str) -> None:
    stopped = list[str]()

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        try:
            return await waits_for_ever(arguments, call)
        except asyncio.CancelledError:
            stopped.append("stopped")
            await call.log("emergency", "stopping", None)
            raise

    assert talk(tool, cancelled, version=version) is None
    assert stopped == ["stopped"]


def test_a_cancelled_call_may_finish_but_is_not_heard() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        try:
            return await waits_for_ever(arguments, call)
        except asyncio.CancelledError:
            return DONE

    assert talk(tool, cancelled) is None


def test_a_cancelled_call_may_fail_but_only_the_log_hears_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        try:
            return await waits_for_ever(arguments, call)
        except asyncio.CancelledError:
            raise ValueError("in the clean-up") from None

    assert talk(tool, cancelled) is None
    assert len(caplog.records) == 1


def test_a_cancelled_call_is_no_failure_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert talk(waits_for_ever, cancelled) is None
    assert caplog.records == []


def test_the_task_of_a_cancelled_call_serves_others_afterwards() -> None:
    async def main() -> None:
        client = Client(FakeService({"tool": waits_for_ever}))

        async def serve() -> Any:
            await client.call("tool", id="x")
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            await asyncio.sleep(0)
            return await client.call("echo")

        serving = asyncio.create_task(serve())
        await turns()
        await client.cancel("x")
        assert (await serving)["result"]

    asyncio.run(main())


def test_a_call_cancelled_twice_is_stopped_once() -> None:
    stops = list[int]()
    release = asyncio.Event()

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        for _ in range(2):
            try:
                await release.wait()
            except asyncio.CancelledError:
                stops.append(1)
        return DONE

    async def talking(client: Client) -> Any:
        calling = asyncio.create_task(client.call("tool", id="x"))
        await turns()
        await client.cancel("x")
        await client.cancel("x")
        await turns()
        await client.cancel("x")
        await turns()
        release.set()
        return await calling

    assert talk(tool, talking) is None
    assert stops == [1]


def test_a_cancellation_in_the_same_turn_as_the_result_is_settled_once() -> None:
    async def main() -> None:
        ready = asyncio.get_running_loop().create_future()

        async def tool(arguments: dict[str, Any], call: Call) -> Result:
            await ready
            return DONE

        client = Client(FakeService({"tool": tool}))
        calling = asyncio.create_task(client.call("tool", id="x"))
        await turns()
        ready.set_result(None)
        await client.cancel("x")
        assert await calling is None
        assert len(client.in_flight) == 0
        assert (await client.call("echo", id="x"))["result"]

    asyncio.run(main())


@pytest.mark.parametrize("identity", ["y", 1, 0, ""])
def test_cancelling_what_is_not_in_flight_does_nothing(identity: int | str) -> None:
    async def talking(client: Client) -> Any:
        await client.cancel(identity)
        return await client.call("echo", id=identity)

    assert talk(waits_for_ever, talking)["result"]


@pytest.mark.parametrize("identity", [True, 1.0, "1", None, [], {}])
def test_only_the_very_id_cancels_a_call(identity: Any) -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        await turns(10)
        return DONE

    async def talking(client: Client) -> Any:
        calling = asyncio.create_task(client.call("tool", id=1))
        await turns(2)
        assert len(client.in_flight) == 1
        await client.cancel(identity)
        return await calling

    assert talk(tool, talking)["result"]


def test_a_cancellation_without_an_id_does_nothing() -> None:
    async def talking(client: Client) -> Any:
        await client.tell("notifications/cancelled")
        return await client.call("echo")

    assert talk(waits_for_ever, talking)["result"]


def test_a_call_that_cancels_itself_in_its_first_step_is_stopped_when_it_waits() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        call.cancel()
        return await waits_for_ever(arguments, call)

    async def talking(client: Client) -> Any:
        calling = asyncio.create_task(client.call("tool"))
        await turns()
        assert calling.done()
        assert calling.result() is None
        return await client.call("echo")

    assert talk(tool, talking)["result"]


def test_a_call_that_cancels_itself_and_finishes_at_once_is_not_heard() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        call.cancel()
        return DONE

    async def talking(client: Client) -> Any:
        return await client.call("tool")

    assert talk(tool, talking) is None


def test_a_tool_that_raises_a_cancellation_after_waiting_is_a_failure() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async def talking(client: Client) -> Any:
        return await client.call("tool")

    assert talk(tool, talking)["error"]["code"] == -32603


def test_a_tool_whose_own_task_was_cancelled_is_a_failure() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        inner = asyncio.create_task(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner
        return DONE

    async def talking(client: Client) -> Any:
        return await client.call("tool")

    assert talk(tool, talking)["error"]["code"] == -32603


def test_a_timeout_inside_a_tool_is_its_own_affair() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        try:
            async with asyncio.timeout(0.01):
                await waits_for_ever(arguments, call)
        except TimeoutError:
            return DONE
        return {}

    async def talking(client: Client) -> Any:
        return await client.call("tool")

    assert talk(tool, talking)["result"]["content"] == DONE["content"]


def test_a_cancellation_goes_through_a_timeout_inside_a_tool() -> None:
    seen = list[str]()

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        try:
            async with asyncio.timeout(60):
                return await waits_for_ever(arguments, call)
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    assert talk(tool, cancelled) is None
    assert seen == ["CancelledError"]


def test_both_deadlines_in_one_turn_are_settled_once() -> None:
    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        async with asyncio.timeout(None) as inner:
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: inner.reschedule(loop.time()))
            loop.call_soon(call._expire)
            return await waits_for_ever(arguments, call)

    async def talking(client: Client) -> Any:
        assert await client.call("tool") is None
        assert (await client.call("echo"))["result"]
        return len(client.heard)

    assert talk(tool, talking) == 1


def test_a_cancellation_goes_through_a_task_group_inside_a_tool() -> None:
    stopped = list[str]()

    async def worker() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("worker")

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        async with asyncio.TaskGroup() as group:
            group.create_task(worker())
            group.create_task(worker())
        return DONE

    assert talk(tool, cancelled) is None
    assert stopped == ["worker", "worker"]


def test_a_task_group_that_fails_inside_a_tool_is_a_failure_of_that_call_only() -> None:
    async def worker() -> None:
        raise ValueError

    async def tool(arguments: dict[str, Any], call: Call) -> Result:
        async with asyncio.TaskGroup() as group:
            group.create_task(worker())
            await asyncio.Event().wait()
        return DONE

    async def talking(client: Client) -> Any:
        failed = await client.call("tool")
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return failed, await client.call("echo")

    failed, answered = talk(tool, talking)
    assert failed["error"]["code"] == -32603
    assert answered["result"]


def test_cancelling_the_task_around_a_call_cancels_the_call_and_leaves_nothing() -> None:
    async def talking(client: Client) -> Any:
        calling = asyncio.create_task(client.call("tool"))
        await turns()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        return client.heard

    assert talk(waits_for_ever, talking) == []


def test_cancelling_the_task_around_a_call_that_was_cancelled_already_is_not_lost() -> None:
    async def talking(client: Client) -> Any:
        calling = asyncio.create_task(client.call("tool", id="x"))
        await turns()
        await client.cancel("x")
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        return calling.cancelled()

    assert talk(waits_for_ever, talking)


def test_a_coroutine_that_is_thrown_away_in_the_middle_is_closed() -> None:
    closed = list[str]()

    async def main() -> None:
        async def tool(arguments: dict[str, Any], call: Call) -> Result:
            try:
                return await waits_for_ever(arguments, call)
            finally:
                closed.append("closed")

        client = Client(FakeService({"tool": tool}))
        work = client.connection.receive(message("tools/call", {"name": "tool", "_meta": meta()}, 1))
        work.send(None)
        work.close()
        assert len(client.in_flight) == 0

    asyncio.run(main())
    assert closed == ["closed"]
