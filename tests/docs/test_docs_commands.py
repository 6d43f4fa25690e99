"""The commands in the pages do what the pages say: curl against a real server, `mcp-server` on the examples."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import needed
from served import PATIENCE, ROOT, Site, served

KEY = "your_test_token"
_SNIPPET = re.compile(r"^```bash\n(curl.*?)^```\n(?:\n```(json|)\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^(?:\.venv/bin/)?(mcp-server (?:tools|call|inspect|doctor|run|install)\b[^\n]*)$", re.MULTILINE)


def snippets(page: str) -> list[tuple[str, str, str]]:
    """The curl commands of a page that are for a server on this machine; the kind and the text of what must come."""
    found = _SNIPPET.findall((ROOT / page).read_text(encoding="utf-8"))
    return [each for each in found if "http://localhost:8000" in each[0]]


def commands() -> Iterator[str]:
    """The commands of the pages that need nothing but the examples."""
    for page in ("README.md", "docs/getting-started.md", "docs/tools.md"):
        for command in _COMMAND.findall((ROOT / page).read_text(encoding="utf-8")):
            if "http" not in command and "install" not in command:
                yield command


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served(MCP_API_KEY=KEY) as site:
        yield site


@pytest.mark.parametrize(
    ("command", "kind", "expected"), [*snippets("docs/getting-started.md"), *snippets("docs/http.md")]
)
def test_a_request_of_the_pages_is_answered(command: str, kind: str, expected: str, site: Site) -> None:
    local = command.replace("http://localhost:8000", site.url).replace("curl ", f"{needed('curl')} -sS ")
    run = subprocess.run(
        ["sh", "-c", local], env={"MCP_API_KEY": KEY}, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert re.search('"(tools|output|result|status|error)"', run.stdout)
    if kind == "json":
        assert json.loads(run.stdout) == json.loads(expected)
    elif expected:
        assert run.stdout.strip() == expected.strip()


def test_the_request_of_the_readme_needs_no_key_on_this_machine() -> None:
    ((command, _, _),) = snippets("README.md")
    with served(MCP_API_KEY="") as open_site:
        local = command.replace("http://localhost:8000", open_site.url).replace("curl ", f"{needed('curl')} -sS ")
        run = subprocess.run(["sh", "-c", local], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert len(json.loads(run.stdout)["structuredContent"]["items"]) == 1


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_of_the_pages_says_something_useful(command: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/minimal.py", tmp_path)
    run = subprocess.run(
        [sys.executable, "-m", "mcp_server", *command.split()[1:]],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    refused = "limit=99" in command
    assert (run.returncode, bool(run.stdout or refused)) == (int(refused), True), run.stderr
    if refused:
        assert "Invalid arguments: limit: must be at most 50" in run.stdout + run.stderr
    if command.startswith("mcp-server call add"):
        assert run.stdout == "3\n"
