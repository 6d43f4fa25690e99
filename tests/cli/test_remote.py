"""Servers behind a wire: programs that the command starts, and URLs; and what is said when there is none."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from cli_fixture_server import server
from cli_http_peer import Answer, always, answering, mcp, told
from cli_running import Run, python
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ValidationError

from mcp_server.cli.remote import Explanations
from mcp_server.cli.sessions import Session
from mcp_server.cli.targets import Target, ask

INTRODUCTION: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "peer", "version": "1"},
}


def tool_list(cursor: str | None) -> dict[str, Any]:
    """A page with one tool; the pages never end."""
    name = f"after_{cursor}" if cursor else "first"
    return {
        "tools": [{"name": name, "inputSchema": {"type": "object"}}],
        "nextCursor": {None: "a", "a": "b"}.get(cursor, "a"),
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
    }


@pytest.mark.parametrize("legacy", [(), ("--legacy",)])
def test_a_program_is_started_and_asked(fixture: str, legacy: tuple[str, ...]) -> None:
    shown = python("-m", "mcp_server", "inspect", "--json", *legacy, "--", sys.executable, fixture)
    found = json.loads(shown.stdout)
    assert found["serverInfo"]["name"] == "fixture"
    assert found["protocolVersion"] == ("2025-11-25" if legacy else "2026-07-28")
    assert len(found["tools"]) == 6
    assert [each["uriTemplate"] for each in found["resourceTemplates"]] == ["fixture://notes/{number}"]


def test_a_program_s_tools_are_called_and_heard(fixture: str) -> None:
    called = python("-m", "mcp_server", "call", "work", "--", sys.executable, fixture)
    assert (called.returncode, called.stdout) == (0, "done\n")
    assert re.search('info: begun\ninfo: {"step": 1}\n1/2 half\n2\n', called.stderr)


def test_an_error_of_a_program_s_tool_exits_with_1(fixture: str) -> None:
    called = python("-m", "mcp_server", "call", "fail", "--", sys.executable, fixture)
    assert (called.returncode, called.stdout) == (1, "")
    assert called.stderr.endswith("the cupboard is bare\n")


def test_main_is_served_to_the_official_client() -> None:
    called = python("-m", "mcp_server", "call", "search_items", "query=tea", "limit=1", "--", sys.executable, "main.py")
    assert len(json.loads(called.stdout)["items"]) == 1


@pytest.mark.parametrize(
    ("patience", "command", "said"),
    [
        ("60", ["no-such-program"], "There is no program no-such-program to start"),
        ("60", ["true"], "true ended before it had answered"),
        ("60", ["cat"], "cat is no MCP server"),
        ("0.5", ["sleep", "600"], "'sleep 600' did not answer within 0.5 s"),
    ],
)
def test_a_program_that_is_no_server_is_told_in_a_line(patience: str, command: list[str], said: str) -> None:
    refused = python("-m", "mcp_server", "tools", "--legacy", "--timeout", patience, "--", *command)
    assert refused.returncode == 1
    assert said.replace("'", "") in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stderr.count("\n") == 2


def test_a_url_is_asked(run: Run) -> None:
    with answering(mcp(server)) as peer:
        assert run("call", "echo", peer.url, "text=over the wire").stdout == "over the wire\n"
        assert run("inspect", peer.url).output.startswith("fixture 2.0\n  speaks        2026-07-28, ")


def test_a_key_and_headers_are_sent(run: Run) -> None:
    with answering(mcp(server)) as peer:
        run("tools", peer.url, "--key", "k3y", "--header", "X-Team: tools")
    assert {each["authorization"] for each in map(lowered, peer.headers)} == {"Bearer k3y"}
    assert {each["x-team"] for each in map(lowered, peer.headers)} == {"tools"}


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_a_list_is_read_over_all_its_pages_and_not_for_ever(run: Run) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        if body["method"] == "server/discover":
            return mcp(server)(body)
        result = tool_list(body["params"].get("cursor"))
        return told(body, {"result": result})

    with answering(answer) as peer:
        listed = json.loads(run("tools", peer.url, "--json").output)
    assert [tool["name"] for tool in listed] == ["first", "after_a", "after_b"]


def test_what_a_url_refuses_later_is_told(run: Run) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        if body["method"] != "tools/call":
            return mcp(server)(body)
        return told(body, {"error": {"code": -32602, "message": "not today"}}, 404)

    with answering(answer) as peer:
        refused = run("call", "echo", peer.url, "text=x")
    assert refused.exit_code == 1
    assert "The server refused: not today (-32602)" in refused.stderr


def test_what_breaks_the_rules_of_the_protocol_is_told(run: Run) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        if body["method"] == "server/discover":
            return mcp(server)(body)
        return told(body, {"result": {"tools": "all"}})

    with answering(answer) as peer:
        refused = run("tools", peer.url)
    assert refused.exit_code == 1
    assert "sends what MCP does not allow" in refused.stderr


@pytest.mark.parametrize(
    ("status", "said", "todo"),
    [
        (401, "wants a key", "--key KEY"),
        (403, "refuses this caller", "Check the key"),
        (404, "There is no MCP server at http://", "usually /mcp"),
        (405, "There is no MCP server at http://", "usually /mcp"),
        (421, "does not go by this host name", "ALLOWED_HOSTS"),
        (429, "too many requests", "Wait"),
        (502, "is broken (502)", "log"),
    ],
)
def test_a_status_is_told_in_words_with_what_to_do(run: Run, status: int, said: str, todo: str) -> None:
    with answering(always(status, "text/plain", b"no")) as peer:
        refused = run("tools", peer.url)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert todo in refused.stderr


@pytest.mark.parametrize(
    "answer",
    [
        always(200, "text/html", b"<html>"),
        always(200, "application/json", b"{not json"),
        always(400, "application/json", b'{"error": "no"}'),
    ],
)
def test_a_web_site_is_no_mcp_server(run: Run, answer: Callable[[dict[str, Any]], Answer]) -> None:
    with answering(answer) as peer:
        refused = run("tools", peer.url)
    assert refused.exit_code == 1
    assert "is no MCP server" in refused.stderr
    assert "usually /mcp" in refused.stderr


def test_nobody_at_the_url_is_told(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused = run("tools", f"http://127.0.0.1:{port}/mcp")
    assert refused.exit_code == 1
    assert f"Nobody answers at http://127.0.0.1:{port}/mcp\n" in refused.stderr
    assert "Start the server (mcp-server run --http)" in refused.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/mcp", "http:///mcp", "https://host:port/", "http://[::1/mcp"])
def test_a_url_that_is_none_is_told(run: Run, url: str) -> None:
    refused = run("tools", url)
    assert refused.exit_code == 2
    assert f"{url} is no URL" in refused.stderr


def test_only_lists_that_the_server_offers_are_asked_for(run: Run) -> None:
    heard: list[str] = []
    with answering(of_old(heard)) as peer:
        shown = json.loads(run("inspect", peer.url, "--legacy", "--json").output)
    assert [method for method in heard if method.endswith("/list")] == ["tools/list"]
    assert (shown["resources"], shown["prompts"]) == ([], [])


def validation_error() -> ValidationError:
    class Strict(BaseModel):
        number: int

    with pytest.raises(ValidationError) as raised:
        Strict.model_validate({})
    return raised.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "has a certificate that does not hold"),
        (httpx2.ReadTimeout("slow"), "did not answer within 7 s"),
        (httpx2.ReadError("reset"), "https://host/mcp: reset"),
        (httpx2.InvalidURL("odd"), "https://host/mcp: odd"),
        (RuntimeError("Invalid structured content"), "https://host/mcp: Invalid structured content"),
        (MCPError(-32001, "Request timed out"), "did not answer within 7 s"),
        (validation_error(), "sends what MCP does not allow (Strict)"),
    ],
)
def test_every_way_to_fail_has_its_words(error: Exception, said: str) -> None:
    assert said in Explanations(Target(url="https://host/mcp", timeout=7))(error).message


def test_a_problem_of_the_command_passes_through_the_client_s_task_groups(run: Run) -> None:
    with answering(mcp(server)) as peer:
        refused = run("call", "no_such_tool", peer.url)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: The server has no tool no_such_tool\n")


def test_a_mistake_of_ours_is_not_put_on_the_server() -> None:
    async def mistaken(_: Session) -> None:
        raise KeyError("ours")

    with answering(mcp(server)) as peer, pytest.raises(ExceptionGroup):
        ask(Target(url=peer.url), mistaken)


def of_old(heard: list[str]) -> Callable[[dict[str, Any]], Answer]:
    """The answers of a server that wants a handshake and has nothing but tools."""

    def answer(body: dict[str, Any]) -> Answer:
        heard.append(body["method"])
        if body["method"].startswith("notifications/"):
            return 202, {}, b""
        return told(body, {"result": INTRODUCTION}) if body["method"] == "initialize" else mcp(server)(body)

    return answer


def test_doctor_asks_a_url_as_openai_does(run: Run) -> None:
    heard: list[str] = []
    with answering(of_old(heard)) as peer:
        result = run("doctor", peer.url)
    assert heard[:4] == ["initialize", "notifications/initialized", "tools/list", "tools/call"]
    assert "warn  127.0.0.1 is not public" in result.output
    assert "warn  The server answers without a key" in result.output
    assert "ok    tools/call: echo" in result.output
