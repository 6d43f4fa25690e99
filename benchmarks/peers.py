"""FastMCP is none of our dependencies: it gets a Python of its own, in a directory that is kept for the next run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_WANTED: Final = ("fastmcp==4.1.*", "httptools", "mangum", "uvloop")


class NotInstalled(Exception):  # noqa: N818 - it is what has happened
    """FastMCP cannot be measured; the text says why."""


def fastmcp_python(*, install: bool) -> str:
    """A Python that has FastMCP; raises `NotInstalled`."""
    home = Path(tempfile.gettempdir()) / f"mcp-server-benchmarks-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid():
        raise NotInstalled(f"{home} belongs to somebody else")
    python = home / "bin" / "python"
    if _has_fastmcp(python):
        return str(python)
    if not install:
        raise NotInstalled("a quick run does not install it; a full run does, and keeps it")
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True, timeout=60)
        command = [str(python), "-m", "pip", "install", "--quiet", *_WANTED]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
    except (subprocess.SubprocessError, OSError) as error:
        raise NotInstalled(str(error)) from error
    return str(python)


def _has_fastmcp(python: Path) -> bool:
    if not python.exists():
        return False
    asked = [str(python), "-c", "from importlib.metadata import version; version('fastmcp'); version('mangum')"]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0
