"""`mcp-server call`: call one tool, and print what it says."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mcp_server.cli.arguments import arguments_from, is_argument, json_object
from mcp_server.cli.printing import as_json, harmless
from mcp_server.cli.problem import Misuse, NoServer, Problem
from mcp_server.cli.sessions import LOG, PROGRESS, Entry, Session
from mcp_server.cli.targets import ForServer, Reach, ask, reaching


@click.command("call", cls=ForServer)
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[TARGET] [NAME=VALUE | NAME:=JSON]...")
@click.option("--args-file", metavar="FILE", help="A JSON object with arguments; - is standard input.")
@click.option("--json", "raw", is_flag=True, help="Print the whole result as JSON.")
@reaching
def command(reach: Reach, name: str, words: tuple[str, ...], args_file: str | None, *, raw: bool) -> None:
    """Call the tool NAME; exits with 1 if the tool answers with an error.

    A value is a string unless the tool says otherwise; after := it is always JSON.
    """
    where = [word for word in words if not is_argument(word)]
    if len(where) > 1:
        raise Misuse(f"{where[1]!r} is no argument", "Write name=value, or name:=json.")
    given = {} if args_file is None else _read(args_file)

    async def question(session: Session) -> dict[str, Any]:
        tool = find(name, await session.entries("tools"))
        written = arguments_from(filter(is_argument, words), tool["inputSchema"])
        return await session.call_tool(name, {**given, **written})

    try:
        result = ask(reach(where[0] if where else None), question, _tell)
    except NoServer as problem:
        # A word without `=` is taken for the server, and may have been meant as anything.
        raise NoServer(problem.message, f"{problem.todo} An argument is written name=value.") from None
    failed = bool(result.get("isError"))
    text = as_json(result) if raw else said(result)
    click.echo(harmless(text) if sys.stdout.isatty() else text, err=failed and not raw)
    if failed:
        raise SystemExit(1)


def find(name: str, tools: Sequence[Entry]) -> Entry:
    """The tool of that name; raises `Problem`, with the name that was probably meant."""
    names = [tool["name"] for tool in tools]
    if name in names:
        return tools[names.index(name)]
    close = difflib.get_close_matches(name, names, 1)
    todo = f"Did you mean {close[0]}?" if close else f"It has {', '.join(names) or 'no tools at all'}."
    raise Problem(f"The server has no tool {name}", harmless(todo))


def said(result: Mapping[str, Any]) -> str:
    """What a result says to a reader: its texts, and a word for everything else."""
    blocks = [_block(block) for block in result.get("content", [])]
    if not blocks and "structuredContent" in result:
        return as_json(result["structuredContent"])
    return "\n".join(blocks)


def _block(block: Mapping[str, Any]) -> str:
    match block["type"]:
        case "text":
            return block["text"]
        case "resource":
            resource = block["resource"]
            return resource.get("text") or f"[{resource['uri']}, {resource.get('mimeType', 'binary')}]"
        case "resource_link":
            return f"[{block['uri']}]"
        case kind:
            data: str = block.get("data", "")
            size = len(data) * 3 // 4 - data.count("=")
            return f"[{kind}, {block.get('mimeType', '')}, {size} bytes]"


def _read(file: str) -> dict[str, Any]:
    if file == "-":
        return json_object(sys.stdin.read(), "standard input")
    try:
        return json_object(Path(file).read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{file} cannot be read: {error}", "Name a JSON file, or - for standard input.") from None


def _tell(method: str, params: Mapping[str, Any]) -> None:
    """Show on standard error what a tool says before it is done."""
    if method == PROGRESS:
        done = f"{params['progress']:g}" + ("" if params.get("total") is None else f"/{params['total']:g}")
        click.echo(harmless(f"{done} {params.get('message') or ''}".rstrip()), err=True)
    elif method == LOG:
        data = params["data"]
        click.echo(harmless(f"{params['level']}: {data if isinstance(data, str) else json.dumps(data)}"), err=True)
