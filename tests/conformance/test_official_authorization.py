"""The official suite's scenarios for authorization servers, against the server that people sign in to.

The suite prints the address that a browser is to open, and waits for it to come back.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx2

from tests.conformance.test_official_suite import PROGRAM, ROOT, VERSION, wait_for
from tests.installed import node, node_packages
from tests.oauth.login.login_house import Browser
from tests.served import free_port

_PATIENCE = 120


def test_no_scenario_for_authorization_servers_fails(tmp_path: Path) -> None:
    port, callback = free_port(), free_port()
    client = {"client_id": "suite", "client_name": "Suite", "redirect_uris": [f"http://127.0.0.1:{callback}/callback"]}
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "DATA_DIR": str(tmp_path / "data"),
        "OAUTH_ENABLED": "true",
        "OAUTH_LOGIN": "auto",
        "OAUTH_CLIENTS": json.dumps([client]),
    }
    server = subprocess.Popen([sys.executable, "main_http.py"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        said = _suite(f"http://localhost:{port}", callback, tmp_path / "results")
    finally:
        server.terminate()
        server.wait(60)
    scenarios = re.findall(r"^([✓✗]) ([\w-]+): \d+ passed, \d+ failed", said, re.MULTILINE)
    assert scenarios == [("✓", "authorization-server-metadata-endpoint"), ("✓", "authorization-code-grant")], said
    statuses = {
        check["status"]
        for path in (tmp_path / "results").glob("*/checks.json")
        for check in json.loads(path.read_text())
    }
    assert statuses.isdisjoint({"FAILURE", "WARNING", "SKIPPED"}), said


def _suite(url: str, callback: int, results: Path) -> str:
    """What the suite prints; whatever it asks of a browser is done."""
    program = node_packages(f"@modelcontextprotocol/conformance@{VERSION}") / PROGRAM / "dist/index.js"
    options = ["--client-id", "suite", "--resource", f"{url}/mcp", "-p", str(callback), "-o", str(results)]
    suite = subprocess.Popen(
        [str(node()), str(program), "authorization", "--url", url, *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    stop = threading.Timer(_PATIENCE, suite.kill)
    stop.start()
    lines: list[str] = []
    address = ""
    with suite:
        assert suite.stdout is not None
        for line in suite.stdout:
            lines.append(line)
            if line.startswith(f"{url}/authorize"):
                address = line.strip()
            elif "Callback server started" in line:
                _sign_in(address)
    stop.cancel()
    return "".join(lines)


def _sign_in(address: str) -> None:
    """What a person's browser does, whom nobody asks anything while developing."""
    with Browser() as browser:
        page = browser.get(address)
        assert page.refresh is not None, page.text
        assert httpx2.get(page.refresh).status_code == 200
