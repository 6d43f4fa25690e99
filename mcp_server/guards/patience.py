"""Waiting, but not for ever, at next to no cost when there is nothing to wait for.

`asyncio.timeout` sets and cancels a timer of its own each time, several µs, although nearly every body is there
before it is asked for. Here all who wait share one timer: since each may wait equally long, they come due in the order
in which they began, and the timer only ever looks at the oldest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from types import coroutine
from typing import Any, TypeVar

from mcp_server.stepping import going_on

T = TypeVar("T")


class Patience:
    """Gives awaitables `seconds` to finish."""

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            msg = "patience must be positive"
            raise ValueError(msg)
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    # A generator, because it has to look into the first step of the coroutine that it waits for.
    @coroutine
    def wait_for(self, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Await a coroutine, or raise TimeoutError; a cancellation from elsewhere stays one."""
        try:
            waits_for = work.send(None)
        except StopIteration as finished:
            return finished.value
        with self.lasting():
            return (yield from going_on(work, waits_for))

    @contextmanager
    def lasting(self) -> Generator[None]:
        """Interrupt the current task if it is in here for too long, and turn that into TimeoutError."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is run by a task
        loop = task.get_loop()
        self._due[task] = loop.time() + self._seconds
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(self._seconds, self._look, loop)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._late and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            del self._due[task]
            self._late.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Interrupt those who are late; look again when the next is due, unless nobody waits."""
        now = loop.time()
        for task, due in self._due.items():
            if due > now:
                loop.call_at(due, self._look, loop)
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        self._loop = None
