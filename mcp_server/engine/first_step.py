"""Running a coroutine at once, in the task of whoever asks, for as long as it does not have to wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class FirstStep(Awaitable[T]):
    """Awaits a coroutine in the current task; one that is not finished in a first step is `suspended`, and then `over`.

    Of one that does finish at once nothing is told.
    """

    __slots__ = ("_over", "_suspended", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], suspended: Callable[[], None], over: Callable[[], None]) -> None:
        self._work = work
        self._suspended = suspended
        self._over = over

    def __await__(self) -> Generator[Any, Any, T]:
        work = self._work
        try:
            waits_for = work.send(None)
        except StopIteration as finished:
            return finished.value
        self._suspended()
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
            self._over()
