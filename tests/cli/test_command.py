"""The command as a whole: help, versions, what it must not import, `run` and `keygen`."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from cli_running import Run, python

from mcp_server import Server, __version__
from mcp_server.cli import main

HEAVY = (
    "mcp",
    "mcp_types",
    "starlette",
    "uvicorn",
    "httpx2",
    "jsonschema",
    "cryptography",
    "anyio",
    "pydantic_settings",
)
REQUEST = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}


def test_help_names_every_command(run: Run) -> None:
    listed = run("--help").output
    assert all(
        f"\n  {name} " in listed
        for name in ("new", "run", "tools", "call", "inspect", "doctor", "install", "keygen", "tokens", "clients")
    )


@pytest.mark.parametrize(
    "name", ["new", "run", "tools", "call", "inspect", "doctor", "install", "keygen", "tokens", "clients"]
)
def test_every_command_has_help(run: Run, name: str) -> None:
    assert run(name, "-h").output.startswith("Usage: main " + name)


def test_the_version_is_the_package_s(run: Run) -> None:
    assert __version__ in run("--version").output


def test_importing_the_command_imports_nothing_heavy() -> None:
    found = python("-c", f"import sys, mcp_server.cli; print([each for each in {HEAVY} if each in sys.modules])")
    assert found.stdout == "[]\n"


def test_the_module_is_the_command() -> None:
    assert python("-m", "mcp_server", "tools", "--help").stdout.startswith("Usage: python -m mcp_server tools")


def test_an_unknown_command_exits_with_2(run: Run) -> None:
    assert run("dance").exit_code == 2


def test_a_key_has_64_characters_and_is_new_each_time(run: Run) -> None:
    first, second = (run("keygen").output.strip() for _ in range(2))
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert first != second


def test_a_key_can_be_printed_as_a_line_for_an_env_file(run: Run) -> None:
    assert re.fullmatch("MCP_API_KEY=[0-9a-f]{64}\n", run("keygen", "--env").output)


def test_run_serves_on_standard_input_and_output(fixture: str) -> None:
    served = python("-m", "mcp_server", "run", f"{fixture}:other", stdin=json.dumps(REQUEST))
    assert json.loads(served.stdout)["result"]["serverInfo"]["name"] == "other"
    assert served.returncode == 0


def nothing(_: Server) -> None: ...


def test_on_a_terminal_run_says_what_it_waits_for(
    fixture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Server, "run", nothing)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    main(["run", fixture], standalone_mode=False)
    assert capsys.readouterr().err == "fixture waits for a client on standard input; Ctrl-C ends it.\n"


def test_run_refuses_what_does_not_exist(run: Run) -> None:
    refused = run("run", "no.such.module:server")
    assert refused.exit_code == 1
    assert "There is no module no.such.module" in refused.stderr


@pytest.mark.parametrize("option", [("--host", "127.0.0.1"), ("--port", "9000")])
def test_an_address_without_http_is_refused(run: Run, option: tuple[str, str]) -> None:
    refused = run("run", *option)
    assert refused.exit_code == 2
    assert "go with --http" in refused.stderr


def test_a_port_that_is_taken_is_told_in_a_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = python("-m", "mcp_server", "run", "--http", "--host", "127.0.0.1", "--port", port)
    assert refused.returncode == 1
    assert f"Port {port} is in use" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_server_over_http_that_breaks_a_rule_is_told_in_a_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("from mcp_server import Server\nserver = Server('')\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    refused = python("-m", "mcp_server", "run", str(broken), "--http", "--host", "127.0.0.1", "--port", port)
    assert refused.returncode == 1
    assert "a server needs a name" in refused.stderr
    assert "Traceback" not in refused.stderr
