"""What was found, and the tables that show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.oauth.leftovers import Leftovers
from benchmarks.oauth.logins import AT_ONCE, Logins
from benchmarks.oauth.revocation import Delays
from benchmarks.oauth.spread import Spread

_STEPS: Final = ("register", "authorize", "consent page", "decision", "token", "refresh", "sign-in")
_KIB: Final = 1024


@dataclass(slots=True)
class Found:
    """What was found with one store."""

    logins: Logins = field(default_factory=Logins)
    with_a_key: Spread = field(default_factory=Spread)
    calls: dict[int, Spread] = field(default_factory=dict[int, Spread])
    """A whole tools/call, by the delay of revocations."""
    checks: dict[int, Spread] = field(default_factory=dict[int, Spread])
    """The check alone, likewise."""
    delays: dict[int, Delays] = field(default_factory=dict[int, Delays])
    log_us: float = 0.0
    """What the thread that writes the log takes for a call, microseconds; it is in none of the others."""
    leftovers: Leftovers | None = None


def tables(results: Mapping[str, Found]) -> Iterator[str]:
    """Every table, in Markdown."""
    yield _table(
        "Logins",
        ("logins", "one by one, /s", f"{AT_ONCE} at once, /s", "CPU, µs, median", "p99", "bytes in the store, each"),
        {
            name: (
                f"{found.logins.count:,}",
                f"{found.logins.one_by_one_per_s:,.0f}",
                f"{found.logins.at_once_per_s:,.0f}",
                *_two(found.logins.cpu),
                f"{found.logins.bytes_each:,.0f}",
            )
            for name, found in results.items()
        },
    )
    yield _table(
        "Each step, CPU, µs, mean",
        _STEPS,
        {
            name: tuple(f"{found.logins.steps.get(step, Spread()).mean:,.0f}" for step in _STEPS)
            for name, found in results.items()
        },
    )
    delays = sorted({delay for found in results.values() for delay in found.calls}, reverse=True)
    for delay in delays:
        yield _table(
            f"Token checks, OAUTH_REVOCATION_DELAY={delay}, CPU, µs",
            ("checks", "alone, median", "p99", "tools/call, median", "p99", "tools/call with a key, median", "p99"),
            {
                name: (
                    f"{found.calls[delay].count:,}",
                    *_two(found.checks[delay]),
                    *_two(found.calls[delay]),
                    *_two(found.with_a_key),
                )
                for name, found in results.items()
            },
        )
    yield "\n".join(f"{name}: the log takes {found.log_us:.1f} µs a call." for name, found in results.items()) + "\n"
    yield _table(
        "From a revocation to the first refusal in another process, ms",
        tuple(f"OAUTH_REVOCATION_DELAY={delay}, {which}" for delay in delays for which in ("shortest", "longest")),
        {
            name: tuple(
                f"{value:,.1f}"
                for delay in delays
                for value in (found.delays[delay].shortest, found.delays[delay].longest)
            )
            for name, found in results.items()
        },
    )
    yield _table(
        "Those who never come back, KiB",
        ("clients and requests", "store empty", "with them", "swept", "with as many again", "records swept"),
        {name: _left(found.leftovers) for name, found in results.items() if found.leftovers is not None},
    )


def _left(found: Leftovers) -> tuple[str, ...]:
    sizes = (found.empty, found.full, found.swept, found.full_again)
    return (f"{found.count:,}", *(f"{size / _KIB:,.0f}" for size in sizes), f"{found.swept_records:,}")


def _two(spread: Spread) -> tuple[str, str]:
    return f"{spread.median:,.0f}", f"{spread.p99:,.0f}"


def _table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    head = f"| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}"
    body = "\n".join(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())
    return f"### {title}\n\n{head}\n{body}\n"
