"""The official conformance suite against the fixture server: every version, no failure, no list of expected ones.

The suite is a Node program, which is fetched once.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.key_bringer import bringing
from tests.installed import node, node_packages
from tests.redis_servers import RUNNING, require_running_redis
from tests.served import KEY, free_port

VERSION = "0.2.0-alpha.12"
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "node_modules/@modelcontextprotocol/conformance"

NEVER_RUN = "tasks-status-notifications"
"""A scenario that the suite lists and skips whatever the server says."""


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The command line that runs the suite."""
    program = node_packages(f"@modelcontextprotocol/conformance@{VERSION}") / PROGRAM
    entry = json.loads((program / "package.json").read_text())["bin"]
    return [str(node()), str(program / (entry if isinstance(entry, str) else next(iter(entry.values()))))]


@pytest.fixture(scope="module", params=["h11", "httptools", "behind a key", "two workers"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The fixture server, under each of the parsers that uvicorn can have, and in the ways that servers are run."""
    everything = [sys.executable, "-m", "tests.conformance.everything", "--port", "{port}"]
    data = {"DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    match request.param:
        case "behind a key":
            with _served([*everything, "--token", KEY], **data) as port, bringing(KEY, port) as open_port:
                yield f"http://127.0.0.1:{open_port}/mcp"
        case "two workers":
            require_running_redis()
            with _served(everything, WORKERS="2", **data, EVENT_BUS_URL=RUNNING) as port:
                yield f"http://127.0.0.1:{port}/mcp"
        case parser:
            by_uvicorn = [sys.executable, "-m", "uvicorn", "main_http:app", "--port", "{port}", "--http", parser]
            with _served(by_uvicorn, **data) as port:
                yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def _served(command: Sequence[str], **settings: str) -> Generator[int]:
    port = free_port()
    environment = {**os.environ, "MCP_APP": "tests.conformance.everything:server", "RATE_LIMIT": "1000000/minute"}
    server = subprocess.Popen(
        [part.format(port=port) for part in command],
        cwd=ROOT, env={**environment, **settings}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait(60)


def wait_for(port: int) -> None:
    """Wait until it answers: with several processes, a port is open before anybody listens to it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            with connection.getresponse() as answer:
                if answer.status == 200:
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
def test_no_scenario_fails_warns_or_is_skipped(suite: list[str], url: str, choice: list[str], tmp_path: Path) -> None:
    command = [*suite, "server", "--url", url, *choice]
    wrong = _wrong(command, tmp_path / "once")
    if wrong:
        # The suite gives an answer a few seconds, which a busy machine can take. What is wrong is wrong again.
        again = _wrong(command, tmp_path / "again")
        wrong = {check: why for check, why in again.items() if check in wrong}
    assert wrong == {}


@pytest.mark.parametrize("scenario", ["skills-directory", "skills-enumeration", "skills-manifest"])
def test_skills_are_not_skipped(suite: list[str], url: str, scenario: str, tmp_path: Path) -> None:
    assert _wrong([*suite, "server", "--url", url, "--scenario", f"sep-2640-{scenario}"], tmp_path, at_least=4) == {}


def _wrong(command: list[str], directory: Path, *, at_least: int = 1) -> dict[str, object]:
    """The checks that fail, warn or are skipped when the suite is run, each with the reason that it gives."""
    ran = subprocess.run([*command, "-o", str(directory)], capture_output=True, text=True, timeout=280, check=False)
    checks = [
        (re.sub(r"-\d{4}-\d\d-\d\dT.*", "", path.parent.name), check)
        for path in directory.glob("*/checks.json")
        for check in json.loads(path.read_text())
    ]
    assert len(checks) >= at_least, ran.stdout[-2000:] + ran.stderr[-2000:]
    return {
        f"{check['status']} {scenario}: {check['id']}": check.get("errorMessage")
        for scenario, check in checks
        if check["status"] in {"FAILURE", "WARNING", "SKIPPED"} and NEVER_RUN not in scenario
    }
