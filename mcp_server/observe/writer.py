"""Lines on their way out: whoever logs never waits for whoever reads.

A host that starts us over stdio may never read our standard error, and a pipe that nobody reads holds 64 KiB: the
next line written to it would stop the server for good. So a line is only put into a queue, which a thread empties
every `tick` seconds, sooner when many lines wait or one matters. The thread sleeps while there is nothing to write, and
when it is awake it does hardly any Python: two threads that want the interpreter at the same time pay for it, most of
all on two cores.

What that costs: a process that is killed loses the last tick of its log. What is bounded: the queue. When it is full,
lines are lost and counted, and the count is logged once the reader is back. `flush` waits, but never for long; it is
called at exit, and by whoever freezes the process (AWS Lambda).

Knows nothing of records and levels: it is given a value and the function that makes text of it.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol, TextIO, TypeAlias, TypeVar

T = TypeVar("T")

logger = logging.getLogger("mcp_server.log")

_Entry: TypeAlias = "str | threading.Event"

_PATIENCE: Final = 0.2
"""How long a flush waits by default: twice that must pass unnoticed when a process ends."""


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: memoryview, /) -> int | None:
        """Take some of the data and say how much; None if it would have to wait."""
        ...


class Outlet:
    """A stream that takes any text, in UTF-8 whatever the locale, and never raises."""

    def __init__(self, stream: TextIO | None) -> None:
        self._sink = _sink_of(stream)
        self._torn = False

    def write(self, text: str) -> bool:
        """Write it all, unbuffered; false if the stream is closed, full or without a reader."""
        data = text.encode("utf-8", "backslashreplace")
        # A line cut short by an earlier failure must not swallow the one that follows it.
        left = memoryview(b"\n" + data if self._torn else data)
        size = len(left)
        with suppress(OSError, ValueError):
            while left and (taken := self._sink.write(left)):
                left = left[taken:]
        if len(left) < size:
            self._torn = bool(left)
        return not left


class LineWriter:
    """A bounded queue of lines and the thread that writes them to an outlet."""

    def __init__(self, outlet: Outlet, *, tick: float = 0.2, capacity: int = 8192) -> None:
        self._outlet = outlet
        self._tick = tick
        self._capacity = capacity
        self._many = capacity // 4
        self._begin()
        atexit.register(self.flush)
        if sys.platform != "win32":  # pragma: no branch - there is no fork on Windows
            # The child of a fork has no thread, and must not write what its parent is about to.
            os.register_at_fork(after_in_child=self._begin)

    def put(self, render: Callable[[T], str], value: T) -> None:
        """Have `render(value)` written soon."""
        waiting = len(self._queue)
        if waiting >= self._capacity:
            # Threads that lose a line at the same moment may count one: this is a hint, not a ledger.
            self._lost += 1
            return
        self._queue.append(_text_of(render, value))
        if self._asleep:
            self._wake()
        elif waiting == self._many:
            self.hasten()

    def hasten(self) -> None:
        """Do not wait for the tick."""
        if self._bell.empty():
            self._bell.put(None)

    def flush(self, patience: float = _PATIENCE) -> bool:
        """Wait until everything put so far is written; false if nobody reads it in time."""
        if self._thread is None:
            return True
        written = threading.Event()
        self._queue.append(written)
        self._wake()
        self.hasten()
        return written.wait(patience)

    def close(self, patience: float = _PATIENCE) -> None:
        """Flush, and let the thread go; a line put later starts another."""
        atexit.unregister(self.flush)
        thread = self._thread
        if thread is None:
            return
        self.flush(patience)
        self._closing = True
        self._queue.append(threading.Event())
        self._wake()
        self.hasten()
        thread.join(patience)
        if not thread.is_alive():
            self._thread = None
            self._asleep = True

    def _begin(self) -> None:
        # All of these may be used by a signal handler that interrupted another use of them.
        self._queue: deque[_Entry] = deque()
        self._alarm: SimpleQueue[None] = SimpleQueue()
        """Ends the thread's sleep."""
        self._bell: SimpleQueue[None] = SimpleQueue()
        """Ends its waiting for further lines."""
        self._asleep = True
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._lost = 0

    def _wake(self) -> None:
        if self._thread is None:
            self._start()
        else:
            self._asleep = False
            self._alarm.put(None)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._closing = False
                thread = threading.Thread(target=self._run, name="mcp-log", daemon=True)
                # An interpreter on its way out starts no threads; what is logged then is lost.
                with suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while not self._closing:
            self._sleep()
            with suppress(Empty):
                self._bell.get(timeout=self._tick)
            self._empty()

    def _sleep(self) -> None:
        """Until there is something to write."""
        while True:
            # Said before each look: whoever puts a line after the look finds that it has somebody to wake. Somebody
            # whose line has been written already may wake us too.
            self._asleep = True
            if self._queue:
                break
            self._alarm.get()
        self._asleep = False

    def _empty(self) -> None:
        take = self._queue.popleft
        while waiting := len(self._queue):
            lines: list[str] = []
            for entry in [take() for _ in range(waiting)]:
                if isinstance(entry, str):
                    lines.append(entry)
                else:
                    self._write(lines)
                    entry.set()
            self._write(lines)

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        if not self._outlet.write("".join(lines)):
            self._lost += len(lines)
        elif self._lost:
            lost, self._lost = self._lost, 0
            logger.warning("%d log lines were lost: the disk was full, or nobody read the earlier ones", lost)
        lines.clear()


def _text_of(render: Callable[[Any], str], value: Any) -> str:
    try:
        return render(value)
    except Exception as fault:  # noqa: BLE001 - one line that cannot be made must not end the log
        return f"(a log line could not be written: {type(fault).__name__})\n"


class _Nowhere:
    """What a process without standard error has instead."""

    def write(self, _: memoryview, /) -> int | None:
        """Take nothing."""
        return None


class _Text:
    """A stream that takes text only, as a test's stand-in for standard error does."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, data: memoryview, /) -> int | None:
        """Take everything."""
        self._stream.write(str(data, "utf-8"))
        return len(data)


def _sink_of(stream: TextIO | None) -> Sink:
    """The end of the stream that is neither buffered nor encoded: bytes that cannot be written must not stay in it."""
    if stream is None:
        return _Nowhere()
    with suppress(OSError, ValueError):
        stream.flush()
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        return _Text(stream)
    return getattr(buffer, "raw", buffer)
