"""`mcp-server inspect` and `mcp-server doctor`."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cli_running import Run

from mcp_server.cli import doctor
from mcp_server.cli.problem import Problem
from mcp_server.cli.sessions import About, Kind, deaf
from mcp_server.cli.targets import Target

GOOD: dict[str, Any] = {
    "name": "good",
    "description": "Good.",
    "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
    "annotations": {"readOnlyHint": True},
}


class Peer:
    """A session with a server that is nothing but a list of tools."""

    def __init__(self, *tools: dict[str, Any], result: dict[str, Any] | Problem | None = None) -> None:
        self.about = About({"name": "peer"}, "2025-11-25", (), {"tools": {}}, None)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self._tools = list(tools)
        self._result = result or {"content": [{"type": "text", "text": "fine"}]}

    async def entries(self, kind: Kind) -> list[dict[str, Any]]:
        return self._tools

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((name, arguments))
        if isinstance(self._result, Problem):
            raise self._result
        return self._result


def findings(peer: Peer, name: str | None = None, arguments: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    async def main() -> list[tuple[str, str]]:
        return [(each.level, each.what) async for each in doctor.examined(peer, name, arguments)]

    return asyncio.run(main())


def test_inspect_shows_all_that_a_server_has(run: Run, fixture: str) -> None:
    shown = run("inspect", fixture).output
    assert shown.startswith("fixture 2.0\n  speaks        2026-07-28, 2025-11-25")
    assert "  capabilities  logging, prompts, resources, tools\n  instructions  Only for tests.\n" in shown
    assert "  echo(text) [read-only]\n      Say it again.\n      ! text: give the string a length" in shown
    assert "Resources\n  fixture://note  A note.\n" in shown
    assert "Resource templates\n  fixture://notes/{number}\n" in shown
    assert "Prompts\n  ask(what, how?)  Ask for something.\n" in shown


def test_inspect_shows_a_title_and_only_lists_that_hold_something(run: Run, fixture: str) -> None:
    assert run("inspect").output.startswith("catalog 0.1.0: Sample catalogue\n")
    assert run("inspect", f"{fixture}:other").output.count("\n") == 3


def test_inspect_as_json_holds_the_lists_and_the_advice(run: Run, fixture: str) -> None:
    shown = json.loads(run("inspect", fixture, "--json").output)
    assert shown["serverInfo"]["name"] == "fixture"
    assert shown["supportedVersions"][0] == "2026-07-28"
    assert [each["name"] for each in shown["prompts"]] == ["ask"]
    assert "text: give the string a length" in shown["advice"]["echo"][0]


def test_a_server_without_a_name_is_shown_as_such() -> None:
    assert About({}, "2026-07-28", (), {}, None).name == "(no name)"


def test_nothing_is_heard_where_nobody_listens() -> None:
    assert deaf("notifications/progress", {}) is None


def test_doctor_finds_the_sample_in_good_health(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert [line[:4] for line in result.output.splitlines()] == ["ok  ", "ok  ", "ok  "]
    assert "initialize: catalog 0.1.0, 2025-11-25" in result.output


def test_doctor_shows_advice_below_its_finding(run: Run, fixture: str) -> None:
    result = run("doctor", fixture)
    assert result.exit_code == 0
    assert "warn  echo: the schema could say more\n      text: give the string a length" in result.output


def test_doctor_as_json_is_a_list_of_findings(run: Run) -> None:
    assert {each["level"] for each in json.loads(run("doctor", "--json").output)} == {"ok"}


def test_doctor_calls_what_it_is_told_to(run: Run, fixture: str) -> None:
    result = run("doctor", fixture, "--tool", "fail")
    assert "fail answered {} with an error\n      It was 'the cupboard is bare'" in result.output


def test_doctor_takes_arguments_for_a_tool(run: Run, fixture: str) -> None:
    assert "ok    tools/call: echo in" in run("doctor", fixture, "--tool", "echo", "--args", '{"text": "x"}').output


def test_arguments_without_a_tool_are_refused(run: Run) -> None:
    refused = run("doctor", "--args", "{}")
    assert refused.exit_code == 2
    assert "--args goes with --tool" in refused.stderr


def test_a_server_without_tools_fails(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bare_server.py"
    path.write_text("from mcp_server import Server\nserver = Server('bare')\n")
    result = run("doctor", str(path))
    assert result.exit_code == 1
    assert "FAIL  tools/list: there are no tools" in result.output


def test_a_good_server_gives_no_cause_for_complaint() -> None:
    peer = Peer(GOOD)
    assert [level for level, _ in findings(peer)] == ["ok", "ok", "ok"]
    assert peer.calls == [("good", {})]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "not good"}, ("failure", "not good: hosts refuse this tool")),
        ({"inputSchema": {"type": "object"}}, ("warning", "good: the schema allows other arguments")),
        (
            {"inputSchema": {**GOOD["inputSchema"], "$schema": "https://x"}},
            ("warning", "good: the schema has a $schema"),
        ),
        ({"description": ""}, ("warning", "good: there is no description")),
    ],
)
def test_what_hosts_stumble_over_is_found(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in findings(Peer({**GOOD, **change}))


def test_more_tools_than_hosts_take_are_found() -> None:
    tools = [{**GOOD, "name": f"tool{number}"} for number in range(101)]
    assert ("warning", "There are 101 tools") in findings(Peer(*tools))


def test_slow_answers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "now", itertools.count(0, 7.5).__next__)
    found = findings(Peer(GOOD))
    assert ("warning", "tools/list took 7.5 s") in found
    assert ("warning", "good took 7.5 s") in found


def test_a_tool_that_may_change_things_is_not_called() -> None:
    peer = Peer({**GOOD, "annotations": {}})
    assert findings(peer)[-1] == ("warning", "tools/call: not tried, as no tool is read-only")
    assert peer.calls == []


def test_a_tool_whose_arguments_cannot_be_made_up_is_not_called() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}, "required": ["day"]}
    found = findings(Peer({**GOOD, "inputSchema": schema}))
    assert found[-1] == ("warning", "tools/call: no arguments could be made up for good")


def test_a_call_that_the_server_refuses_is_a_failure() -> None:
    found = findings(Peer(GOOD, result=Problem("no", "way")))
    assert found[-1] == ("failure", "tools/call: no")


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        ("https://mcp.example.com/mcp", {"Authorization": "x"}, []),
        ("https://mcp.example.com/mcp", {}, ["The server answers without a key"]),
        ("http://mcp.example.com/mcp", {"Authorization": "x"}, ["The URL is not https"]),
        ("http://localhost:8000/mcp", {"Authorization": "x"}, ["localhost is not public"]),
        ("http://10.0.0.1/mcp", {"Authorization": "x"}, ["10.0.0.1 is not public"]),
        ("https://8.8.8.8/mcp", {"Authorization": "x"}, []),
    ],
)
def test_an_address_is_judged(url: str, headers: dict[str, str], expected: list[str]) -> None:
    target = Target(url=url, headers=headers)
    assert [each.what for each in [*doctor.address(target), *doctor.guarded(target)]] == expected


def test_only_a_url_has_an_address() -> None:
    assert [*doctor.address(Target()), *doctor.guarded(Target())] == []
