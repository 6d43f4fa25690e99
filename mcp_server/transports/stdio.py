"""MCP over standard input and output: one JSON message a line, as a child process of its client.

The pieces: a thread that reads and cuts lines, a thread that writes, and between them tasks that answer. One task at a
time takes lines. If its call finishes at once, it takes the next line; if the call has to wait, a new task takes over
the reading and the old one ends with its call. So quick calls cost no task, and a slow one delays nobody.

Threads rather than the event loop's own pipes, because those cannot read files, do not exist on every platform, and
switch the terminal that we share with others to non-blocking mode.

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
import queue
import select
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Final

from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine
from mcp_server.protocol.errors import invalid_request
from mcp_server.protocol.rendering import failure_bytes

logger = logging.getLogger("mcp_server.stdio")

MAX_LINE: Final = 4 * 1024 * 1024
"""The longest message that is read; a longer one is skipped and refused."""

_STANDARD_ERROR: Final = 2
_CHUNK: Final = 256 * 1024
_PIECE: Final = 32 * 1024
"""How much is written at once: a write ends when all of it is in the pipe, and only then is it known to move."""
_MAX_UNREAD: Final = 8 * 1024 * 1024
_WEIGHT_OF_A_LINE: Final = 64
"""What a line takes in memory beside its bytes, so that a million empty objects count for what they are."""
_IN_A_ROW: Final = 64
"""How many calls may be answered at once before deadlines, signals and the calls that wait get their turn."""
_MAX_UNWRITTEN: Final = 16 * 1024 * 1024
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
        self._lines = _Lines(incoming)
        self._writer = _Writer(outgoing, broken=stop.set)
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

    async def _answer(self, line: bytes | _TooLong) -> bytes | None:
        if isinstance(line, _TooLong):
            return failure_bytes(None, invalid_request(f"A message may have {MAX_LINE} bytes at most").failure)
        return await self._connection.receive(line)

    async def _wait_for_calls(self, seconds: float) -> None:
        calls = {task for task in self._tasks if task is not self._taking_lines or self._answering}
        if calls:
            await asyncio.wait(calls, timeout=seconds)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


class _TooLong:
    """Stands in the stream of lines for one that was longer than `MAX_LINE`."""


class _Lines:
    """Lines from a descriptor, read by a thread that pauses until they are taken and while too many are waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes | _TooLong | None] = deque()
        self._arrived = asyncio.Event()
        self._unread = 0
        self._room = threading.Event()
        self._partial = bytearray()
        self._skipping = False
        self._closed = False
        threading.Thread(target=self._read, name="mcp-stdin", daemon=True).start()

    async def next(self) -> bytes | _TooLong | None:
        """The next line that is not empty, or None when there will be no more."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        line = self._waiting.popleft()
        before = self._unread
        self._unread -= _weight(line)
        if self._unread < _MAX_UNREAD <= before:
            self._room.set()
        return line

    def close(self) -> None:
        """Read no more; a thread that is reading at this moment ends with what it gets."""
        self._closed = True
        self._room.set()

    def _read(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody is waiting any more
            while not self._closed and (chunk := self._next_chunk()):
                self._room.clear()
                self._loop.call_soon_threadsafe(self._take, self._cut(chunk))
                self._room.wait()
            rest = [bytes(self._partial)] if self._partial.strip() else []
            self._loop.call_soon_threadsafe(self._take, [*rest, None])

    def _next_chunk(self) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, _CHUNK)
            except BlockingIOError:  # whoever shares the descriptor with us has made it so
                select.select([self._descriptor], [], [])
            except OSError:  # closed under our hands, which is an end like any other
                return b""

    def _cut(self, chunk: bytes) -> list[bytes | _TooLong | None]:
        """The lines that are complete with this chunk; remembers the beginning of the next one."""
        pieces = chunk.split(b"\n")
        lines: list[bytes | _TooLong | None] = []
        for end_of_line in pieces[:-1]:
            self._partial += end_of_line
            if self._skipping:
                self._skipping = False
            elif len(self._partial) > MAX_LINE:
                lines.append(_TooLong())
            elif line := bytes(self._partial).strip():
                lines.append(line)
            self._partial.clear()
        self._partial += pieces[-1]
        if len(self._partial) > MAX_LINE and not self._skipping:
            lines.append(_TooLong())
            self._skipping = True
        if self._skipping:
            self._partial.clear()
        return lines

    def _take(self, lines: Sequence[bytes | _TooLong | None]) -> None:
        self._waiting.extend(lines)
        self._unread += sum(map(_weight, lines))
        if self._unread < _MAX_UNREAD or self._closed:
            self._room.set()
        if lines:
            self._arrived.set()


def _weight(line: bytes | _TooLong | None) -> int:
    return _WEIGHT_OF_A_LINE + len(line) if isinstance(line, bytes) else _WEIGHT_OF_A_LINE


class _Writer:
    """Lines to a descriptor, written by a thread so that a client that does not read stalls nobody but itself.

    To wake the thread costs more than to answer a quick call. So the first message of a turn of the event loop wakes
    it, and those that follow in the same turn are handed over together at its end.
    """

    def __init__(self, descriptor: int, broken: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._turn: list[bytes] | None = None
        self._unwritten = 0
        self._taken = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._closed = asyncio.Event()
        threading.Thread(target=self._run, name="mcp-stdout", daemon=True).start()

    def write(self, message: bytes) -> None:
        """Write a message and its newline, some time soon."""
        self._unwritten += len(message)
        if self._unwritten >= _MAX_UNWRITTEN:
            self._has_room.clear()
        if self._turn is None:
            self._turn = []
            self._queue.put(message)
            self._loop.call_soon(self._end_turn)
        else:
            self._turn.append(message)

    async def room(self) -> None:
        """Wait while the client has too much left to read."""
        await self._has_room.wait()

    async def close(self, seconds: float) -> None:
        """Write what is left, as long as the client takes some of it in each of these spans of time."""
        self._end_turn()
        self._queue.put(None)
        taken = -1
        while not self._closed.is_set() and taken != self._taken:
            taken = self._taken
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), seconds)

    def _end_turn(self) -> None:
        if self._turn:
            self._queue.put(b"\n".join(self._turn))
        self._turn = None

    def _run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody is waiting any more
            try:
                while messages := self._take_all():
                    self._write_all(b"\n".join([*messages, b""]))
                    self._loop.call_soon_threadsafe(self._written, sum(map(len, messages)))
            except OSError as error:
                logger.info("The client has closed its end: %s", error.strerror)
                self._loop.call_soon_threadsafe(self._broken)
            self._loop.call_soon_threadsafe(self._closed.set)

    def _take_all(self) -> list[bytes]:
        """Everything that waits to be written; nothing, when the writer is to end."""
        messages: list[bytes] = []
        message = self._queue.get()
        while message is not None:
            messages.append(message)
            try:
                message = self._queue.get_nowait()
            except queue.Empty:
                return messages
        if messages:
            self._queue.put(None)
        return messages

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                written = os.write(self._descriptor, rest[:_PIECE])
            except BlockingIOError:  # as with the input
                select.select([], [self._descriptor], [])
            else:
                rest = rest[written:]
                self._taken += written

    def _written(self, size: int) -> None:
        self._unwritten -= size
        if self._unwritten < _MAX_UNWRITTEN:
            self._has_room.set()


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
