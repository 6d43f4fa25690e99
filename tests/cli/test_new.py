"""`mcp-server new`: what it makes must run and test at once."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_running import Run, python

from mcp_server.cli.new import project_name

DISCOVER: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}


@pytest.fixture
def project(run: Run, tmp_path: Path) -> Path:
    """A new project."""
    directory = tmp_path / "My First Server"
    assert run("new", str(directory)).exit_code == 0
    return directory


def test_a_project_has_what_a_project_needs(project: Path) -> None:
    files = sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    assert files == [".gitignore", "README.md", "pyproject.toml", "server.py", "tests/test_server.py"]


def test_the_project_is_called_as_its_directory(project: Path) -> None:
    assert 'name = "my-first-server"' in (project / "pyproject.toml").read_text()
    assert 'Server("my-first-server"' in (project / "server.py").read_text()


def test_the_tests_of_a_new_project_pass(project: Path) -> None:
    tested = python("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert tested.returncode == 0, tested.stdout
    assert "3 passed" in tested.stdout


def test_what_is_said_next_works_as_it_is_said(tmp_path: Path) -> None:
    directory = tmp_path / "My Server"
    said = python("-m", "mcp_server", "new", str(directory)).stdout
    lines = [line for line in said.splitlines() if line.startswith("  ") and " pip install " not in line]
    assert len(lines) == 3
    done = subprocess.run(["sh", "-ec", "\n".join(lines)], check=True, capture_output=True, text=True, timeout=60)
    assert "3 passed" in done.stdout
    assert done.stdout.endswith('{"words":3,"characters":11}\n')


def test_a_new_project_serves(project: Path) -> None:
    served = python("server.py", stdin=json.dumps(DISCOVER), cwd=project)
    assert "count_words" in json.loads(served.stdout)["result"]["instructions"]
    assert served.stderr == ""


def test_the_command_of_the_readme_works(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert run("call", "count_words", "server.py", "text=so it works").stdout == '{"words":3,"characters":11}\n'


def test_doctor_has_nothing_to_say_about_a_new_project(run: Run, project: Path) -> None:
    assert {line[:2] for line in run("doctor", str(project / "server.py")).output.splitlines()} == {"ok"}


def test_an_empty_directory_is_filled(run: Run, tmp_path: Path) -> None:
    assert run("new", str(tmp_path)).exit_code == 0
    assert (tmp_path / "server.py").is_file()


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("mine")
    refused = run("new", str(tmp_path))
    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    assert (tmp_path / "server.py").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_where_nothing_can_be_written_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = run("new", str(tmp_path / "file" / "below"))
    assert refused.exit_code == 1
    assert "cannot be written" in refused.stderr


@pytest.mark.parametrize(("directory", "name"), [("Shop & Co", "shop-co"), ("...", "my-server"), ("a_b", "a-b")])
def test_a_name_has_the_characters_of_a_package(directory: str, name: str) -> None:
    assert project_name(Path("/tmp") / directory) == name
