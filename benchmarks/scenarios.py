"""What is measured over HTTP: a table of scenarios, and how one of them is run.

Every round runs all subjects of a scenario one after the other, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from benchmarks import questions
from benchmarks.load import Ask, Burst, Check, exchange, press, run
from benchmarks.processes import Server, Servers, Subject
from benchmarks.servers.tools import STEPS

KEY: Final = "a-key-for-benchmarks-of-more-than-32-characters"
KIB: Final = 1024
MANY: Final = 32
"""How many connections ask at once, where each answer is quick."""
FEW: Final = 4
"""How many do where it may not be."""

FLOOR: Final = Subject("raw ASGI floor", "http_floor", "raw")
ROUTE: Final = Subject("Starlette route", "http_floor", "route")
FACE: Final = Subject("ours, protocol only", "http_ours", "face")
BARE: Final = Subject("ours, everything off", "http_ours", "bare")
OURS: Final = Subject("ours, everything on", "http_ours", "everything", KEY)
ADDITIONS: Final = (
    Subject("with a key", "http_ours", "key", KEY),
    Subject("with a limit", "http_ours", "limit"),
    Subject("with a line a call", "http_ours", "log"),
    Subject("with metrics", "http_ours", "metrics"),
)
OFFICIAL: Final = Subject("official SDK", "http_official")
FASTMCP: Final = Subject("FastMCP", "http_fastmcp")

Asks: TypeAlias = Callable[[Server, Subject, int], Coroutine[Any, Any, Sequence[Ask]]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question to several subjects."""

    name: str
    subjects: tuple[Subject, ...]
    asks: Asks
    connections: int = MANY
    quick: bool = True
    """Whether it belongs to a quick run."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The medians of a subject's rounds."""

    per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long."""

    rounds: int
    seconds: float
    warm_up: float

    @property
    def each(self) -> float:
        """The seconds that one subject takes in one scenario, roughly."""
        return self.warm_up + self.rounds * self.seconds + 0.5


@dataclass(frozen=True, slots=True)
class Group:
    """Scenarios that can share servers, because these have the same number of tools."""

    tools: int
    scenarios: tuple[Scenario, ...]


def measure(scenario: Scenario, servers: Servers, pace: Pace) -> dict[str, Figures]:
    """The figures of every subject; raises `WrongAnswer` if one of them answers wrongly."""
    rounds: dict[Subject, list[Figures]] = {subject: [] for subject in scenario.subjects}
    prepared: list[tuple[Subject, Server, Sequence[Ask]]] = []
    for subject in scenario.subjects:
        server = servers.of(subject)
        asks = run(scenario.asks(server, subject, scenario.connections))
        run(press(server.port, asks, pace.warm_up))
        prepared.append((subject, server, asks))
    for _ in range(pace.rounds):
        for subject, server, asks in prepared:
            before = server.cpu
            burst: Burst = run(press(server.port, asks, pace.seconds))
            rounds[subject].append(_figures(burst, server.cpu - before, server.memory))
    return {subject.name: _median(figures) for subject, figures in rounds.items()}


def groups(fastmcp: str | None) -> Iterator[Group]:
    """Every scenario; FastMCP takes part if there is a Python that has it."""
    peers = (OFFICIAL, *_with(FASTMCP, fastmcp))
    sessions = (in_mode(OFFICIAL, "sessions"), *_with(in_mode(FASTMCP, "sessions"), fastmcp))
    events = (in_mode(OFFICIAL, "events"), *_with(in_mode(FASTMCP, "events"), fastmcp))
    yield Group(
        10,
        (
            Scenario("tools/call, 2026-07-28", (FLOOR, ROUTE, FACE, BARE, OURS, *peers), _modern_call),
            Scenario("tools/call, 2025-11-25, no session", (BARE, OURS, *peers), _older_call),
            Scenario("tools/call, 2025-11-25, session", (BARE, OURS, *sessions), _session_call, quick=False),
            Scenario("tools/call, what each addition costs", (BARE, *ADDITIONS, OURS), _modern_call, quick=False),
            Scenario("action face", (BARE, OURS), _action),
            Scenario("tools/call, sync tool", (BARE, OURS, *peers), _threaded, quick=False),
            Scenario("tools/call, 10 KiB result", (FLOOR, OURS, *peers), _blob(10 * KIB), quick=False),
            Scenario("tools/call, 1 MiB result", (FLOOR, OURS, *peers), _blob(KIB * KIB), FEW),
            Scenario("tools/call, 10,000 rows", (FLOOR, OURS, *peers), _rows(10_000), FEW, quick=False),
            Scenario("events with progress", (BARE, OURS, *events), _progress, quick=False),
        ),
    )
    for count in (10, 100, 500, 5000):
        quick = count == 500
        # With five thousand tools, some take seconds for a single answer.
        connections = FEW if count < 5000 else FEW // 2
        who = (OURS, *peers)
        yield Group(
            count,
            (
                Scenario(f"tools/list, {count:,} tools", who, _list(count), connections, quick),
                Scenario(f"tools/call, {count:,} tools", who, _modern_call, connections, quick),
            ),
        )


def in_mode(subject: Subject, mode: str) -> Subject:
    """The same subject, run otherwise."""
    return Subject(subject.name, subject.module, mode, subject.key, subject.python)


def _with(subject: Subject, python: str | None) -> tuple[Subject, ...]:
    return () if python is None else (Subject(subject.name, subject.module, subject.mode, subject.key, python),)


async def _modern_call(_: Server, subject: Subject, count: int) -> list[Ask]:
    return [
        questions.modern(number, "tools/call", questions.addition(number), questions.sum_is(number + 1), subject.key)
        for number in range(count)
    ]


async def _older_call(_: Server, subject: Subject, count: int) -> list[Ask]:
    return [
        questions.older(number, "tools/call", questions.addition(number), questions.sum_is(number + 1), subject.key)
        for number in range(count)
    ]


async def _session_call(server: Server, subject: Subject, count: int) -> list[Ask]:
    asks: list[Ask] = []
    for number in range(count):
        headers = await exchange(server.port, questions.initialize(subject.key))
        params, right = questions.addition(number), questions.sum_is(number + 1)
        asks.append(
            questions.older(number, "tools/call", params, right, subject.key, session=headers["mcp-session-id"])
        )
    return asks


async def _action(_: Server, subject: Subject, count: int) -> list[Ask]:
    return [
        questions.ask(
            {"action": "call_tool", **questions.addition(number)},
            questions.sum_is(number + 1),
            authorization=questions.bearer(subject.key),
        )
        for number in range(count)
    ]


async def _threaded(_: Server, subject: Subject, count: int) -> list[Ask]:
    return [
        questions.modern(
            number,
            "tools/call",
            {**questions.addition(number), "name": "add_in_thread"},
            questions.sum_is(number + 1),
            subject.key,
        )
        for number in range(count)
    ]


def _blob(size: int) -> Asks:
    params = {"name": "blob", "arguments": {"size": size}}
    return _the_same("tools/call", params, questions.text_has(size))


def _rows(count: int) -> Asks:
    params = {"name": "rows", "arguments": {"count": count}}
    return _the_same("tools/call", params, questions.rows_are(count))


def _list(count: int) -> Asks:
    return _the_same("tools/list", {}, questions.tools_are(count))


async def _progress(_: Server, subject: Subject, count: int) -> list[Ask]:
    return [
        questions.modern(
            number,
            "tools/call",
            {"name": "report", "arguments": {}, "_meta": {"progressToken": number}},
            questions.events_are(STEPS),
            subject.key,
        )
        for number in range(count)
    ]


def _the_same(method: str, params: Mapping[str, object], is_right: Check) -> Asks:
    async def asks(_: Server, subject: Subject, count: int) -> list[Ask]:
        return [questions.modern(number, method, params, is_right, subject.key) for number in range(count)]

    return asks


def _figures(burst: Burst, cpu: float, memory: int) -> Figures:
    latencies, count = sorted(burst.latencies), len(burst.latencies)
    return Figures(
        per_s=count / burst.elapsed,
        cpu_us=cpu / count * 1e6,
        p50_ms=latencies[count // 2] * 1e3,
        p99_ms=latencies[min(count - 1, count * 99 // 100)] * 1e3,
        rss_mb=memory / 1e6,
    )


def _median(rounds: Sequence[Figures]) -> Figures:
    return Figures(
        per_s=statistics.median(each.per_s for each in rounds),
        cpu_us=statistics.median(each.cpu_us for each in rounds),
        p50_ms=statistics.median(each.p50_ms for each in rounds),
        p99_ms=statistics.median(each.p99_ms for each in rounds),
        rss_mb=statistics.median(each.rss_mb for each in rounds),
    )
