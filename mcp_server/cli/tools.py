"""`mcp-server tools`: what a server can do, as a table, as JSON, or as a page of documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import click

from mcp_server.cli.printing import as_json, harmless, one_line, table, terminal_width
from mcp_server.cli.schemas import Argument, arguments_of, rules_of
from mcp_server.cli.sessions import Entry
from mcp_server.cli.targets import ForServer, Reach, ask, reaching

_HINTS: Final = {
    "readOnlyHint": "read-only",
    "destructiveHint": "destructive",
    "idempotentHint": "idempotent",
    "openWorldHint": "open world",
}


@click.command("tools", cls=ForServer)
@click.argument("target", required=False)
@click.option("--json", "form", flag_value="json", help="Print the list as the server sent it.")
@click.option("--markdown", "form", flag_value="markdown", help="Print documentation.")
@reaching
def command(reach: Reach, target: str | None, form: str | None) -> None:
    """List the tools of a server."""
    tools = ask(reach(target), lambda session: session.entries("tools"))
    if form == "json":
        click.echo(as_json(tools))
    elif form == "markdown":
        click.echo(markdown(tools))
    elif tools:
        click.echo(table(["TOOL", "ARGUMENTS", "WHAT IT DOES"], [_row(tool) for tool in tools], terminal_width()))
    else:
        click.echo("The server has no tools.", err=True)


def signature(tool: Entry) -> str:
    """The arguments of a tool, as in `query, limit=10, cursor?`."""
    return harmless(", ".join(argument.brief for argument in arguments_of(tool["inputSchema"])))


def summary(tool: Entry) -> str:
    """What a tool does, on one line."""
    return one_line(tool.get("description") or tool.get("title") or "")


def hinted_by(tool: Entry) -> Mapping[str, Any]:
    """What the server hints at about a tool; it need not be true."""
    return cast("Mapping[str, Any] | None", tool.get("annotations")) or {}


def hints(tool: Entry) -> list[str]:
    """The hints in words."""
    hinted = hinted_by(tool)
    keys = ["readOnlyHint"] if hinted.get("readOnlyHint") else ["destructiveHint", "idempotentHint"]
    return [_HINTS[key] for key in (*keys, "openWorldHint") if hinted.get(key)]


def markdown(tools: Sequence[Entry]) -> str:
    """Documentation of the tools, a section each."""
    return "\n\n".join(["# Tools", *map(_section, tools)])


def _row(tool: Entry) -> list[str]:
    return [harmless(tool["name"]), signature(tool), summary(tool)]


def _section(tool: Entry) -> str:
    title: str | None = tool.get("title") or hinted_by(tool).get("title")
    parts: list[str | None] = [f"## `{tool['name']}`", title and f"**{title}**", tool.get("description", "").strip()]
    if said := hints(tool):
        parts.append(f"*{', '.join(said).capitalize()}.*")
    parts.append(_table_of(arguments_of(tool["inputSchema"])) or "No arguments.")
    if answer := _table_of(arguments_of(tool.get("outputSchema") or {}), what="Field"):
        parts += ["It answers with:", answer]
    return "\n\n".join(part for part in parts if part)


def _table_of(arguments: Sequence[Argument], what: str = "Argument") -> str:
    if not arguments:
        return ""
    lines = [f"| {what} | Type | Required | Meaning |", "|---|---|---|---|"]
    for each in arguments:
        cells = (f"`{each.name}`", " or ".join(each.kinds) or "any", "yes" if each.required else "no", _meaning(each))
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


def _meaning(argument: Argument) -> str:
    default = "" if argument.default is None else f"default {argument.default}"
    rules = "; ".join(part for part in (rules_of(argument.schema), default) if part)
    return " ".join(part for part in (argument.description, f"({rules})" if rules else "") if part)
