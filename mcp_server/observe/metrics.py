"""Numbers for `/metrics`: calls and their times, streams, sessions, limits that were hit, keys that were refused.

Off unless enabled: `NoMetrics` is the twin that does nothing, and prometheus-client is imported by `PrometheusMetrics`
alone. Labels are names of ours, never a stranger's (see `Vocabulary`), so that nobody can make the number of series
grow; whatever is not a name of ours is counted under `unknown`.

Several workers count into one directory of memory-mapped files (prometheus-client's multiprocess mode), and any of
them answers for all: the process that starts them calls `share_between_workers` first. Without it each worker would
answer for itself, and a scrape would see another one each time. A process that is alone counts its calls in `tallies`,
at a tenth of the cost.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from mcp_server.observe.records import UNKNOWN, CallRecord, Outcome, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry, Gauge

    _Observe: TypeAlias = Callable[[float], None]
    """Counts a call, given its seconds."""

_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BY_CALL: Final = ("method", "target", "outcome")
_SERIES: Final = 2000
"""How many combinations of method, target and outcome are kept apart."""
_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"


class Metrics(Protocol):
    """What is counted."""

    def called(self, record: CallRecord) -> None:
        """A call has ended."""
        ...

    def stream_opened(self) -> None:
        """An event stream has been opened; `stream_closed` must follow."""
        ...

    def stream_closed(self) -> None:
        """An event stream has been closed."""
        ...

    def task_began(self) -> None:
        """A task is being worked on; `task_ended` must follow."""
        ...

    def task_ended(self) -> None:
        """A task is not worked on any more."""
        ...

    def sessions(self, count: int) -> None:
        """There are now this many sessions."""
        ...

    def limited(self, reason: str) -> None:
        """Somebody was refused by a limit; `reason` names the limit, in a word of ours."""
        ...

    def auth_failed(self, reason: str) -> None:
        """Somebody was refused for want of a good key or token; `reason` is a word of ours."""
        ...

    def render(self) -> tuple[bytes, str]:
        """The body for `/metrics` and its content type."""
        ...

    def close(self) -> None:
        """This process stops counting: its streams and sessions are no more."""
        ...


class NoMetrics:
    """Counts nothing."""

    def called(self, record: CallRecord) -> None:
        """Forget it."""

    def stream_opened(self) -> None:
        """Forget it."""

    def stream_closed(self) -> None:
        """Forget it."""

    def task_began(self) -> None:
        """Forget it."""

    def task_ended(self) -> None:
        """Forget it."""

    def sessions(self, count: int) -> None:
        """Forget it."""

    def limited(self, reason: str) -> None:
        """Forget it."""

    def auth_failed(self, reason: str) -> None:
        """Forget it."""

    def render(self) -> tuple[bytes, str]:
        """Nothing was counted."""
        return b"", "text/plain; charset=utf-8"

    def close(self) -> None:
        """Nothing to stop."""


class PrometheusMetrics:
    """Counts in a registry of its own, so that whatever else the process counts stays apart."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        # The import is what being enabled costs; whoever is not pays nothing.
        from prometheus_client import CollectorRegistry, Counter, Gauge  # noqa: PLC0415

        registry = CollectorRegistry()
        self._vocabulary = vocabulary
        self._registry = registry
        self._observer = _shared_observers(registry) if _DIRECTORY in os.environ else _observers(registry)
        self._streams = _gauge(Gauge, "mcp_open_streams", "Event streams that are open.", registry)
        self._sessions = _gauge(Gauge, "mcp_sessions", "Sessions of clients before 2026-07-28.", registry)
        self._tasks = _gauge(Gauge, "mcp_tasks_running", "Tasks that are being worked on.", registry)
        self._limits = Counter("mcp_limits_hit", "Requests refused by a limit.", ("reason",), registry=registry)
        self._auth_failures = Counter(
            "mcp_auth_failures", "Requests refused for their key or token.", ("reason",), registry=registry
        )
        self._observers: dict[tuple[str, str | None, Outcome], _Observe] = {}

    def called(self, record: CallRecord) -> None:
        """Count a call and its time under its method, target and outcome."""
        observe = self._observers.get((record.method, record.target, record.outcome)) or self._observer_of(record)
        observe(record.milliseconds / 1000)

    def stream_opened(self) -> None:
        """One more event stream."""
        self._streams.inc()

    def stream_closed(self) -> None:
        """One event stream less."""
        self._streams.dec()

    def task_began(self) -> None:
        """One more task."""
        self._tasks.inc()

    def task_ended(self) -> None:
        """One task less."""
        self._tasks.dec()

    def sessions(self, count: int) -> None:
        """So many sessions."""
        self._sessions.set(count)

    def limited(self, reason: str) -> None:
        """Count a refusal by a limit."""
        self._limits.labels(reason).inc()

    def auth_failed(self, reason: str) -> None:
        """Count a refusal for want of a good key."""
        self._auth_failures.labels(reason).inc()

    def render(self) -> tuple[bytes, str]:
        """Everything counted so far, by all workers if they share, in Prometheus' text format."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415 - see __init__

        return generate_latest(self._everyones()), CONTENT_TYPE_LATEST

    def close(self) -> None:
        """Take this worker's streams, sessions and tasks out of the sum; its counters stay."""
        if _DIRECTORY in os.environ:
            from prometheus_client import multiprocess  # noqa: PLC0415 - see __init__

            multiprocess.mark_process_dead(os.getpid())  # pyright: ignore[reportUnknownMemberType] - it has no types

    def _observer_of(self, record: CallRecord) -> _Observe:
        """What observes a call; remembered under names of ours only, and only so many of them."""
        method, target = self._vocabulary.method(record.method), self._vocabulary.target(record.target)
        if len(self._observers) >= _SERIES:
            method, target = UNKNOWN, ""
        observe = self._observer(method, target, record.outcome)
        if (method, target) == (record.method, record.target or ""):
            self._observers[record.method, record.target, record.outcome] = observe
        return observe

    def _everyones(self) -> CollectorRegistry:
        if _DIRECTORY not in os.environ:
            return self._registry
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - see __init__
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415 - see __init__

        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return registry


def share_between_workers(directory: Path) -> None:
    """Have all workers started from now on count into `directory`, which is emptied of earlier counts.

    To be called by the process that starts the workers, before anybody imports prometheus-client: that is when
    prometheus-client decides.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for counts in directory.glob("*.db"):
        counts.unlink()
    os.environ[_DIRECTORY] = str(directory)


def _observers(registry: CollectorRegistry) -> Callable[[str, str, str], _Observe]:
    """Finds what observes the calls of this process, by their labels."""
    from mcp_server.observe.tallies import Tallies  # noqa: PLC0415 - a process that shares has no use for them

    return Tallies(_BY_CALL, _SECONDS, registry).observer


def _shared_observers(registry: CollectorRegistry) -> Callable[[str, str, str], _Observe]:
    """The same where processes count together."""
    from prometheus_client import Counter, Histogram  # noqa: PLC0415 - see PrometheusMetrics

    calls = Counter("mcp_calls", "Calls that have ended.", _BY_CALL, registry=registry)
    times = Histogram(
        "mcp_call_duration_seconds", "How long calls took.", _BY_CALL, buckets=_SECONDS, registry=registry
    )

    def observer(*labels: str) -> _Observe:
        count, time = calls.labels(*labels).inc, times.labels(*labels).observe

        def observe(seconds: float) -> None:
            count()
            time(seconds)

        return observe

    return observer


def _gauge(kind: type[Gauge], name: str, documentation: str, registry: CollectorRegistry) -> Gauge:
    return kind(name, documentation, registry=registry, multiprocess_mode="livesum")
