"""Running a coroutine at once, in the task of whoever asks, for as long as it does not have to wait."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

from mcp_server.stepping import going_on

T = TypeVar("T")


# A generator, because it has to look into the first step of the coroutine that it awaits.
@coroutine
def first_step(
    work: Coroutine[Any, Any, T], suspended: Callable[[], None], over: Callable[[], None]
) -> Generator[Any, Any, T]:
    """Await a coroutine in the current task; one that is not finished in a first step is `suspended`, and then `over`.

    Of one that does finish at once nothing is told.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as finished:
        return finished.value
    suspended()
    try:
        return (yield from going_on(work, waits_for))
    finally:
        over()
