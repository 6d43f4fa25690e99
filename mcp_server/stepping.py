"""Going on with a coroutine whose first step has been taken by hand, which `await` cannot.

Most of what is awaited here is finished after its first step. Whoever takes that step by hand knows whether it was, and
spends nothing on waiting where there is nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def going_on(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """The rest of a coroutine that has said what it waits for; what `yield from` does, from the second step on."""
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
