"""Bar charts as SVG, light or dark as the reader's page is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from benchmarks import stdio
from benchmarks.results import CALL, Results

WIDTH: Final = 720
_LABELS: Final = 200
_FIGURES: Final = 90
_ROW: Final = 34
_TOP: Final = 64
_STYLE: Final = """
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 17px; font-weight: 600 }
  .unit { fill: #59636e }
  rect { fill: #b6c0cb }
  .ours { fill: #1f7a4d }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .unit { fill: #9198a1 }
    rect { fill: #4b5663 }
    .ours { fill: #3fb950 }
  }
"""


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure of several subjects; `file` is its name in the directory of plots."""

    file: str
    title: str
    unit: str
    values: Callable[[Results], Mapping[str, float]]


CHARTS: Final = (
    Chart(
        "calls.svg",
        "A small tool called over HTTP",
        "calls a second; more is better",
        lambda found: _http(found, "per_s"),
    ),
    Chart("cpu.svg", "CPU for one call over HTTP", "µs; less is better", lambda found: _http(found, "cpu_us")),
    Chart(
        "p99.svg",
        "The slowest of a hundred calls, 32 at once",
        "ms; less is better",
        lambda found: _http(found, "p99_ms"),
    ),
    Chart(
        "tools-list.svg",
        "A list of 500 tools",
        "lists a second; more is better",
        lambda found: {name: each.per_s for name, each in found.http["tools/list, 500 tools"].items()},
    ),
    Chart(
        "stdio.svg",
        "Pipelined calls over stdio",
        "calls a second; more is better",
        lambda found: {name: each.pipelined_per_s for name, each in found.stdio[stdio.MODERN].items()},
    ),
    Chart(
        "spawn.svg",
        "From the start of a process to its first result",
        "ms; less is better",
        lambda found: {name: each.first_result_ms for name, each in found.stdio[stdio.MODERN].items()},
    ),
)


def draw(results: Results, directory: Path) -> Iterator[Path]:
    """Write every chart whose figures were measured; yields the files."""
    directory.mkdir(parents=True, exist_ok=True)
    for chart in CHARTS:
        try:
            values = chart.values(results)
        except KeyError:
            continue
        path = directory / chart.file
        path.write_text(svg(chart.title, chart.unit, values), encoding="utf-8")
        yield path


def svg(title: str, unit: str, values: Mapping[str, float]) -> str:
    """A chart with one bar a value; the bars of ours stand out."""
    scale = (WIDTH - _LABELS - _FIGURES) / max(values.values())
    height = _TOP + _ROW * len(values) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="24">{escape(title)}</text>',
        f'<text class="unit" x="8" y="46">{escape(unit)}</text>',
    ]
    for row, (name, value) in enumerate(values.items()):
        y, length = _TOP + row * _ROW, max(1.0, value * scale)
        kind = ' class="ours"' if name.startswith("ours") else ""
        lines += [
            f'<text x="{_LABELS - 12}" y="{y + 18}" text-anchor="end">{escape(name)}</text>',
            f'<rect{kind} x="{_LABELS}" y="{y}" width="{length:.1f}" height="24" rx="3"/>',
            f'<text x="{_LABELS + length + 8:.1f}" y="{y + 18}">{_short(value)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _http(results: Results, value: str) -> dict[str, float]:
    return {name: getattr(figures, value) for name, figures in results.http[CALL].items()}


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
