"""Measure everything beside everybody, in one run: `python -m benchmarks`.

Servers are pinned to one core and the load to another. A full run takes some five minutes, `--quick` less than one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import memory, stdio
from benchmarks.load import WrongAnswer
from benchmarks.peers import NotInstalled, fastmcp_python
from benchmarks.plots import draw
from benchmarks.processes import Cores, Server, Servers, Subject, allow_many_files
from benchmarks.results import Results, tables
from benchmarks.scenarios import FASTMCP, FLOOR, OFFICIAL, OURS, Group, Pace, Scenario, groups, in_mode, measure
from benchmarks.starts import imports, lambdas

FULL = Pace(rounds=5, seconds=0.4, warm_up=0.2)
QUICK = Pace(rounds=1, seconds=0.25, warm_up=0.1)


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be measured, and how many seconds it will take, roughly."""

    name: str
    seconds: float
    run: Callable[[Results], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How this run is made."""

    quick: bool
    fastmcp: str | None
    cores: Cores

    @property
    def pace(self) -> Pace:
        return QUICK if self.quick else FULL

    def steps(self, only: str | None) -> Iterator[Step]:
        """Everything to be done whose name has `only` in it."""
        for step in self._steps(only):
            if only is None or only in step.name:
                yield step

    def _steps(self, only: str | None) -> Iterator[Step]:
        for group in groups(self.fastmcp):
            wanted = [each for each in group.scenarios if (each.quick or not self.quick) and (only or "") in each.name]
            if wanted:
                # All of a group's scenarios are one step, as they share their servers.
                yield from self._group(replace(group, scenarios=tuple(wanted)))
        yield Step("memory", 6 if self.quick else 25, self._memory)
        for version in (stdio.MODERN, stdio.HANDSHAKE):
            if version == stdio.MODERN or not self.quick:
                yield Step(f"stdio, {version}", 5 if self.quick else 30, self._stdio(version))
        rounds = 1 if self.quick else 3
        yield Step("import", 6.0 * (rounds + (not self.quick)), self._imports(rounds))
        yield Step("lambda", 7.0 * rounds, lambda found: found.lambdas.update(lambdas(self.fastmcp, rounds)))

    def _imports(self, rounds: int) -> Callable[[Results], None]:
        def run(found: Results) -> None:
            found.imports.update(imports(self.fastmcp, rounds, warm_up=not self.quick))

        return run

    def _group(self, group: Group) -> Iterator[Step]:
        servers = Servers(self.cores, group.tools)
        try:
            for scenario in group.scenarios:
                yield Step(scenario.name, self.pace.each * len(scenario.subjects), self._scenario(scenario, servers))
        finally:
            servers.stop()

    def _scenario(self, scenario: Scenario, servers: Servers) -> Callable[[Results], None]:
        def run(found: Results) -> None:
            found.http[scenario.name] = measure(scenario, servers, self.pace)

        return run

    def _memory(self, found: Results) -> None:
        official, events = in_mode(OFFICIAL, "sessions"), in_mode(OFFICIAL, "events")
        fastmcp = [] if self.fastmcp is None else [replace(FASTMCP, python=self.fastmcp, mode="sessions")]
        kinds: list[tuple[str, Callable[[Server, str | None], float], Sequence[Subject]]] = [
            ("idle session", memory.bytes_per_session, [OURS, official, *fastmcp]),
            ("listen stream", memory.bytes_per_stream, [OURS, events]),
            ("connection that is kept open", memory.bytes_per_connection, [FLOOR, OURS, OFFICIAL]),
        ]
        for what, ask, subjects in kinds:
            for subject in [OURS] if self.quick else subjects:
                # A server of its own, whose memory nobody has used before.
                with Servers(self.cores, 10) as servers:
                    size = ask(servers.of(subject), subject.key)
                    found.memory.setdefault(what, {})[subject.name] = size

    def _stdio(self, version: str) -> Callable[[Results], None]:
        subjects = [
            stdio.Subject("floor", "floor.py", 20_000),
            stdio.Subject("ours", "ours.py", 10_000),
            stdio.Subject("official SDK", "official.py", 1000),
        ]
        if self.fastmcp is not None and not self.quick:
            subjects.append(stdio.Subject("FastMCP", "with_fastmcp.py", 700, self.fastmcp))
        starts, rounds = (1, 1) if self.quick else (stdio.STARTS, stdio.ROUNDS)

        def run(found: Results) -> None:
            found.stdio[version] = stdio.measure(subjects, version, starts=starts, rounds=rounds)

        return run


def main() -> None:
    """Run, show, and write what was asked for."""
    options = _options()
    cores = Cores.choose()
    allow_many_files()
    os.sched_setaffinity(0, {cores.client})
    results = Results()
    try:
        fastmcp = fastmcp_python(install=not options.quick)
    except NotInstalled as reason:
        fastmcp = None
        results.notes.append(f"FastMCP was not measured: {reason}")
    _run(Plan(options.quick, fastmcp, cores), options.only, results)
    for table in tables(results):
        print(table)
    for note in results.notes:
        print(note)
    if options.json is not None:
        options.json.write_text(json.dumps(results.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.plots is not None:
        for path in draw(results, options.plots):
            print(f"drawn: {path}")


def _run(plan: Plan, only: str | None, results: Results) -> None:
    seconds = [step.seconds for step in plan.steps(only)]
    began = time.monotonic()
    for number, step in enumerate(plan.steps(only)):
        minutes, rest = divmod(round(sum(seconds[number:])), 60)
        _tell(f"[{number + 1}/{len(seconds)}] {step.name}, about {minutes} min {rest:02} s to go")
        try:
            step.run(results)
        except (WrongAnswer, RuntimeError, TimeoutError, OSError) as error:
            results.notes.append(f"{step.name} has failed: {error!r}")
    _tell(f"done in {time.monotonic() - began:.0f} s\n")


def _tell(text: str) -> None:
    """A line of progress, which the next one overwrites."""
    sys.stderr.write(f"\r\x1b[K{text}" if sys.stderr.isatty() else f"{text}\n")
    sys.stderr.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="only what has this in its name, such as `tools/list` or stdio")
    parser.add_argument("--quick", action="store_true", help="one short round of each, in less than a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the charts there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
