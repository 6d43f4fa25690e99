"""Clients of others, each in a process of its own, against the fixture server over stdio and HTTP.

What each needs in order to list, call, see progress, cancel, be asked and read.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ElicitResult

from tests.installed import INSPECTOR, MCP_REMOTE, node, node_packages, python_with
from tests.served import KEY, PATIENCE, Site, served

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FIXTURE = "tests.conformance.everything:server"
STDIO = [sys.executable, str(ROOT / "main.py")]

TYPESCRIPT = ("@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0")
APPS = ("@modelcontextprotocol/ext-apps@2.0.4", "@modelcontextprotocol/client@2.4.0", "zod@4.6.7")
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
    assert seen["progressed"] == {"said": "Told of progress three times.", "progress": [0, 50, 100]}
    assert seen["elicited"] == "User response: accept"
    assert seen["sampled"] == "LLM response: forty-two"
    assert seen["roots"].startswith("file:///workspace")
    assert [each for each in seen["asked"] if each != "roots"] == ["Who are you?", "sampling"]
    assert seen["read"] == "This is the content of the static text resource."
    assert seen["prompt"] == 1
    assert seen["wrong"] is True
    assert seen["cancelled"] == ["aborted", "cancelled"]


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
    check(seen_by([node(), HERE / "node/client.mjs", major, mode, kind, *target], CLIENT_HOME=str(home)))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("kind", ["stdio", "http"])
def test_the_client_of_fastmcp(site: Site, kind: str, mode: str) -> None:
    target = ["-", *STDIO] if kind == "stdio" else [f"{site.url}/mcp", KEY]
    check(seen_by([python_with(FASTMCP), HERE / "fastmcp_client.py", mode, *target]))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("kind", ["stdio", "http"])
def test_a_host_of_apps(site: Site, kind: str, mode: str) -> None:
    target = STDIO if kind == "stdio" else [f"{site.url}/mcp", KEY]
    home = str(node_packages(*APPS))
    assert seen_by([node(), HERE / "node/host.mjs", mode, kind, *target], CLIENT_HOME=home) == {
        "told": {},
        "uri": "ui://everything/clock",
        "mimeType": "text/html;profile=mcp-app",
        "isHtml": True,
        "csp": {"connectDomains": ["https://time.example.com"]},
        "allow": "clipboard-write",
        "shown": "It is noon.",
        "called": "from the page",
    }


class Inspector:
    """The Inspector on the command line; each question is a connection of its own."""

    def __init__(self, site: Site, kind: str, era: str) -> None:
        inspector = [node(), node_packages(INSPECTOR) / "node_modules/.bin/mcp-inspector", "--cli"]
        if kind == "stdio":
            target = [*STDIO, "-e", f"MCP_APP={FIXTURE}", "-e", "STORE_URL=memory://"]
        else:
            url = site.url + ("/mcp/sse" if kind == "sse" else "/mcp")
            target = [url, "--transport", kind, "--header", f"Authorization: Bearer {KEY}"]
        self._command = [*inspector, *target, "--protocol-era", era, "--method"]

    def says(self, method: str, *more: str) -> str:
        """What it prints."""
        return output([*self._command, method, *more])

    def ask(self, method: str, *more: str) -> Any:
        """What it prints, which is JSON."""
        return json.loads(self.says(method, *more))


@pytest.fixture(
    params=["stdio legacy", "stdio modern", "http legacy", "http modern", "sse legacy"], ids=lambda way: way
)
def inspector(request: pytest.FixtureRequest, site: Site) -> Inspector:
    return Inspector(site, *request.param.split())


def test_the_inspector_lists_calls_and_reads(inspector: Inspector) -> None:
    assert "add" in {tool["name"] for tool in inspector.ask("tools/list")["tools"]}
    called = inspector.ask("tools/call", "--tool-name", "add", "--tool-arg", "a=2", "--tool-arg", "b=3")
    assert called["content"][0]["text"] == "5"
    read = inspector.ask("resources/read", "--uri", "test://static-text")
    assert read["contents"][0]["text"] == "This is the content of the static text resource."
    arguments = ["--prompt-args", "arg1=tea", "arg2=milk"]
    prompt = inspector.ask("prompts/get", "--prompt-name", "test_prompt_with_arguments", *arguments)
    assert "arg1='tea'" in prompt["messages"][0]["content"]["text"]


def test_the_inspector_finds_the_app_of_a_tool(inspector: Inspector) -> None:
    assert inspector.ask("tools/call", "--tool-name", "show_time", "--app-info") == {
        "hasApp": True,
        "toolName": "show_time",
        "resourceUri": "ui://everything/clock",
        "resourceMimeType": "text/html;profile=mcp-app",
        "csp": {"connectDomains": ["https://time.example.com"]},
        "permissions": {"clipboardWrite": {}},
    }


def test_the_inspector_verifies_skills_file_by_file(inspector: Inspector) -> None:
    reports = [json.loads(line) for line in inspector.says("skills/list", "--verify").splitlines() if line[:1] == "{"]
    assert [(each["name"], each["outcome"], each["conformance"]) for each in reports] == [
        ("refunds", "verified", []),
        ("git-workflow", "verified", []),
    ]
    folder = inspector.ask("resources/directory/read", "--uri", "skill://acme/refunds/templates")
    assert [each["uri"] for each in folder["resources"]] == ["skill://acme/refunds/templates/letter.md"]


@pytest.mark.parametrize("transport", ["http-only", "sse-only"])
def test_mcp_remote_brings_a_url_to_a_client_of_stdio(site: Site, transport: str, tmp_path: Path) -> None:
    home = node_packages(MCP_REMOTE)
    path = "/mcp/sse" if transport == "sse-only" else "/mcp"
    proxy = [
        str(home / "node_modules/.bin/mcp-remote"), site.url + path, "--transport", transport,
        "--header", f"Authorization: Bearer {KEY}",
    ]  # fmt: skip
    environment = {"MCP_REMOTE_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    asyncio.run(_through_a_proxy(StdioServerParameters(command=str(node()), args=proxy, env=environment)))


async def _through_a_proxy(proxy: StdioServerParameters) -> None:
    """List, call, see progress, be asked, read, get a prompt and give up a call."""
    seen: list[float] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async def user(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"username": "ada", "email": "ada@example.com"})

    with anyio.fail_after(2 * PATIENCE):
        async with Client(stdio_client(proxy), mode="legacy", elicitation_callback=user) as client:
            assert "add" in {tool.name for tool in (await client.list_tools()).tools}
            assert await text_of(client, "add", a=2, b=3) == "5"
            await client.call_tool("test_tool_with_progress", {}, progress_callback=told)
            assert seen == [0, 50, 100]
            assert await text_of(client, "test_elicitation", message="Who are you?") == "User response: accept"
            [contents] = (await client.read_resource("test://static-text")).contents
            assert contents.mime_type == "text/plain"
            assert (await client.get_prompt("test_simple_prompt")).messages
            assert await _given_up(client) == "cancelled"


async def _given_up(client: Client) -> str:
    """How a call ended that its caller gave up once it had reached the server."""
    tag = f"proxied-{uuid.uuid4()}"
    attempt = 0
    while True:
        attempt += 1
        running = asyncio.ensure_future(client.call_tool("slow", {"seconds": 60, "tag": tag}))
        await asyncio.sleep(0.05 * attempt)
        running.cancel()
        await asyncio.wait([running])
        for _ in range(20):
            for each in json.loads(await text_of(client, "cancel_log")):
                if each["tag"] == tag:
                    return each["ended"]


async def text_of(client: Client, tool: str, **arguments: Any) -> str:
    """The text that a tool answers with."""
    return (await client.call_tool(tool, arguments)).content[0].model_dump()["text"]
