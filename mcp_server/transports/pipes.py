"""Lines in and lines out of two descriptors, each by a thread of its own.

Threads rather than the event loop's own pipes, because those cannot read files, do not exist on every platform, and
switch the terminal that we share with others to non-blocking mode.

Both sides are bounded: what has been read and is not taken yet, and what has been said and is not written yet. Nothing
here knows what a line means.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

logger = logging.getLogger("mcp_server.stdio")

MAX_LINE: Final = 4 * 1024 * 1024
"""The longest message that is read; a longer one is skipped and refused."""

_CHUNK: Final = 256 * 1024
_PIECE: Final = 32 * 1024
"""How much is written at once: a write ends when all of it is in the pipe, and only then is it known to move."""
_MAX_UNREAD: Final = 8 * 1024 * 1024
_WEIGHT_OF_A_LINE: Final = 64
"""What a line takes in memory beside its bytes, so that a million empty objects count for what they are."""
_MAX_UNWRITTEN: Final = 16 * 1024 * 1024


class TooLong:
    """Stands in the stream of lines for one that was longer than `MAX_LINE`."""


class Lines:
    """Lines from a descriptor, read by a thread that pauses until they are taken and while too many are waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes | TooLong | None] = deque()
        self._arrived = asyncio.Event()
        self._unread = 0
        self._room = threading.Event()
        self._partial = bytearray()
        self._skipping = False
        self._closed = False
        threading.Thread(target=self._read, name="mcp-stdin", daemon=True).start()

    async def next(self) -> bytes | TooLong | None:
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

    def _cut(self, chunk: bytes) -> list[bytes | TooLong | None]:
        """The lines that are complete with this chunk; remembers the beginning of the next one."""
        pieces = chunk.split(b"\n")
        lines: list[bytes | TooLong | None] = []
        for end_of_line in pieces[:-1]:
            self._partial += end_of_line
            if self._skipping:
                self._skipping = False
            elif len(self._partial) > MAX_LINE:
                lines.append(TooLong())
            elif line := bytes(self._partial).strip():
                lines.append(line)
            self._partial.clear()
        self._partial += pieces[-1]
        if len(self._partial) > MAX_LINE and not self._skipping:
            lines.append(TooLong())
            self._skipping = True
        if self._skipping:
            self._partial.clear()
        return lines

    def _take(self, lines: Sequence[bytes | TooLong | None]) -> None:
        self._waiting.extend(lines)
        self._unread += sum(map(_weight, lines))
        if self._unread < _MAX_UNREAD or self._closed:
            self._room.set()
        if lines:
            self._arrived.set()


def _weight(line: bytes | TooLong | None) -> int:
    return _WEIGHT_OF_A_LINE + len(line) if isinstance(line, bytes) else _WEIGHT_OF_A_LINE


class Writer:
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
