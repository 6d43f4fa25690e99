"""What a process has imported once it has begun, told by a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from quick_calls import CALL, KEY

ROOT = Path(__file__).parents[2]
_PATIENCE = 60
_TELL = """
import atexit, os, sys
@atexit.register
def tell():
    with open(os.environ["MODULES"], "w") as file:
        print(*sys.modules, file=file)
"""
_STDIO = """
from mcp_server import Server
server = Server("budgets", lint="off")
@server.tool
async def add(a: int, b: int) -> dict[str, int]:
    "Add two numbers."
    return {"sum": a + b}
server.run()
"""


def imported_by_package(report: Path) -> set[str]:
    return _modules("import mcp_server", report)


def imported_by_first_result_over_stdio(report: Path) -> set[str]:
    return _modules(_STDIO, report, sent=json.dumps(CALL) + "\n")


def imported_by_lambda_handler(report: Path) -> set[str]:
    return _modules("import lambda_handler", report, AWS_LAMBDA_FUNCTION_NAME="budgets", MCP_API_KEY=KEY)


def packages(modules: Iterable[str]) -> set[str]:
    """The packages of others that these modules belong to."""
    names = {module.partition(".")[0] for module in modules}
    return {name for name in names - sys.stdlib_module_names - _OURS if not name.startswith("_")}


def rooms(modules: Iterable[str]) -> set[str]:
    """Our own rooms that these modules belong to."""
    return {module.split(".")[1] for module in modules if module.startswith("mcp_server.")}


_OURS = {"lambda_handler", "main_http", "mcp_server"}


def _modules(program: str, report: Path, sent: str = "", **variables: str) -> set[str]:
    environment = {"PATH": os.defpath, "MODULES": str(report), **variables}
    done = subprocess.run(
        [sys.executable, "-c", _TELL + program],
        input=sent,
        capture_output=True,
        text=True,
        check=True,
        timeout=_PATIENCE,
        cwd=ROOT,
        env=environment,
    )
    assert bool(sent) == ('"sum":3' in done.stdout), done.stderr
    return set(report.read_text(encoding="utf-8").split())
