"""Counters of sliding windows in the memory of this process.

Own code because the memory storage of `limits` starts a task for every hit that looks through all keys: 30 µs with one
key, 1.5 ms with ten thousand, which turns a flood of addresses into a standstill. Here a hit costs the same however
many keys there are, and a window that has passed is dropped whole.

At most `max_keys` keys are kept for each length of window (twice: the window before is kept too). Beyond that, the key
that has been silent longest is forgotten and would start afresh: memory is bounded, nobody else is refused for a
flood, and somebody who is being refused keeps their count by asking again.

The clock is not that of the day: one that is set back by hours would keep everybody in the same window for as long.

Each worker process counts for itself; `shared.SharedWindows` counts for all.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from mcp_server.guards.rates import Rate, Verdict, weigh


class Windows(Protocol):
    """Where hits are counted. Neither raises, nor waits for long."""

    async def take(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Count a hit if the rate allows it."""
        ...

    async def look(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Judge a hit without counting it."""
        ...


class _Span:
    """The current and the previous window of one length, and when the current one ends."""

    __slots__ = ("_window", "current", "ends", "previous")

    def __init__(self, window: int) -> None:
        self._window = window
        self.ends = 0
        self.current: OrderedDict[str, int] = OrderedDict()
        self.previous: OrderedDict[str, int] = OrderedDict()

    def move_to(self, now: float) -> None:
        ends = (int(now // self._window) + 1) * self._window
        self.previous = self.current if ends == self.ends + self._window else OrderedDict()
        self.current = OrderedDict()
        self.ends = ends


class MemoryWindows:
    """Counts in this process, for an event loop and for threads alike."""

    def __init__(self, *, max_keys: int = 50_000, clock: Callable[[], float] = time.monotonic) -> None:
        if max_keys < 1:
            msg = "max_keys must be positive"
            raise ValueError(msg)
        self._max_keys = max_keys
        self._clock = clock
        self._spans: dict[int, _Span] = {}
        self._lock = threading.Lock()
        self.forgotten = 0

    async def take(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Count a hit if the rate allows it."""
        return self.take_now(rate, key, cost)

    async def look(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Judge a hit without counting it."""
        return self.look_now(rate, key, cost)

    def take_now(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Count a hit, without an event loop."""
        with self._lock:
            span, left = self._span(rate.window)
            counts = span.current
            current = counts.pop(key, 0)
            verdict = weigh(rate, cost, span.previous.get(key, 0), current, left)
            # Put back at the young end, refused or not.
            counts[key] = current + cost if verdict.allowed else current
            if len(counts) > self._max_keys:
                counts.popitem(last=False)
                self.forgotten += 1
        return verdict

    def look_now(self, rate: Rate, key: str, cost: int) -> Verdict:
        """Judge a hit without counting it or an event loop."""
        with self._lock:
            span, left = self._span(rate.window)
            return weigh(rate, cost, span.previous.get(key, 0), span.current.get(key, 0), left)

    def __len__(self) -> int:
        return sum(len(span.current) + len(span.previous) for span in self._spans.values())

    def _span(self, window: int) -> tuple[_Span, float]:
        """The windows of this length, and how long the current one still lasts."""
        now = self._clock()
        span = self._spans.get(window)
        if span is None:
            span = self._spans[window] = _Span(window)
        left = span.ends - now
        if left <= 0:
            span.move_to(now)
            left = span.ends - now
        return span, min(window, left)
