"""What a server over stdio costs: to start, to call, to keep. `python -m benchmarks.stdio` takes half a minute.

Every round runs all subjects one after the other, so that what else the machine does falls on all alike; what is shown
is the median of the rounds. Absolute figures belong to the machine; the ratios travel.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

SERVERS: Final = Path(__file__).parent / "servers"
MODERN: Final = "2026-07-28"
HANDSHAKE: Final = "2025-11-25"
STARTS: Final = 7
ROUNDS: Final = 3
PATIENCE: Final = 20.0
"""After so many seconds at one version, no further round begins."""
IN_SEQUENCE: Final = 300
KILOBYTE: Final = 1 if sys.platform == "darwin" else 1024
"""In which unit the system counts memory."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured, and with how many pipelined calls, so that none takes much longer than a second."""

    name: str
    program: str
    calls: int
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Start:
    """One short life of a server: until the first result of a call, and what it has used at its end."""

    first_result: float
    memory: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Work:
    """One busy life of a server."""

    pipelined: float
    in_sequence: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The medians of a subject, under the headings of the table."""

    first_result_ms: float
    pipelined_per_s: float
    sequential_ms: float
    cpu_us: float
    rss_mb: float


class Process:
    """A server in a process of its own, at the other end of two pipes."""

    def __init__(self, subject: Subject, version: str) -> None:
        self.version = version
        self._process = subprocess.Popen(
            [subject.python, str(SERVERS / subject.program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    def begin(self) -> None:
        """Introduce the client, where the version wants that, and get the first result."""
        if self.version == HANDSHAKE:
            client = {"name": "benchmark", "version": "1"}
            hello = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": client}
            self._send([_line({"id": "hello", "method": "initialize", "params": hello})])
            self._answers(1)
            self._send([_line({"method": "notifications/initialized"})])
        self.call(0)

    def call(self, number: int) -> None:
        """One call, from its question to its answer."""
        self._send([_call(number, self.version)])
        self._answers(1)

    def call_at_once(self, count: int) -> None:
        """So many calls, sent without waiting for any answer."""
        lines = [_call(number, self.version) for number in range(1, count + 1)]
        sender = threading.Thread(target=self._send, args=[lines])
        sender.start()
        self._answers(count)
        sender.join()

    def end(self) -> tuple[float, float]:
        """Close the pipes; returns the seconds of CPU and the megabytes that the process has used."""
        peak = self._peak()
        self._input.close()
        self._output.close()
        _, _, used = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        return used.ru_utime + used.ru_stime, (peak or used.ru_maxrss * KILOBYTE) / 1e6

    def _peak(self) -> int | None:
        """The most memory it has held, where the system tells; to `wait4`, a child begins with what its parent held."""
        status = Path(f"/proc/{self._process.pid}/status")
        if not status.exists():
            return None
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * KILOBYTE for line in lines if line.startswith("VmHWM:"))

    def _send(self, lines: Iterable[bytes]) -> None:
        self._input.write(b"".join(lines))
        self._input.flush()

    def _answers(self, count: int) -> None:
        for _ in range(count):
            answer = self._output.readline()
            if b'"result"' not in answer or b'"isError":true' in answer:
                raise RuntimeError(f"not a result: {answer[:300]!r}")


def start(subject: Subject, version: str) -> Start:
    """Start a server, call it once, and end it."""
    began = time.perf_counter()
    process = Process(subject, version)
    process.begin()
    first_result = time.perf_counter() - began
    cpu, memory = process.end()
    return Start(first_result, memory, cpu)


def work(subject: Subject, version: str, cpu_of_a_start: float) -> Work:
    """Start a server and keep it busy."""
    process = Process(subject, version)
    process.begin()
    process.call_at_once(subject.calls // 10)
    began = time.perf_counter()
    process.call_at_once(subject.calls)
    pipelined = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(IN_SEQUENCE):
        process.call(number)
    in_sequence = time.perf_counter() - began
    cpu, _ = process.end()
    calls = subject.calls + subject.calls // 10 + IN_SEQUENCE
    return Work(subject.calls / pipelined, in_sequence / IN_SEQUENCE, (cpu - cpu_of_a_start) / calls)


def measure(
    subjects: Sequence[Subject], version: str, *, starts: int = STARTS, rounds: int = ROUNDS
) -> dict[str, Figures]:
    """The figures of every subject at one version."""
    began = time.perf_counter()
    for subject in subjects:
        start(subject, version)  # for the disk to warm up
    started = [[start(subject, version) for subject in subjects] for _ in range(starts)]
    cpu_of_a_start = [statistics.median(each.cpu for each in column) for column in zip(*started, strict=True)]
    works: list[list[Work]] = []
    while not works or (len(works) < rounds and time.perf_counter() - began < PATIENCE):
        works.append([work(subject, version, cpu) for subject, cpu in zip(subjects, cpu_of_a_start, strict=True)])
    columns = zip(subjects, zip(*started, strict=True), zip(*works, strict=True), strict=True)
    return {
        subject.name: Figures(
            first_result_ms=statistics.median(each.first_result for each in lives) * 1e3,
            pipelined_per_s=statistics.median(each.pipelined for each in worked),
            sequential_ms=statistics.median(each.in_sequence for each in worked) * 1e3,
            cpu_us=statistics.median(each.cpu for each in worked) * 1e6,
            rss_mb=statistics.median(each.memory for each in lives),
        )
        for subject, lives, worked in columns
    }


def show(version: str, figures: dict[str, Figures], compared_with: str) -> None:
    """Print a table, and how we stand beside one of the others."""
    print(f"\n{version}")
    print("| | spawn → first result, ms | pipelined calls/s | sequential, ms | CPU, µs a call | peak memory, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, each in figures.items():
        cells = (each.first_result_ms, each.pipelined_per_s, each.sequential_ms, each.cpu_us, each.rss_mb)
        print(f"| {name} | {cells[0]:.0f} | {cells[1]:,.0f} | {cells[2]:.2f} | {cells[3]:.0f} | {cells[4]:.0f} |")
    ours, theirs = figures["ours"], figures[compared_with]
    ratios = [getattr(ours, each.name) / getattr(theirs, each.name) for each in fields(Figures)]
    print(f"| ours : {compared_with} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")


def _call(number: int, version: str) -> bytes:
    params: dict[str, Any] = {"name": "add", "arguments": {"a": number, "b": 1}}
    if version == MODERN:
        prefix = "io.modelcontextprotocol/"
        params["_meta"] = {f"{prefix}protocolVersion": MODERN, f"{prefix}clientCapabilities": {}}
    return _line({"id": number, "method": "tools/call", "params": params})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def main() -> None:
    """Measure everybody, at a version of each era."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fastmcp", metavar="PYTHON", help="a Python that has FastMCP, to be measured too")
    options = parser.parse_args()
    subjects = [
        Subject("floor", "floor.py", 20_000),
        Subject("ours", "ours.py", 10_000),
        Subject("official SDK", "official.py", 1000),
    ]
    if options.fastmcp:
        subjects.append(Subject("FastMCP", "with_fastmcp.py", 700, options.fastmcp))
    for version in (MODERN, HANDSHAKE):
        show(version, measure(subjects, version), "official SDK")


if __name__ == "__main__":
    main()
