"""Lines on a pipe, cancellation, and the end."""

from __future__ import annotations

import asyncio
import json

import pytest
from test_wire_base import EVERYTHING
from wire import PATIENCE, Connect, Stdio, WireSession, on_loop


@pytest.mark.requirement("I1a")
@on_loop
async def test_what_a_tool_and_its_children_print_goes_to_standard_error(connect: Connect) -> None:
    async with connect() as session:
        assert isinstance(session, Stdio)
        result = await session.call("be_noisy")
        assert result["content"][0]["text"] == "quiet again"
        assert "this is not MCP" in session.errors
        assert "nor is this" in session.errors


@pytest.mark.requirement("I1b")
@pytest.mark.parametrize(
    "text", ["two\nlines", "two\r\nlines", "no\u2028line", "né 日本 🙂", "\x00\x1f", "\ud83d\ude42"]
)
@on_loop
async def test_any_text_fits_on_one_line(connect: Connect, text: str) -> None:
    async with connect() as session:
        result = await session.call("echo", text=text)
        assert result["content"][0]["text"] == json.loads(json.dumps(text))
        assert b"\n" not in session.lines[-1]
        assert b"\r" not in session.lines[-1]


@pytest.mark.requirement("I1b")
@on_loop
async def test_a_message_of_a_megabyte_is_one_line(connect: Connect) -> None:
    async with connect() as session:
        text = "é" * 500_000
        assert (await session.call("echo", text=text))["content"][0]["text"] == text


@pytest.mark.requirement("I2")
@on_loop
async def test_the_server_sends_no_requests(connect: Connect) -> None:
    async with connect() as session:
        for method, params in EVERYTHING:
            await session.request(method, params)
        assert not [each for each in session.received if "method" in each and "id" in each]


@pytest.mark.requirement("I3a")
@on_loop
async def test_a_call_that_is_cancelled_stops(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.begin("wait", name="cancelled")
        await session.cancel(asked)
        assert await _stopped(session, 1) == ["cancelled"]


@pytest.mark.requirement("I3a")
@on_loop
async def test_a_call_that_is_cancelled_is_not_answered(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.begin("wait", name="cancelled")
        await session.cancel(asked)
        await _stopped(session, 1)
        assert not session.answered(asked)


@pytest.mark.requirement("I3a")
@on_loop
async def test_a_call_in_a_thread_that_is_cancelled_is_not_answered(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.begin("hold_thread")
        await session.cancel(asked)
        await session.call("let_go")
        await session.settle()
        assert not session.answered(asked)


@pytest.mark.requirement("I3a")
@on_loop
async def test_only_the_call_that_is_cancelled_stops(connect: Connect) -> None:
    async with connect() as session:
        one, other = await session.begin("wait", name="one"), await session.begin("wait", name="other")
        await session.cancel(other)
        assert await _stopped(session, 1) == ["other"]
        await session.cancel(one)
        assert await _stopped(session, 2) == ["other", "one"]


@pytest.mark.requirement("I3b")
@on_loop
async def test_the_cancellation_of_an_unknown_call_is_passed_over(connect: Connect) -> None:
    async with connect() as session:
        count = len(session.received)
        for params in ({"requestId": "nobody"}, {"requestId": None}, {"requestId": [1]}, {}):
            await session.notify("notifications/cancelled", params)
        await session.settle()
        assert len(session.received) == count + 1


@pytest.mark.requirement("I3b")
@on_loop
async def test_the_cancellation_of_a_call_that_is_over_is_passed_over(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.begin("echo", text="done")
        await session.response(asked)
        await session.cancel(asked)
        await session.settle()


@pytest.mark.requirement("I5")
@on_loop
async def test_the_process_ends_with_its_input(connect: Connect) -> None:
    async with connect() as session:
        assert isinstance(session, Stdio)
        await session.settle()
        await session.hang_up()
        assert session.exit_code == 0


@pytest.mark.requirement("I5")
@pytest.mark.parametrize("tool", ["wait", "hold_thread", "refuse_to_stop"])
@on_loop
async def test_the_process_ends_in_the_middle_of_a_call(connect: Connect, tool: str) -> None:
    async with connect() as session:
        assert isinstance(session, Stdio)
        await session.begin(tool, **({"name": "w"} if tool == "wait" else {}))
        await session.settle()
        await session.hang_up()
        assert session.exit_code == 0


@pytest.mark.requirement("I6")
@on_loop
async def test_a_subscription_that_the_server_ends_gets_its_result_and_then_the_cancellation(connect: Connect) -> None:
    async with connect() as session:
        asked = await session.ask("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        await session.heard("notifications/subscriptions/acknowledged")
        await session.hang_up()
        result, cancelled = session.received[-2:]
        assert result["id"] == asked
        assert result["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == asked
        assert (cancelled["method"], cancelled["params"]) == ("notifications/cancelled", {"requestId": asked})


async def _stopped(session: WireSession, count: int) -> list[str]:
    """The names of the calls that were stopped, once there are so many of them."""
    async with asyncio.timeout(PATIENCE):
        while len(names := json.loads((await session.call("stopped"))["content"][0]["text"])) < count:
            pass
    return names
