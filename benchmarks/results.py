"""What a run has found, the tables that show it, and the goals that it is held against."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal

from benchmarks import stdio
from benchmarks.scenarios import BARE, FASTMCP, FLOOR, OFFICIAL, OURS, Figures
from benchmarks.starts import Imported, Invoked

CALL: Final = "tools/call, 2026-07-28"
_KIB: Final = 1024


@dataclass(slots=True)
class Results:
    """Everything that was measured; what was not, or failed, is missing, and `notes` say why."""

    http: dict[str, dict[str, Figures]] = field(default_factory=dict[str, dict[str, Figures]])
    memory: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    stdio: dict[str, dict[str, stdio.Figures]] = field(default_factory=dict[str, dict[str, stdio.Figures]])
    imports: dict[str, Imported] = field(default_factory=dict[str, Imported])
    lambdas: dict[str, Invoked] = field(default_factory=dict[str, Invoked])
    notes: list[str] = field(default_factory=list[str])

    def as_json(self) -> dict[str, Any]:
        """Everything, with where and when it was measured."""
        return {"machine": machine(), **asdict(self)}


def machine() -> dict[str, str]:
    """Where and when: absolute figures belong to it."""
    found = {"when": datetime.now(UTC).isoformat(timespec="minutes"), "python": platform.python_version()}
    found["system"] = f"{platform.system()} {platform.machine()}"
    for name in ("mcp-server", "mcp", "pydantic", "starlette", "uvicorn", "uvloop", "httptools"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def tables(results: Results) -> Iterator[str]:
    """Every table, in Markdown."""
    for name, figures in results.http.items():
        yield _table(
            name,
            ("", "calls/s", "CPU, µs a call", "p50, ms", "p99, ms", "memory, MB", "CPU : ours"),
            [
                (
                    who,
                    f"{f.per_s:,.0f}",
                    f"{f.cpu_us:,.0f}",
                    f"{f.p50_ms:.2f}",
                    f"{f.p99_ms:.2f}",
                    f"{f.rss_mb:.0f}",
                    ratio,
                )
                for (who, f), ratio in zip(figures.items(), _ratios(figures), strict=True)
            ],
        )
    for name, sizes in results.memory.items():
        yield _table(name, ("", "KiB each"), [(who, f"{size / _KIB:.1f}") for who, size in sizes.items()])
    for name, lives in results.stdio.items():
        yield _table(
            f"stdio, {name}",
            (
                "",
                "spawn → first result, ms",
                "pipelined calls/s",
                "sequential, ms",
                "CPU, µs a call",
                "peak memory, MB",
            ),
            [
                (
                    who,
                    f"{f.first_result_ms:.0f}",
                    f"{f.pipelined_per_s:,.0f}",
                    f"{f.sequential_ms:.2f}",
                    f"{f.cpu_us:.0f}",
                    f"{f.rss_mb:.0f}",
                )
                for who, f in lives.items()
            ],
        )
    if results.imports:
        yield _table(
            "import, with the interpreter",
            ("", "ms", "CPU, ms"),
            [(who, f"{f.wall_ms:.0f}", f"{f.cpu_ms:.0f}") for who, f in results.imports.items()],
        )
    if results.lambdas:
        yield _table(
            "AWS Lambda's handler",
            ("", "import, ms", "first call, ms", "a later call, CPU µs"),
            [
                (
                    who,
                    f"{f.import_ms:.0f}",
                    f"{f.first_ms:.1f}",
                    "it fails" if f.warm_us is None else f"{f.warm_us:,.0f}",
                )
                for who, f in results.lambdas.items()
            ],
        )
    yield _table("goals", ("what", "goal", "found", ""), list(_goals(results)))


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio or a size to be reached: at least, or at most."""

    what: str
    relation: Literal["≥", "≤"]
    bound: float
    found: Callable[[Results], float]

    def row(self, results: Results) -> tuple[str, str, str, str] | None:
        """How it stands, or None if it was not measured."""
        try:
            found = self.found(results)
        except (KeyError, TypeError):
            return None
        reached = found >= self.bound if self.relation == "≥" else found <= self.bound
        return (
            self.what,
            f"{self.relation} {self.bound:g}",
            f"{found:.2f}",
            "reached" if reached else "**not reached**",
        )


def _goals(results: Results) -> Iterator[tuple[str, ...]]:
    for goal in GOALS:
        row = goal.row(results)
        if row is not None:
            yield row


def _http(scenario: str, value: str, ours: str, other: str) -> Callable[[Results], float]:
    def found(results: Results) -> float:
        figures = results.http[scenario]
        return getattr(figures[ours], value) / getattr(figures[other], value)

    return found


def _steady(results: Results) -> float:
    few, many = results.http["tools/call, 10 tools"], results.http["tools/call, 5,000 tools"]
    return abs(many[OURS.name].cpu_us / few[OURS.name].cpu_us - 1)


def _stdio(value: str) -> Callable[[Results], float]:
    def found(results: Results) -> float:
        figures = results.stdio[stdio.MODERN]
        return getattr(figures["ours"], value) / getattr(figures["official SDK"], value)

    return found


def _kib(what: str) -> Callable[[Results], float]:
    return lambda results: results.memory[what][OURS.name] / _KIB


def _warm(results: Results) -> float:
    ours, theirs = results.lambdas["ours"].warm_us, results.lambdas["FastMCP + Mangum"].warm_us
    if ours is None or theirs is None:
        raise KeyError("a later call")
    return ours / theirs


GOALS: Final = (
    Goal("tools/call, 2026-07-28: calls/s : official SDK", "≥", 4, _http(CALL, "per_s", OURS.name, OFFICIAL.name)),
    Goal("tools/call, 2026-07-28: calls/s : FastMCP", "≥", 12, _http(CALL, "per_s", OURS.name, FASTMCP.name)),
    Goal(
        "tools/call, 2025-11-25, no session: calls/s : official SDK",
        "≥",
        12,
        _http("tools/call, 2025-11-25, no session", "per_s", OURS.name, OFFICIAL.name),
    ),
    Goal("CPU a call, everything on : raw ASGI floor", "≤", 2.2, _http(CALL, "cpu_us", OURS.name, FLOOR.name)),
    Goal("CPU a call, everything off : raw ASGI floor", "≤", 1.5, _http(CALL, "cpu_us", BARE.name, FLOOR.name)),
    Goal("p99 : official SDK", "≤", 0.33, _http(CALL, "p99_ms", OURS.name, OFFICIAL.name)),
    Goal(
        "tools/list at 500 tools: calls/s : official SDK",
        "≥",
        20,
        _http("tools/list, 500 tools", "per_s", OURS.name, OFFICIAL.name),
    ),
    Goal("tools/call at 5,000 tools, how much off that at 10 (CPU)", "≤", 0.1, _steady),
    Goal("stdio, pipelined : official SDK", "≥", 20, _stdio("pipelined_per_s")),
    Goal("stdio, spawn → first result : official SDK", "≤", 0.3, _stdio("first_result_ms")),
    Goal("stdio, peak memory : official SDK", "≤", 0.5, _stdio("rss_mb")),
    Goal(
        "import of lambda_handler : official SDK + Mangum",
        "≤",
        0.45,
        lambda found: found.imports["lambda_handler"].cpu_ms / found.imports["official SDK + Mangum"].cpu_ms,
    ),
    Goal("a warm Lambda call : FastMCP + Mangum", "≤", 0.5, _warm),
    Goal("an idle session of 2025-11-25, KiB", "≤", 1, _kib("idle session")),
    Goal("an open listen stream, KiB", "≤", 12, _kib("listen stream")),
    Goal(
        "a result of 1 MiB: CPU : official SDK",
        "≤",
        0.4,
        _http("tools/call, 1 MiB result", "cpu_us", OURS.name, OFFICIAL.name),
    ),
)
"""What issue and design ask for."""


def _ratios(figures: dict[str, Figures]) -> list[str]:
    ours = figures[OURS.name].cpu_us
    return [f"{each.cpu_us / ours:.2f}" for each in figures.values()]


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}"
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"### {title}\n\n{head}\n{body}\n"
