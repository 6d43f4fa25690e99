"""The CPU that this process has used, without the thread that writes the log.

That thread writes the lines of some hundred requests at once, so that one of them would be charged for all. What it
takes for each is measured by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_NAME: Final = "mcp-log"
_writer: list[int] = []
"""The clock of that thread, while there is one."""


def cpu() -> int:
    """Nanoseconds of all threads but that one."""
    return time.process_time_ns() - writer()


def writer() -> int:
    """Nanoseconds of that one."""
    return time.clock_gettime_ns(_writer[0]) if _writer else 0


@contextmanager
def without_the_writer() -> Generator[None]:
    """Leave out the thread that writes the log now, until the context ends."""
    threads = [each.ident for each in threading.enumerate() if each.name == _NAME and each.ident is not None]
    _writer[:] = [time.pthread_getcpuclockid(threads[-1])]
    try:
        yield
    finally:
        _writer.clear()
