"""The deployment guide, word for word; only the port is another one, so that the tests of others are left alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from http_children import PATIENCE, ROOT, SERVE, Child, started

LIST_TOOLS = """\
curl -X POST http://localhost:8000/mcp \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer your_test_token" \\
  -d '{"action": "list_tools"}'"""
CALL_TOOL = """\
curl -X POST http://localhost:8000/mcp \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer your_test_token" \\
  -d '{
    "action": "call_tool",
    "name": "search_items",
    "arguments": {"query": "test", "limit": 5}
  }'"""
HEALTH = "curl http://localhost:8000/health"

UVICORN = [sys.executable, "-m", "uvicorn", "main_http:app"]

curl = pytest.mark.skipif(
    shutil.which("curl") is None and "MCP_REQUIRE_SERVICES" not in os.environ, reason="there is no curl"
)


@contextmanager
def checked_out(directory: Path, *command: str) -> Generator[Child]:
    """What the guide starts, after its `cp .env.example .env`."""
    shutil.copy(ROOT / ".env.example", directory)
    subprocess.run("cp .env.example .env", shell=True, cwd=directory, check=True)
    with started(directory, command or SERVE, shop=False, RATE_LIMIT="100/minute") as child:
        yield child


@pytest.fixture(scope="module", params=["python main_http.py", "uvicorn main_http:app"])
def guide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    command = () if request.param == "python main_http.py" else UVICORN
    with checked_out(tmp_path_factory.mktemp("guide"), *command) as child:
        yield child


def shell(command: str, port: int) -> Any:
    """What a command of the guide prints, as JSON."""
    command = command.replace(":8000", f":{port}")
    done = subprocess.run(command, shell=True, capture_output=True, timeout=PATIENCE, check=True)
    return json.loads(done.stdout)


@curl
def test_it_lists_the_tools(guide: Child) -> None:
    tools = shell(LIST_TOOLS, guide.port)["tools"]
    assert [tool["name"] for tool in tools] == ["search_items", "get_item"]
    for tool in tools:
        assert {"name", "description", "input_schema"} <= set(tool)


@curl
def test_it_calls_a_tool(guide: Child) -> None:
    answer = shell(CALL_TOOL, guide.port)
    assert answer["isError"] is False
    assert isinstance(answer["output"], str)
    assert json.loads(answer["output"]) == answer["structuredContent"]


@curl
def test_it_is_healthy(guide: Child) -> None:
    assert shell(HEALTH, guide.port) == {"status": "healthy", "transport": "http"}


@curl
def test_another_token_is_refused(guide: Child) -> None:
    assert shell(LIST_TOOLS.replace("your_test_token", "other"), guide.port)["error"] == "unauthorized"


def test_the_placeholder_is_warned_of_and_not_shown(guide: Child) -> None:
    assert "MCP_API_KEY" in guide.log()
    assert "placeholder" in guide.log()
    assert "your_test_token" not in guide.log()


def test_the_hundred_and_first_request_of_a_minute_waits(tmp_path: Path) -> None:
    with checked_out(tmp_path) as child:
        headers = {"authorization": "Bearer your_test_token", "x-forwarded-for": "198.51.100.1"}
        statuses = [
            child.http.post(path, json={"action": "list_tools"}, headers=headers).status_code
            for path in ["/mcp", "/mcp/sse"] * 50
        ]
        refused = child.http.post("/mcp", json={"action": "list_tools"}, headers=headers)
        assert set(statuses) == {200}
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert child.http.get("/health").status_code == 200


def test_the_line_of_the_procfile_works_under_a_shell(tmp_path: Path) -> None:
    name, _, command = (ROOT / "Procfile").read_text(encoding="utf-8").strip().partition(": ")
    assert (name, command) == ("web", "uvicorn main_http:app --host 0.0.0.0 --port $PORT")
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    line = command.replace("$PORT", '"${2}"')  # `started` says the port as the last argument
    with started(tmp_path, ["sh", "-c", f"exec {line}", "sh"], shop=False, PATH=programs) as child:
        headers = {"authorization": "Bearer your_test_token"}
        assert child.http.post("/mcp", json={"action": "list_tools"}, headers=headers).status_code == 200
        assert child.http.post("/mcp", json={"action": "list_tools"}).status_code == 401
        child.tell(signal.SIGTERM)
        assert child.leaves() in (0, -signal.SIGTERM)


def test_what_stands_in_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MCP_API_KEY=from_the_file_from_the_file_file\n", encoding="utf-8")
    key = "from-the-environment-0123456789abcdef"
    with started(tmp_path, shop=False, MCP_API_KEY=key) as child:
        statuses = [
            child.http.post(
                "/mcp", json={"action": "list_tools"}, headers={"authorization": f"Bearer {each}"}
            ).status_code
            for each in (key, "from_the_file_from_the_file_file")
        ]
        assert statuses == [200, 401]
