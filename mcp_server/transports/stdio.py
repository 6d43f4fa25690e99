"""MCP over standard input and output: one JSON message a line, as a child process of its client.

The pieces: a thread that reads and cuts lines, a thread that writes (both in `pipes`), and between them tasks that
answer. One task at a time takes lines. If its call finishes at once, it takes the next line; if the call has to wait, a
new task takes over the reading and the old one ends with its call. So quick calls cost no task, and a slow one delays
nobody.

Whatever a tool, or a program that it starts, writes to its standard output must not reach the client. So the two
descriptors are taken away at the start: standard output then leads to standard error, standard input to nowhere.

Whatever a tool does, the process leaves when its client has gone: a call that ignores its cancellation, or a thread of
a library that blocks, is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Generator
from typing import Final

from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine
from mcp_server.protocol.errors import invalid_request
from mcp_server.protocol.rendering import failure_bytes
from mcp_server.transports.pipes import MAX_LINE, Lines, TooLong, Writer

logger = logging.getLogger("mcp_server.stdio")

_STANDARD_ERROR: Final = 2
_IN_A_ROW: Final = 64
"""How many calls may be answered at once before deadlines, signals and the calls that wait get their turn."""
_GRACE_AT_END_OF_INPUT: Final = 0.2
"""`echo … | python main.py` should print its answer, so calls may finish for a moment after the input has ended."""
_GRACE_FOR_CLEANUP: Final = 0.5
_GRACE_FOR_READING: Final = 2.0
"""How long a client that has said all it wants may pause before it reads on."""
_GRACE_FOR_THE_LOOP: Final = 0.2


def take_standard_streams() -> tuple[int, int]:
    """Take standard input and output for the protocol alone; returns the two descriptors that lead to the client."""
    if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison] - so it is where there is no terminal
        sys.stdout.flush()
    # A descriptor that we were started without would be the next to be given out, perhaps to the client's end.
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(nowhere, 0)
    os.dup2(_STANDARD_ERROR, 1)
    os.close(nowhere)
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        msvcrt.setmode(incoming, os.O_BINARY)
        msvcrt.setmode(outgoing, os.O_BINARY)
    return incoming, outgoing


def run(engine: Engine) -> None:
    """Serve whoever has started this process, and return when they are gone; the process ends if it cannot return."""
    incoming, outgoing = take_standard_streams()
    leave = threading.Timer(_GRACE_FOR_THE_LOOP, _leave)
    leave.daemon = True

    async def serve_and_leave() -> None:
        await serve(engine, incoming, outgoing)
        leave.start()

    try:
        asyncio.run(serve_and_leave())
    finally:
        leave.cancel()


def _leave() -> None:
    logger.warning("A call does not end although its client has gone; the process ends without it")
    logging.shutdown()
    os._exit(0)


async def serve(engine: Engine, incoming: int, outgoing: int) -> None:
    """Serve one client on two descriptors until the input ends, the output breaks or a signal asks to stop."""
    stop = asyncio.Event()
    with _stop_signals(stop):
        async with engine.lifespan():
            crew = _Crew(engine, incoming, outgoing, stop)
            await crew.work()


class _Crew:
    """The tasks that serve one client; one of them at a time takes lines, the others wait for their calls."""

    def __init__(self, engine: Engine, incoming: int, outgoing: int, stop: asyncio.Event) -> None:
        self._engine = engine
        self._stop = stop
        self._lines = Lines(incoming)
        self._writer = Writer(outgoing, broken=stop.set)
        self._connection = Connection(engine, self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking_lines: asyncio.Task[None] | None = None
        self._answering = False
        self._end_of_input = False

    async def work(self) -> None:
        """Serve until there is a reason to stop, then end what is under way."""
        self._take_over()
        try:
            await self._stop.wait()
            if self._end_of_input:
                await self._wait_for_calls(_GRACE_AT_END_OF_INPUT)
        finally:
            self._take_no_more()
            self._connection.close()
            await self._wait_for_calls(_GRACE_FOR_CLEANUP)
            await self._writer.close(_GRACE_FOR_READING if self._end_of_input else _GRACE_FOR_CLEANUP)

    async def send(self, message: bytes) -> None:
        """Write a message; waits while the client does not read."""
        self._writer.write(message)
        await self._writer.room()

    def deliver(self, message: bytes) -> None:
        """Write a message."""
        self._writer.write(message)

    def outlasts(self, call: Call) -> None:  # noqa: ARG002 - any call is reason enough
        """Let another task take lines, as the one that did is waiting for this call."""
        if self._answering:
            self._take_over()

    def _take_over(self) -> None:
        self._answering = False
        self._taking_lines = task = asyncio.create_task(self._take_lines())
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _take_no_more(self) -> None:
        self._stop.set()
        self._lines.close()
        if self._taking_lines is not None and not self._answering:
            self._taking_lines.cancel()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task is self._taking_lines and not self._stop.is_set():
            # A tool has cancelled the task that it ran in, or there is a mistake of ours: that is one call, not all.
            logger.error("The task that takes lines has ended before its time", exc_info=_error_of(task))
            self._take_over()

    async def _take_lines(self) -> None:
        me = asyncio.current_task()
        in_a_row = 0
        while (line := await self._lines.next()) is not None:
            if self._stop.is_set():
                return
            self._answering = True
            answer = await self._answer(line)
            if answer is not None:
                await self.send(answer)
            if self._taking_lines is not me:
                return
            self._answering = False
            in_a_row = (in_a_row + 1) % _IN_A_ROW
            if in_a_row == 0:
                await asyncio.sleep(0)
        self._end_of_input = True
        self._stop.set()

    async def _answer(self, line: bytes | TooLong) -> bytes | None:
        if isinstance(line, TooLong):
            return failure_bytes(None, invalid_request(f"A message may have {MAX_LINE} bytes at most").failure)
        return await self._connection.receive(line)

    async def _wait_for_calls(self, seconds: float) -> None:
        calls = {task for task in self._tasks if task is not self._taking_lines or self._answering}
        if calls:
            await asyncio.wait(calls, timeout=seconds)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


@contextlib.contextmanager
def _stop_signals(stop: asyncio.Event) -> Generator[None]:
    """Let the first SIGTERM or SIGINT ask for the end; a second one ends the process as it would any other.

    The loop's own handler is installed as well, because it comes with a wake-up: without one, a signal that arrives in
    the moment before the loop begins to wait would be noticed only when the next message comes.
    """
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread, and so to whoever runs there
        return
    before = [signal.getsignal(number) for number in signals]

    def asked(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)

    for number in signals:
        with contextlib.suppress(NotImplementedError):  # Windows, where the loop wakes up for signals without it
            loop.add_signal_handler(number, stop.set)
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
