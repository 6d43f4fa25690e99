"""Running the command: in this process, or as one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from click.testing import Result

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


class Run(Protocol):
    """Runs the command in this process."""

    def __call__(self, *args: str, stdin: str | None = None) -> Result: ...


def python(*args: str, stdin: str = "", cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Another Python, that finds `mcp_server`."""
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    env.pop("MCP_APP", None)
    command = [sys.executable, *args]
    return subprocess.run(
        command, input=stdin, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )
