"""Stdio over two pipes: framing, and in which order things are answered."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from fakes import FakeService, message, meta
from processes import call
from two_pipes import DONE, PING, Line, answers, talk, waits

from mcp_server.engine.calls import Call
from mcp_server.engine.engine import Engine
from mcp_server.engine.service import Kind, ListChanged
from mcp_server.protocol.results import Result
from mcp_server.transports.pipes import MAX_LINE
from mcp_server.transports.stdio import serve


@pytest.mark.parametrize("garbage", [b"garbage", b"{", b"\xff\xfe\x00", b"[]]", b"\x00", b'{"a":NaN}'])
def test_a_line_that_is_not_json_is_answered_and_the_pipe_lives_on(garbage: bytes) -> None:
    refused, answered = answers(garbage + b"\n" + PING % 1, 2)
    assert (refused["error"]["code"], refused["id"]) == (-32700, None)
    assert answered["id"] == 1


def test_a_line_that_is_no_message_is_answered_and_the_pipe_lives_on() -> None:
    refused, answered = answers(b'[1]\n{"id":7}\n' + PING % 1, 2 + 1)[1:]
    assert (refused["error"]["code"], refused["id"]) == (-32600, 7)
    assert answered["id"] == 1


def test_a_line_that_is_nested_too_deep_is_answered_and_the_pipe_lives_on() -> None:
    refused, answered = answers(b"[" * 1000 + b"]" * 1000 + b"\n" + PING % 1, 2)
    assert (refused["error"]["code"], refused["id"]) == (-32600, None)
    assert answered["id"] == 1


def test_a_mark_in_front_of_a_line_is_ignored() -> None:
    assert answers(b"\xef\xbb\xbf" + PING % 1, 1)[0]["id"] == 1


def test_blank_lines_are_nothing() -> None:
    assert answers(b"\n\r\n  \n\t\n" + PING % 1, 1)[0]["id"] == 1


def test_lines_may_end_with_carriage_returns() -> None:
    assert [said["id"] for said in answers((PING % 1).replace(b"\n", b"\r\n") + PING % 2, 2)] == [1, 2]


def test_a_message_may_come_byte_by_byte() -> None:
    async def talking(line: Line) -> Any:
        for byte in PING % 4:
            await line.write(bytes([byte]))
        return await line.hear()

    assert talk(talking)["id"] == 4


def test_a_message_that_ends_with_the_input_is_answered() -> None:
    async def talking(line: Line) -> Any:
        await line.write((PING % 1).rstrip())
        line.end_input()
        return await line.hear()

    assert talk(talking)["id"] == 1


def test_half_a_message_at_the_end_of_the_input_is_answered_too() -> None:
    async def talking(line: Line) -> Any:
        await line.write(b'{"jsonrpc":')
        line.end_input()
        return await line.hear()

    assert talk(talking)["error"]["code"] == -32700


def test_a_long_line_is_answered() -> None:
    (said,) = answers(call("echo", 1, text="x" * 1024 * 1024) + b"\n", 1)
    assert len(said["result"]["structuredContent"]["text"]) == 1024 * 1024


@pytest.mark.parametrize("length", [MAX_LINE + 1, 2 * MAX_LINE, 2 * MAX_LINE + 300_000])
def test_a_line_that_is_too_long_is_refused_once_and_the_next_one_is_answered(length: int) -> None:
    refused, answered = answers(b"x" * length + b"\n" + PING % 1, 2)
    assert (refused["id"], refused["error"]["code"]) == (None, -32600)
    assert answered["id"] == 1


def test_a_line_that_is_too_long_may_be_the_last() -> None:
    async def talking(line: Line) -> Any:
        await line.write(b"x" * (MAX_LINE + 500_000))
        refused = await line.hear()
        line.end_input()
        return refused, await asyncio.wait_for(asyncio.shield(line.serving or asyncio.sleep(0)), 60)

    assert talk(talking)[0]["error"]["code"] == -32600


def test_descriptors_that_do_not_block_are_waited_for() -> None:
    async def talking(line: Line) -> Any:
        os.set_blocking(line.incoming, False)
        os.set_blocking(line.outgoing, False)
        first = call("echo", 1, text="x" * 1_000_000)
        await line.say(first)
        heard = [await line.hear()]
        await line.say(PING.strip() % 2)
        return [*heard, await line.hear()]

    assert [said["id"] for said in talk(talking)] == [1, 2]


def test_an_input_that_cannot_be_read_is_an_input_that_has_ended() -> None:
    async def main() -> None:
        read, write = os.pipe()
        os.close(read)
        try:
            await asyncio.wait_for(serve(Engine(FakeService()), read, write), 60)
        finally:
            os.close(write)

    asyncio.run(main())


def test_a_slow_call_delays_nobody() -> None:
    release = asyncio.Event()

    async def waits_for_release(arguments: dict[str, Any], call: Call) -> Result:
        await release.wait()
        return DONE

    async def releases(arguments: dict[str, Any], call: Call) -> Result:
        release.set()
        return DONE

    async def talking(line: Line) -> list[Any]:
        await line.say(*[call("slow", number) for number in range(200)], call("echo", "quick"))
        heard = [(await line.hear())["id"]]
        await line.say(call("release", "release"))
        return [*heard, *[(await line.hear())["id"] for _ in range(201)]]

    heard = talk(talking, {"slow": waits_for_release, "release": releases})
    assert heard[0] == "quick"
    assert heard[1] == "release"
    assert sorted(heard[2:]) == list(range(200))


def test_many_quick_calls_do_not_keep_a_slow_one_waiting() -> None:
    async def takes_two_turns(arguments: dict[str, Any], call: Call) -> Result:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return DONE

    lines = call("slow", "slow") + b"\n" + b"".join(PING % number for number in range(1000))
    assert len(lines) < 60_000, "all of it should come at once"
    heard = [said["id"] for said in answers(lines, 1001, {"slow": takes_two_turns})]
    assert heard.index("slow") < 500


def test_slow_calls_in_one_batch_delay_nobody() -> None:
    async def talking(line: Line) -> Any:
        hello: dict[str, Any] = {"protocolVersion": "2025-03-26", "capabilities": {}}
        calls = [{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "wait"}} for n in (1, 2)]
        await line.say(message("initialize", hello, 0), json.dumps(calls).encode(), PING.strip() % 3)
        return [await line.hear(), await line.hear()]

    assert [said["id"] for said in talk(talking, {"wait": waits})] == [0, 3]


def test_a_call_is_cancelled_without_a_word() -> None:
    async def talking(line: Line) -> Any:
        await line.say(call("wait", "slow"), message("notifications/cancelled", {"requestId": "slow"}))
        await line.say(PING.strip() % 1)
        return await line.hear()

    assert talk(talking, {"wait": waits})["id"] == 1


def test_a_call_is_answered_for_at_its_deadline() -> None:
    async def talking(line: Line) -> Any:
        await line.say(call("wait", "slow"))
        return await line.hear()

    said = talk(talking, {"wait": waits}, patience=0.01)
    assert (said["id"], said["result"]["isError"]) == ("slow", True)


def test_progress_comes_before_the_answer() -> None:
    async def tells(arguments: dict[str, Any], call: Call) -> Result:
        await call.progress(1, None, None)
        return DONE

    async def talking(line: Line) -> Any:
        params = {"name": "tell", "arguments": {}, "_meta": meta(progressToken="p")}
        await line.say(message("tools/call", params, 1))
        return [await line.hear(), await line.hear()]

    first, second = talk(talking, {"tell": tells})
    assert first["method"] == "notifications/progress"
    assert second["id"] == 1


def test_a_client_that_is_slow_to_read_stalls_the_tool_that_tells_it_much() -> None:
    told = list[int]()
    enough = asyncio.Event()

    async def tells_much(arguments: dict[str, Any], call: Call) -> Result:
        for number in range(1, 41):
            await call.progress(number, None, "x" * 1_000_000)
            told.append(number)
            if number == 10:
                enough.set()
        return DONE

    async def talking(line: Line) -> int:
        params = {"name": "tell", "arguments": {}, "_meta": meta(progressToken="p")}
        await line.say(message("tools/call", params, "much"))
        await enough.wait()
        for _ in range(1000):
            await asyncio.sleep(0)
        stalled_at = len(told)
        while (await line.hear()).get("id") != "much":
            pass
        return stalled_at

    assert talk(talking, {"tell": tells_much}) < 30
    assert len(told) == 40


def test_news_reach_an_old_client() -> None:
    async def talking(line: Line) -> Any:
        hello: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
        await line.say(message("initialize", hello, 1), message("notifications/initialized"), PING.strip() % 2)
        assert [(await line.hear())["id"] for _ in range(2)] == [1, 2]
        line.service.publish(ListChanged(Kind.TOOLS))
        return await line.hear()

    assert talk(talking)["method"] == "notifications/tools/list_changed"


def test_a_subscription_ends_with_the_input_in_good_order() -> None:
    async def talking(line: Line) -> list[Any]:
        params = {"notifications": {}, "_meta": meta()}
        await line.say(message("subscriptions/listen", params, "news"))
        heard = [await line.hear()]
        line.end_input()
        return [*heard, await line.hear(), await line.hear()]

    acknowledged, result, cancelled = talk(talking)
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert result["id"] == "news"
    assert cancelled["params"] == {"requestId": "news"}
