"""The official conformance suite against the fixture server: every version, no failure, no list of expected ones.

The suite is a Node program, which is fetched once.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installed import node, node_packages

VERSION = "0.2.0-alpha.12"
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "node_modules/@modelcontextprotocol/conformance"


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The command line that runs the suite."""
    program = node_packages(f"@modelcontextprotocol/conformance@{VERSION}") / PROGRAM
    entry = json.loads((program / "package.json").read_text())["bin"]
    return [str(node()), str(program / (entry if isinstance(entry, str) else next(iter(entry.values()))))]


@pytest.fixture(scope="module", params=["h11", "httptools"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The fixture server, under each of the parsers that uvicorn can have."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "MCP_APP": "tests.conformance.everything:server",
        "RATE_LIMIT": "1000000/minute",
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
    }
    command = [sys.executable, "-m", "uvicorn", "main_http:app", "--port", str(port), "--http", request.param]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise TimeoutError("the fixture server did not start")


@pytest.mark.parametrize(
    "choice",
    [
        ["--suite", "all"],
        ["--requirements", "2025-11-25"],
        ["--requirements", "2026-07-28"],
        ["--suite", "all", "--spec-version", "2025-03-26"],
        ["--suite", "all", "--spec-version", "2025-06-18"],
        ["--suite", "all", "--spec-version", "2025-11-25"],
        ["--suite", "all", "--spec-version", "2026-07-28"],
    ],
    ids=lambda choice: " ".join(choice).replace("--", ""),
)
def test_no_scenario_fails_or_warns(suite: list[str], url: str, choice: list[str], tmp_path: Path) -> None:
    ran = subprocess.run(
        [*suite, "server", "--url", url, *choice, "-o", str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    scenarios = re.findall(r"^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed", ran.stdout, re.MULTILINE)
    assert scenarios, ran.stdout[-2000:] + ran.stderr[-2000:]
    wrong = [
        f"{path.parent.name}: {check['id']}: {check.get('errorMessage')}"
        for path in tmp_path.glob("*/checks.json")
        for check in json.loads(path.read_text())
        if check["status"] in {"FAILURE", "WARNING"}
    ]
    assert wrong == []
