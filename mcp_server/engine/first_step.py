"""Running a coroutine at once, in the task of whoever asks, for as long as it does not have to wait."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

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
        # From here on this is `yield from work`, which cannot be taken up in the middle of a coroutine.
        while True:
            try:
                try:
                    sent = yield waits_for
                except BaseException as thrown:  # noqa: BLE001 - whatever it is, it is the coroutine's to deal with
                    waits_for = work.throw(thrown)
                else:
                    waits_for = work.send(sent)
            except StopIteration as finished:
                return finished.value
    finally:
        over()
