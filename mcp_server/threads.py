"""Worker threads for functions that may block.

Daemon threads, unlike those of the standard library's executors: a function that never returns must not keep the
process alive after everybody has left. A thread cannot be stopped, so a call that is given up leaves its thread
behind; it counts against the limit until the function returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

_Job: TypeAlias = "tuple[Callable[[], Any], asyncio.Future[Any]]"


class Threads:
    """At most `limit` threads, started when first needed; work beyond that waits for one to be free."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._idle = 0

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in a thread, with the context variables of the caller."""
        context = contextvars.copy_context()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((lambda: context.run(function), future))
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif self._started < self._limit:
                self._started += 1
                threading.Thread(target=self._work, name=f"mcp-tool-{self._started}", daemon=True).start()
        return await future

    def _work(self) -> None:
        while True:
            # In no variable, where it would live on while its thread waits for the next one.
            _run(*self._jobs.get())
            with self._lock:
                self._idle += 1


def _run(function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
    if future.cancelled():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the one who waits
        outcome, value = future.set_exception, _carried(error)
    else:
        outcome, value = future.set_result, result

    def settle() -> None:
        if not future.done():
            outcome(value)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        future.get_loop().call_soon_threadsafe(settle)


def _carried(error: BaseException) -> BaseException:
    """A future refuses to carry StopIteration; what is no `Exception` would end the loop or pass for a cancellation."""
    if isinstance(error, StopIteration) or not isinstance(error, Exception):
        carrier = RuntimeError(f"the function raised {type(error).__name__}")
        carrier.__cause__ = error
        return carrier
    return error
