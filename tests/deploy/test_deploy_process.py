"""The lines by which platforms start and watch the server, run as they run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from programs import optional
from served import PATIENCE, ROOT, served

GUIDE = "web: uvicorn main_http:app --host 0.0.0.0 --port $PORT"
UNIT = ROOT / "deploy/mcp-server.service"


def started_by(file: str, pattern: str) -> str:
    """The command in a file of a platform."""
    found = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_procfile_is_the_line_of_the_guide() -> None:
    assert (ROOT / "Procfile").read_text(encoding="utf-8") == f"{GUIDE}\n"


def test_the_procfile_starts_a_server_on_the_port_of_the_platform() -> None:
    line = (ROOT / "Procfile").read_text(encoding="utf-8").partition(":")[2]
    with served(("sh", "-c", line)) as site:
        assert site.ask("GET", "/health").body == b'{"status": "healthy", "transport": "http"}'


def test_a_public_server_without_a_key_answers_nobody_else() -> None:
    line = (ROOT / "Procfile").read_text(encoding="utf-8").partition(":")[2]
    with served(("sh", "-c", line), MCP_API_KEY="") as site:
        assert site.ask("POST", "/mcp", {"action": "list_tools"}, X_Forwarded_For="203.0.113.9").status == 401


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("deploy/railway.json", r'"startCommand": "(.*)"'),
        ("deploy/render.yaml", r"startCommand: (.*)"),
        ("deploy/fly.toml", r'^app = "(python .*)"'),
    ],
)
def test_the_command_of_a_platform_starts_a_server(file: str, pattern: str) -> None:
    with served(tuple(shlex.split(started_by(file, pattern))), HOST="0.0.0.0") as site:
        assert site.ask("GET", "/ready").status == 200


def test_the_health_check_of_the_image_passes_while_the_server_runs() -> None:
    check = started_by("Dockerfile", r"^    CMD (python -c .*)$")
    with served() as site:
        run = subprocess.run(["sh", "-c", check], env=_environment(site.port), timeout=PATIENCE, check=False)
    assert run.returncode == 0


def test_the_health_check_of_the_image_fails_without_a_server() -> None:
    check = started_by("Dockerfile", r"^    CMD (python -c .*)$")
    run = subprocess.run(["sh", "-c", check], env=_environment(1), stderr=subprocess.DEVNULL, check=False)
    assert run.returncode != 0


def test_wrong_settings_end_the_process_with_the_code_that_systemd_does_not_retry() -> None:
    run = subprocess.run(
        [sys.executable, "main_http.py"], cwd=ROOT, env={"PORT": "0"}, stderr=subprocess.DEVNULL, check=False
    )
    unit = UNIT.read_text(encoding="utf-8")
    assert f"RestartPreventExitStatus={run.returncode}\n" in unit


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = _with_our_python(tmp_path)
    run = subprocess.run([optional("systemd-analyze"), "verify", unit], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_systemd_finds_the_unit_closed(tmp_path: Path) -> None:
    command = [optional("systemd-analyze"), "security", "--offline=true", "--threshold=15", _with_our_python(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def _with_our_python(directory: Path) -> str:
    text = UNIT.read_text(encoding="utf-8").replace("/opt/mcp-server/.venv/bin/python", str(Path(sys.executable)))
    copy = directory / UNIT.name
    copy.write_text(text, encoding="utf-8")
    return str(copy)


def _environment(port: int) -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}", "PORT": str(port)}
