"""What it costs to begin: imports, and AWS Lambda from cold to warm, each in processes of their own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.processes import ROOT, clean_environment

WARM_CALLS = 300


@dataclass(frozen=True, slots=True)
class Imported:
    """An import, with the start of the interpreter in it."""

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Invoked:
    """A Lambda handler: the time of its import and of its first call, and the CPU of a later one if there is one."""

    import_ms: float
    first_ms: float
    warm_us: float | None


def programs(fastmcp: str | None) -> dict[str, tuple[str, str]]:
    """What is imported, and by which Python."""
    ours = sys.executable
    found = {
        "Python alone": (ours, "pass"),
        "mcp_server": (ours, "from mcp_server import Server"),
        "official SDK": (ours, "from mcp.server.mcpserver import MCPServer"),
        "lambda_handler": (ours, "import lambda_handler"),
        "official SDK + Mangum": (ours, "import benchmarks.servers.lambda_official"),
    }
    if fastmcp is not None:
        found["FastMCP"] = (fastmcp, "from fastmcp import FastMCP")
        found["FastMCP + Mangum"] = (fastmcp, "import benchmarks.servers.lambda_fastmcp")
    return found


def imports(fastmcp: str | None, rounds: int, *, warm_up: bool = True) -> dict[str, Imported]:
    """The median of some imports of each, after one for the disk to warm up."""
    chosen = programs(fastmcp)
    found: dict[str, list[Imported]] = {name: [] for name in chosen}
    for number in range(-warm_up, rounds):
        for name, (python, program) in chosen.items():
            each = _import(python, program)
            if number >= 0:
                found[name].append(each)
    return {
        name: Imported(
            statistics.median(each.wall_ms for each in rounds_of), statistics.median(each.cpu_ms for each in rounds_of)
        )
        for name, rounds_of in found.items()
    }


def lambdas(fastmcp: str | None, rounds: int) -> dict[str, Invoked]:
    """The medians of each handler."""
    subjects = {"ours": (sys.executable, "lambda_ours"), "official SDK + Mangum": (sys.executable, "lambda_official")}
    if fastmcp is not None:
        subjects["FastMCP + Mangum"] = (fastmcp, "lambda_fastmcp")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, (python, module) in subjects.items():
            found[name].append(_invoke(python, module))
    return {name: _median(each) for name, each in found.items()}


def _median(rounds: list[dict[str, Any]]) -> Invoked:
    warm = [each["warm_us"] for each in rounds if "warm_us" in each]
    return Invoked(
        statistics.median(each["import_ms"] for each in rounds),
        statistics.median(each["first_ms"] for each in rounds),
        statistics.median(warm) if warm else None,
    )


def _import(python: str, program: str) -> Imported:
    began = time.perf_counter()
    process = subprocess.Popen(
        [python, "-c", program], cwd=ROOT, env=_on_lambda(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program!r} has failed")
    return Imported((time.perf_counter() - began) * 1e3, (used.ru_utime + used.ru_stime) * 1e3)


def _invoke(python: str, module: str) -> dict[str, Any]:
    command = [python, "-m", "benchmarks.lambda_host", module, str(WARM_CALLS)]
    done = subprocess.run(command, cwd=ROOT, env=_on_lambda(), capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def _on_lambda() -> dict[str, str]:
    return {
        **clean_environment(),
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "MCP_API_KEY": "a-key-for-benchmarks-of-more-than-32-characters",
        "RATE_LIMIT": "100000000/minute",
    }
