"""The calls of one process, counted in plain numbers.

prometheus-client takes a lock for each number it changes, and a call changes four. Here nothing waits: calls end on the
event loop, one after the other. They are collected in another thread, which may miss the newest call. Where processes
count together, prometheus-client's own counters do (see `metrics`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


class Tallies:
    """How many calls have ended under which labels, and how long they took, for prometheus-client to collect."""

    def __init__(self, labels: Sequence[str], buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._labels = labels
        self._bounds = (*buckets, float("inf"))
        self._names = (*map(str, buckets), "+Inf")
        self._tallies: dict[tuple[str, ...], _Tally] = {}
        registry.register(self)  # pyright: ignore[reportArgumentType] - it asks for nothing but `collect`

    def observer(self, *labels: str) -> Callable[[float], None]:
        """What counts a call under these labels, given its seconds."""
        tally = self._tallies.get(labels)
        if tally is None:
            tally = self._tallies[labels] = _Tally(self._bounds)
        return tally.add

    def collect(self) -> Iterator[Metric]:
        """Everything counted so far."""
        # Whoever collects has imported it.
        from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415

        calls = CounterMetricFamily("mcp_calls", "Calls that have ended.", labels=self._labels)
        seconds = HistogramMetricFamily("mcp_call_duration_seconds", "How long calls took.", labels=self._labels)
        # A copy, which no thread gets between: the first call of another tool may end meanwhile.
        for labels, tally in self._tallies.copy().items():
            counts = list(accumulate(tally.counts))
            calls.add_metric(labels, counts[-1])
            seconds.add_metric(labels, list(zip(self._names, counts, strict=True)), tally.seconds)
        yield calls
        yield seconds


class _Tally:
    """The calls under the same labels: how many in each bucket, and their seconds together."""

    __slots__ = ("_bounds", "counts", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * len(bounds)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.seconds += seconds
