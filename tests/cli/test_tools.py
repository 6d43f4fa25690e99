"""`mcp-server tools`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_running import Run

from mcp_server.cli import tools as room
from mcp_server.cli.printing import harmless, one_line, table, terminal_width


def test_a_table_shows_names_arguments_and_summaries(run: Run, fixture: str) -> None:
    lines = run("tools", fixture).output.splitlines()
    assert lines[0].split() == ["TOOL", "ARGUMENTS", "WHAT", "IT", "DOES"]
    assert lines[1].split("  ")[0] == "echo"
    assert lines[1].endswith("  Say it again.")
    assert "flag, count, ratio, tags, options, maybe" in lines[2]


def test_defaults_are_shown(run: Run) -> None:
    assert "query, limit=10, cursor?" in run("tools").output


def test_json_is_the_list_as_it_was_sent(run: Run, fixture: str) -> None:
    listed = json.loads(run("tools", fixture, "--json").output)
    assert [tool["name"] for tool in listed] == ["echo", "typed", "fail", "show", "work", "vanish"]
    assert listed[0]["inputSchema"]["required"] == ["text"]


def test_markdown_documents_arguments_and_answers(run: Run) -> None:
    page = run("tools", "--markdown").output
    assert page.startswith("# Tools\n\n## `search_items`\n\n**Search the catalogue**\n")
    assert "*Read-only.*" in page
    assert "| `limit` | integer | no | How many results to show at once (1..50; default 10) |" in page
    assert "It answers with:\n\n| Field |" in page


def test_markdown_says_so_where_there_are_no_arguments(run: Run, fixture: str) -> None:
    page = run("tools", fixture, "--markdown").output
    assert "## `fail`\n\n*Destructive, idempotent, open world.*\n\nNo arguments." in page


def test_a_bar_in_a_description_breaks_no_table() -> None:
    schema = {"type": "object", "properties": {"a": {"description": "x | y"}}}
    assert r"| `a` | any | no | x \| y |" in room.markdown([{"name": "t", "inputSchema": schema}])


def test_a_server_without_tools_is_said_to_have_none(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty_server.py"
    path.write_text("from mcp_server import Server\nserver = Server('empty')\n")
    result = run("tools", str(path))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "The server has no tools.\n")


def test_a_table_is_cut_to_the_terminal() -> None:
    assert table(["A", "B"], [["one", "a text that is far too long for this"]], 30).splitlines() == [
        "A    B",
        "one  a text that is far too...",
    ]


def test_a_table_is_cut_no_further_than_can_be_read() -> None:
    assert "0123456789abcdefg..." in table(["A", "B"], [["x" * 40, "0123456789abcdefghijklmn"]], 30)


def test_only_a_terminal_has_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert terminal_width() == 77
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert terminal_width() is None


def test_a_text_cannot_take_over_the_terminal() -> None:
    assert harmless("a\x1b[2Jb\tc\n") == "a\N{REPLACEMENT CHARACTER}[2Jb\tc\n"


def test_one_line_is_the_first_paragraph() -> None:
    assert one_line("one\n  two\n\nthree") == "one two"
