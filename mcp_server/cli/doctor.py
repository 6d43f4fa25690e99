"""`mcp-server doctor`: does what OpenAI does with a server, and says what would go wrong there and elsewhere.

That is: `initialize`, `tools/list`, `tools/call`, in a version with a handshake, and nothing else. The limits are
those of hosts as they behave, not of the specification.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, Iterator
from dataclasses import asdict, dataclass, replace
from time import monotonic as now
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import click

from mcp_server.cli.arguments import json_object
from mcp_server.cli.call import find, said
from mcp_server.cli.printing import as_json, harmless, one_line
from mcp_server.cli.problem import Misuse, Problem
from mcp_server.cli.schemas import NothingFits, smallest_arguments
from mcp_server.cli.sessions import Entry, Session
from mcp_server.cli.targets import ForServer, Reach, Target, ask, reaching
from mcp_server.cli.tools import hinted_by

_SLOW_LIST: Final = 1.0
_SLOW_CALL: Final = 5.0
"""The OpenAI Agents SDK waits no longer by default."""
_MANY_TOOLS: Final = 100
"""Windsurf takes no more, VS Code 128."""
_LEVELS: Final = {"ok": "ok  ", "warning": "warn", "failure": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `todo` is empty where nothing is."""

    level: Literal["ok", "warning", "failure"]
    what: str
    todo: str = ""


@click.command("doctor", cls=ForServer)
@click.argument("target", required=False)
@click.option("--tool", "name", metavar="NAME", help="The tool to call; else the first that is read-only.")
@click.option("--args", "written", metavar="JSON", help="Its arguments; else the smallest that its schema allows.")
@click.option("--login", is_flag=True, help="Instead, look for the way to its login, as a client without a key does.")
@click.option("--json", "raw", is_flag=True, help="Print the findings as JSON.")
@reaching
def command(reach: Reach, target: str | None, name: str | None, written: str | None, *, login: bool, raw: bool) -> None:
    """Check a server as OpenAI and other hosts will use it; exits with 1 if something fails."""
    if login:
        if name is not None or written is not None:
            raise Misuse("--login calls no tool", "Leave --tool and --args out.")
        from mcp_server.cli.doctor_login import way_in

        _tell(list(way_in(reach(target))), raw=raw)
        return
    if written is not None and name is None:
        raise Misuse("--args goes with --tool", "Name the tool whose arguments these are.")
    arguments = None if written is None else json_object(written, "--args")
    where = replace(reach(target), legacy=True)

    async def question(session: Session) -> list[Finding]:
        return [*address(where), *guarded(where), *[each async for each in examined(session, name, arguments)]]

    _tell(ask(where, question), raw=raw)


def _tell(findings: list[Finding], *, raw: bool) -> None:
    click.echo(as_json([asdict(each) for each in findings]) if raw else "\n".join(map(_shown, findings)))
    if any(each.level == "failure" for each in findings):
        raise SystemExit(1)


def _shown(finding: Finding) -> str:
    todo = f"\n      {finding.todo}" if finding.todo else ""
    return harmless(f"{_LEVELS[finding.level]}  {finding.what}{todo}")


def address(target: Target) -> Iterator[Finding]:
    """Whether a URL is one that somebody else's servers can reach, and should."""
    if target.url is None:
        return
    parts = urlsplit(target.url)
    if _is_private(parts.hostname or ""):
        yield Finding(
            "warning", f"{parts.hostname} is not public", "Hosts in the cloud need a public address, or a tunnel."
        )
    elif parts.scheme != "https":
        yield Finding("warning", "The URL is not https", "Keys travel in the open: put TLS before the server.")


def guarded(target: Target) -> Iterator[Finding]:
    """Whether a server that has answered wanted to know who asks."""
    if target.url is not None and not target.headers:
        yield Finding(
            "warning", "The server answers without a key", "Set MCP_API_KEY where it runs, if that is not meant."
        )


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".internal")) or "." not in host


async def examined(session: Session, name: str | None, arguments: dict[str, Any] | None) -> AsyncGenerator[Finding]:
    """Go through what OpenAI does, in its order; calls a tool at the end, the named one if there is a name."""
    yield Finding("ok", f"initialize: {session.about.name}, {session.about.version}")
    began = now()
    tools = await session.entries("tools")
    took = now() - began
    if not tools:
        yield Finding("failure", "tools/list: there are no tools", "OpenAI uses nothing else: give the server a tool.")
        return
    yield Finding("ok", f"tools/list: {len(tools)} tools in {took * 1000:.0f} ms")
    if took > _SLOW_LIST:
        yield Finding("warning", f"tools/list took {took:.1f} s", "Answer it within a second: hosts give up.")
    if len(tools) > _MANY_TOOLS:
        yield Finding("warning", f"There are {len(tools)} tools", f"Some hosts take {_MANY_TOOLS}: split the server.")
    for tool in tools:
        for finding in _schema(tool):
            yield finding
    async for finding in _called(session, tools, name, arguments):
        yield finding


def _schema(tool: Entry) -> Iterator[Finding]:
    from mcp_server.registry.hosts import lint, refusals

    name, schema = tool["name"], tool["inputSchema"]
    for text in refusals(name, schema):
        yield Finding("failure", f"{name}: hosts refuse this tool", text)
    if "$schema" in schema:
        yield Finding("warning", f"{name}: the schema has a $schema", "Leave it out: some converters fail on it.")
    if schema.get("additionalProperties") is not False:
        todo = "Strict function calling wants `additionalProperties: false`."
        yield Finding("warning", f"{name}: the schema allows other arguments", todo)
    if not tool.get("description"):
        yield Finding("warning", f"{name}: there is no description", "A model chooses by it: say when to use the tool.")
    if advice := lint(schema):
        yield Finding("warning", f"{name}: the schema could say more", "\n      ".join(advice))


async def _called(
    session: Session, tools: list[dict[str, Any]], name: str | None, arguments: dict[str, Any] | None
) -> AsyncGenerator[Finding]:
    tool = find(name, tools) if name else next((each for each in tools if hinted_by(each).get("readOnlyHint")), None)
    if tool is None:
        yield Finding(
            "warning", "tools/call: not tried, as no tool is read-only", "Name one that may be called: --tool NAME."
        )
        return
    try:
        given = smallest_arguments(tool["inputSchema"]) if arguments is None else arguments
    except NothingFits:
        todo = f"Write them: --tool {tool['name']} --args JSON."
        yield Finding("warning", f"tools/call: no arguments could be made up for {tool['name']}", todo)
        return
    began = now()
    try:
        result = await session.call_tool(tool["name"], given)
    except Problem as problem:
        yield Finding("failure", f"tools/call: {problem.message}", problem.todo)
        return
    took = now() - began
    if result.get("isError"):
        todo = f"It was {one_line(said(result))!r}; with --tool and --args you choose what is called."
        yield Finding("warning", f"tools/call: {tool['name']} answered {as_json(given)} with an error", todo)
    else:
        yield Finding("ok", f"tools/call: {tool['name']} in {took * 1000:.0f} ms")
    if took > _SLOW_CALL:
        yield Finding("warning", f"{tool['name']} took {took:.1f} s", "Hosts wait 5 to 60 s: answer sooner.")
