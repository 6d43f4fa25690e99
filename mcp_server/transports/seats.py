"""How many event streams may be open at once, and how they are kept alive; each costs memory while it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.types import Scope


def _nothing() -> None: ...


Hold: TypeAlias = Callable[[Scope, Callable[[], None]], Callable[[], None]]
"""Has something called when the token of a request is valid no longer, until what is returned is called."""


class Seats:
    """Counts streams; those beyond the limit are not opened."""

    def __init__(
        self, limit: int, *, opened: Callable[[], None] = _nothing, closed: Callable[[], None] = _nothing
    ) -> None:
        self._free = limit
        self._opened = opened
        self._closed = closed

    def take(self) -> bool:
        """Take a seat, if there is one."""
        if self._free <= 0:
            return False
        self._free -= 1
        self._opened()
        return True

    def leave(self) -> None:
        """Give a seat back."""
        self._free += 1
        self._closed()


@dataclass(frozen=True, slots=True)
class Streaming:
    """The terms on which streams are opened."""

    seats: Seats
    keep_alive: float
    """Seconds of silence after which a comment is sent, so that no proxy takes the stream for dead."""
    lifetime: float
    """Seconds after which a stream of news ends; its client opens a new one."""
    lasting: bool = True
    """Whether a stream can stay open; some hosts send what has been said in one piece, at its end."""
    hold: Hold | None = None
    """Ends streams with the token that opened them, where there are tokens."""

    def held(self, scope: Scope, end: Callable[[], None]) -> Callable[[], None]:
        """Have a stream ended with the token of its request, if it has one; what is returned lets go of it."""
        return _nothing if self.hold is None else self.hold(scope, end)
