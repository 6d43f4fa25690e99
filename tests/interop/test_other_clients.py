"""Clients of others, each in a process of its own, against the fixture server over stdio and HTTP.

What each needs in order to list, call, see progress, cancel, be asked and read.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.installed import node, node_packages, python_with
from tests.served import KEY, PATIENCE, Site, served

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FIXTURE = "tests.conformance.everything:server"
STDIO = [sys.executable, str(ROOT / "main.py")]

TYPESCRIPT = ("@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0")
INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
MCP_REMOTE = "mcp-remote@0.15.1"
FASTMCP = "fastmcp==4.1.*"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The fixture server behind HTTP."""
    with served(MCP_APP=FIXTURE, RATE_LIMIT="1000000/minute") as found:
        yield found


def output(command: Sequence[str | Path], **environment: str) -> str:
    """What a program prints."""
    variables = {**os.environ, "MCP_APP": FIXTURE, **environment}
    ran = subprocess.run(
        [str(each) for each in command], cwd=ROOT, env=variables,
        capture_output=True, text=True, timeout=4 * PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout


def seen_by(command: Sequence[str | Path], **environment: str) -> dict[str, Any]:
    """What one of our drivers says that a client saw: the last line that it prints."""
    return json.loads(output(command, **environment).splitlines()[-1])


def check(seen: dict[str, Any]) -> None:
    """Hold what a client saw against what the fixture server has."""
    assert {"add", "echo", "slow", "test_elicitation"} <= set(seen["tools"])
    assert seen["sum"] == "5"
    assert seen["progress"] == [0, 50, 100]
    assert seen["progressed"] == "Told of progress three times."
    assert seen["elicited"] == "User response: accept"
    assert seen["sampled"] == "LLM response: forty-two"
    assert seen["asked"] == ["Who are you?", "sampling"]
    assert seen["read"] == "This is the content of the static text resource."
    assert seen["prompt"] == 1
    assert seen["wrong"] is True


@pytest.mark.parametrize(
    ("major", "mode", "kind"),
    [
        ("1", "legacy", "stdio"), ("2", "legacy", "stdio"), ("2", "auto", "stdio"),
        ("1", "legacy", "http"), ("2", "legacy", "http"), ("2", "auto", "http"),
        ("1", "legacy", "sse"),
    ],
)  # fmt: skip
def test_the_typescript_clients(site: Site, major: str, mode: str, kind: str) -> None:
    home = node_packages(*TYPESCRIPT)
    path = "/mcp/sse" if kind == "sse" else "/mcp"
    target = STDIO if kind == "stdio" else [site.url + path, KEY]
    seen = seen_by([node(), HERE / "node/client.mjs", major, mode, kind, *target], CLIENT_HOME=str(home))
    check(seen)
    assert seen["cancelled"] == ["aborted", "cancelled"]


@pytest.mark.parametrize("kind", ["stdio", "http"])
def test_the_client_of_fastmcp(site: Site, kind: str) -> None:
    target = ["-", *STDIO] if kind == "stdio" else [f"{site.url}/mcp", KEY]
    check(seen_by([python_with(FASTMCP), HERE / "fastmcp_client.py", *target]))


@pytest.mark.parametrize("kind", ["stdio", "http", "sse"])
def test_the_inspector(site: Site, kind: str) -> None:
    home = node_packages(INSPECTOR)
    inspector = [node(), home / "node_modules/.bin/mcp-inspector", "--cli"]
    if kind == "stdio":
        target = [*STDIO, "-e", f"MCP_APP={FIXTURE}", "-e", "STORE_URL=memory://"]
    else:
        url = site.url + ("/mcp/sse" if kind == "sse" else "/mcp")
        target = [url, "--transport", kind, "--header", f"Authorization: Bearer {KEY}"]

    def ask(method: str, *more: str) -> Any:
        return json.loads(output([*inspector, *target, "--method", method, *more]))

    assert "add" in {tool["name"] for tool in ask("tools/list")["tools"]}
    called = ask("tools/call", "--tool-name", "add", "--tool-arg", "a=2", "--tool-arg", "b=3")
    assert called["content"][0]["text"] == "5"
    read = ask("resources/read", "--uri", "test://static-text")
    assert read["contents"][0]["text"] == "This is the content of the static text resource."


@pytest.mark.parametrize("transport", ["http-only", "sse-only"])
def test_mcp_remote_brings_a_url_to_a_client_of_stdio(site: Site, transport: str, tmp_path: Path) -> None:
    home = node_packages(MCP_REMOTE)
    path = "/mcp/sse" if transport == "sse-only" else "/mcp"
    proxy = [
        str(home / "node_modules/.bin/mcp-remote"), site.url + path, "--transport", transport,
        "--header", f"Authorization: Bearer {KEY}",
    ]  # fmt: skip
    seen: list[float] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async def main() -> None:
        environment = {"MCP_REMOTE_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        way = stdio_client(StdioServerParameters(command=str(node()), args=proxy, env=environment))
        with anyio.fail_after(PATIENCE):
            async with Client(way, mode="legacy") as client:
                assert "add" in {tool.name for tool in (await client.list_tools()).tools}
                answer = await client.call_tool("add", {"a": 2, "b": 3})
                assert answer.content[0].model_dump()["text"] == "5"
                await client.call_tool("test_tool_with_progress", {}, progress_callback=told)
                [contents] = (await client.read_resource("test://static-text")).contents
                assert contents.mime_type == "text/plain"

    asyncio.run(main())
    assert seen == [0, 50, 100]
