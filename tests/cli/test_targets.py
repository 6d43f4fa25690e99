"""Where a command finds its server, and what it says when there is none."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from cli_running import Run

from mcp_server.cli.targets import Target, target_from


def written(tmp_path: Path, text: str) -> str:
    """A file with this text, as a TARGET."""
    path = tmp_path / "their_server.py"
    path.write_text(text)
    return str(path)


def test_without_a_target_the_sample_is_asked(run: Run) -> None:
    assert "search_items" in run("tools").output


def test_the_environment_names_the_server(run: Run, fixture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP", fixture)
    assert "echo" in run("tools").output


def test_a_server_in_a_file_has_a_name_there(run: Run, fixture: str) -> None:
    assert run("inspect", f"{fixture}:other").output.startswith("other 1.0\n")


def test_a_server_in_a_module_is_found_from_the_current_directory(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_module_of_tools.py").write_text("from mcp_server import Server\nhere = Server('mine')\n")
    monkeypatch.chdir(tmp_path)
    assert run("inspect", "my_module_of_tools:here").output.startswith("mine ")


@pytest.mark.parametrize("legacy", [(), ("--legacy",)])
def test_both_eras_are_spoken(run: Run, fixture: str, legacy: tuple[str, ...]) -> None:
    version = "2025-11-25" if legacy else "2026-07-28"
    assert f'"protocolVersion": "{version}"' in run("inspect", fixture, "--json", *legacy).output


@pytest.mark.parametrize("target", ["no.such.module", "nosuch.py", "mcp_server.sample.server:nothing"])
def test_a_server_that_is_not_there_is_told_with_how_to_name_one(run: Run, target: str) -> None:
    refused = run("tools", target)
    assert refused.exit_code == 1
    assert "Name a server as package.module:name or path/to/file.py:name" in refused.stderr


def test_what_registration_refuses_is_told_with_its_place(run: Run, tmp_path: Path) -> None:
    refused = run("tools", written(tmp_path, "from mcp_server import Server\n\nserver = Server('')\n"))
    assert "a server needs a name" in refused.stderr
    assert "(their_server.py, line 3)" in refused.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nmistake\n", "NameError: name 'mistake' is not defined (their_server.py, line 2)"),
        ("\n\nfor in\n", "SyntaxError: invalid syntax (their_server.py, line 3)\n"),
        ("import no_such_thing\n", "No module named 'no_such_thing' (their_server.py, line 1)"),
        ("\0", "cannot contain null bytes\n"),
        ("import json\njson.loads('{')\n", "(their_server.py, line 2)"),
        ("raise SystemExit(3)\n", "SystemExit: 3 (their_server.py, line 1)"),
    ],
)
def test_a_file_that_does_not_load_is_told_in_a_line(run: Run, tmp_path: Path, text: str, said: str) -> None:
    refused = run("tools", written(tmp_path, text))
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_file_that_serves_when_it_is_imported_is_refused(run: Run, tmp_path: Path) -> None:
    refused = run("tools", written(tmp_path, "from mcp_server import Server\nserver = Server('x')\nserver.run()\n"))
    assert 'Write `if __name__ == "__main__":` above `server.run()`' in refused.stderr


def test_a_server_that_does_not_start_is_told_in_a_line(run: Run, tmp_path: Path) -> None:
    lifespan = "def life(_):\n    raise OSError('no disk')\n"
    text = f"from mcp_server import Server\n{lifespan}server = Server('x', lifespan=life)\n"
    refused = run("tools", written(tmp_path, text))
    assert refused.exit_code == 1
    assert "The server does not start: OSError: no disk" in refused.stderr


def test_a_target_and_a_command_contradict_each_other(run: Run, fixture: str) -> None:
    refused = run("tools", fixture, "--", "python", fixture)
    assert refused.exit_code == 2
    assert "not both" in refused.stderr


def test_two_dashes_need_a_command(run: Run) -> None:
    refused = run("tools", "--")
    assert refused.exit_code == 2
    assert "after --" in refused.stderr


@pytest.mark.parametrize("option", [("--key", "k"), ("--header", "A: b")])
def test_keys_are_for_urls(run: Run, fixture: str, option: tuple[str, str]) -> None:
    refused = run("tools", fixture, *option)
    assert refused.exit_code == 2
    assert "are for a URL" in refused.stderr


@pytest.mark.parametrize("line", ["no colon", ": no name", "A: two\nlines"])
def test_a_header_has_a_name_and_a_printable_value(run: Run, line: str) -> None:
    refused = run("tools", "http://127.0.0.1:9/mcp", "--header", line)
    assert refused.exit_code == 2
    assert "--header 'Name: value'" in refused.stderr


@pytest.mark.parametrize(
    ("target", "description"),
    [
        (Target(url="https://host/mcp"), "https://host/mcp"),
        (Target(command=("python", "my server.py")), "python 'my server.py'"),
        (Target(app="a:b"), "a:b"),
        (Target(), "the server"),
    ],
)
def test_a_target_is_described_as_it_would_be_written(target: Target, description: str) -> None:
    assert target.description == description


def test_headers_without_a_url_are_refused() -> None:
    with pytest.raises(click.UsageError):
        target_from("a:b", headers={"A": "b"})
