"""Stdio over two pipes: what one call can do to the others, and how the serving ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import sys
import threading
from typing import Any

import pytest
from clients import turns
from fakes import FakeService
from processes import call
from two_pipes import DONE, PING, Line, answers, serving, talk, waits

from mcp_server.engine.calls import Call
from mcp_server.engine.engine import Engine
from mcp_server.protocol.results import Result, text_content
from mcp_server.transports import stdio


def test_a_tool_that_cancels_the_task_of_everybody_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def cancels_its_task(arguments: dict[str, Any], call: Call) -> Result:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return DONE

    async def talking(line: Line) -> list[Any]:
        await line.say(call("cancel", "bad"))
        heard = [await line.hear()]
        await line.say(PING.strip() % 1)
        return [*heard, await line.hear()]

    assert [said["id"] for said in talk(talking, {"cancel": cancels_its_task})] == ["bad", 1]
    assert caplog.messages == ["The task that takes lines has ended before its time"]


def test_a_mistake_of_ours_in_one_line_does_not_make_the_server_deaf(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receive = stdio.Connection.receive

    async def breaks(self: stdio.Connection, data: bytes) -> bytes | None:
        if data == b"break":
            raise ZeroDivisionError
        return await receive(self, data)

    monkeypatch.setattr(stdio.Connection, "receive", breaks)
    (said,) = answers(b"break\n" + PING % 1, 1)
    assert said["id"] == 1
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_calls_may_finish_for_a_moment_after_the_end_of_the_input() -> None:
    async def talking(line: Line) -> Any:
        await line.say(call("turns", 1))
        line.end_input()
        return await line.hear()

    async def takes_some_turns(arguments: dict[str, Any], call: Call) -> Result:
        await asyncio.sleep(0.01)
        return DONE

    assert talk(talking, {"turns": takes_some_turns})["id"] == 1


def test_the_service_is_left_when_the_client_is_gone() -> None:
    async def talking(line: Line) -> list[bool]:
        await line.say(PING.strip() % 1)
        await line.hear()
        during = line.service.open
        await line.end()
        return [during, line.service.open]

    assert talk(talking) == [True, False]


def test_nothing_is_left_when_the_client_is_gone() -> None:
    async def main() -> set[asyncio.Task[Any]]:
        async with serving({"wait": waits}) as line:
            await line.say(call("wait", "slow"), PING.strip() % 1)
            await line.hear()
            await line.end()
            return asyncio.all_tasks() - {t for t in [asyncio.current_task()] if t}

    assert asyncio.run(main()) == set()


def test_a_client_that_closes_its_end_ends_the_serving() -> None:
    async def main() -> None:
        async with serving() as line:
            read, line.from_server = line.from_server, os.open(os.devnull, os.O_RDONLY)
            os.close(read)
            await line.say(PING.strip() % 1)
            assert line.serving is not None
            await line.serving

    asyncio.run(main())


def test_a_client_that_does_not_read_cannot_keep_the_server_from_leaving_when_it_is_asked_to() -> None:
    async def says_much(arguments: dict[str, Any], call: Call) -> Result:
        return {"content": [text_content("x" * 1_000_000)]}

    async def talking(line: Line) -> None:
        await line.say(*[call("much", number) for number in range(40)])
        os.kill(os.getpid(), signal.SIGTERM)
        assert line.serving is not None
        await line.serving

    talk(talking, {"much": says_much})


def test_serving_that_is_cancelled_leaves_nothing() -> None:
    async def main() -> set[asyncio.Task[Any]]:
        stopped = asyncio.Event()

        async def waits_and_tells(arguments: dict[str, Any], call: Call) -> Result:
            try:
                return await waits(arguments, call)
            finally:
                stopped.set()

        async with serving({"wait": waits_and_tells}) as line:
            await line.say(call("wait", "slow"), PING.strip() % 1)
            await line.hear()
            assert line.serving is not None
            line.serving.cancel()
            await asyncio.wait([line.serving])
            assert line.serving.cancelled()
            await stopped.wait()
            await asyncio.sleep(0)
            line.serving = asyncio.create_task(asyncio.sleep(0))
            return {task for task in asyncio.all_tasks() if "crew" in repr(task).lower()}

    assert asyncio.run(main()) == set()


def test_lines_that_come_after_a_signal_are_not_answered() -> None:
    begun = list[int]()

    async def asks_to_stop(arguments: dict[str, Any], call: Call) -> Result:
        os.kill(os.getpid(), signal.SIGTERM)
        return DONE

    async def counts(arguments: dict[str, Any], call: Call) -> Result:
        begun.append(1)
        return DONE

    async def talking(line: Line) -> None:
        saying = asyncio.create_task(line.say(call("stop", 0), *[call("count", n) for n in range(1, 20_000)]))
        assert line.serving is not None
        await line.serving
        while not saying.done():
            await asyncio.to_thread(make_room, line.incoming)

    def make_room(pipe: int) -> None:
        # The last of it may have been taken already: a plain read would then wait for ever.
        if select.select([pipe], [], [], 0.05)[0]:
            os.read(pipe, 1 << 20)

    before = signal.getsignal(signal.SIGTERM)
    talk(talking, {"stop": asks_to_stop, "count": counts})
    assert len(begun) < 19_999
    assert signal.getsignal(signal.SIGTERM) is before


def test_lines_that_are_left_when_the_serving_ends_are_not_answered_although_the_client_reads_again() -> None:
    begun = list[int]()
    full = asyncio.Event()

    async def says_much(arguments: dict[str, Any], call: Call) -> Result:
        if call.request.id == 15:
            full.set()
        return {"content": [text_content("x" * 1_000_000)]}

    async def counts(arguments: dict[str, Any], call: Call) -> Result:
        begun.append(1)
        return DONE

    async def talking(line: Line) -> None:
        await line.say(*[call("much", n) for n in range(30)], *[call("count", 100 + n) for n in range(10)])
        await full.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await turns(50)
        reading = threading.Thread(target=read_until_the_end, args=[line.from_server], daemon=True)
        reading.start()
        assert line.serving is not None
        await line.serving

    talk(talking, {"much": says_much, "count": counts})
    assert begun == []


def read_until_the_end(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 1 << 20):
            pass


def test_signals_are_left_alone_in_any_other_thread() -> None:
    async def talking(line: Line) -> Any:
        await line.say(PING.strip() % 1)
        return await line.hear()

    def elsewhere() -> None:
        heard.append(talk(talking))

    heard = list[Any]()
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(60)
    assert heard[0]["id"] == 1


def test_a_process_without_a_standard_output_object_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = [os.dup(number) for number in range(3)]
    monkeypatch.setattr(sys, "stdout", None)
    taken = list[int]()
    try:
        taken += stdio.take_standard_streams()
        same = os.path.sameopenfile(1, 2)
    finally:
        for number, descriptor in enumerate(saved):
            os.dup2(descriptor, number)
        for descriptor in [*saved, *taken]:
            os.close(descriptor)
    assert same
    assert min(taken) > 2


def test_running_returns_when_the_client_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    incoming, to_server = os.pipe()
    from_server, outgoing = os.pipe()
    monkeypatch.setattr(stdio, "take_standard_streams", lambda: (incoming, outgoing))
    os.write(to_server, PING % 1)
    os.close(to_server)
    stdio.run(Engine(FakeService()))
    assert json.loads(os.read(from_server, 1000))["id"] == 1
    for descriptor in (incoming, from_server, outgoing):
        os.close(descriptor)


def test_running_ends_the_process_when_it_cannot_return(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    incoming, to_server = os.pipe()
    from_server, outgoing = os.pipe()
    left = list[int]()

    def leave(code: int) -> None:
        left.append(code)
        release.set()

    async def hangs(arguments: dict[str, Any], call: Call) -> Result:
        await asyncio.to_thread(release.wait, 10)
        return DONE

    monkeypatch.setattr(stdio, "take_standard_streams", lambda: (incoming, outgoing))
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(stdio.logging, "shutdown", lambda: None)
    os.write(to_server, call("hang", 1) + b"\n")
    os.close(to_server)
    stdio.run(Engine(FakeService({"hang": hangs})))
    assert left == [0]
    assert len(caplog.records) == 1
    for descriptor in (incoming, from_server, outgoing):
        os.close(descriptor)
