"""`mcp-server inspect`: everything a server says of itself, with advice on its schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from mcp_server.cli.printing import as_json, harmless, one_line
from mcp_server.cli.sessions import CAPABILITY, About, Entry, Kind, Session
from mcp_server.cli.targets import ForServer, Reach, ask, reaching
from mcp_server.cli.tools import hints, signature, summary


@dataclass(frozen=True, slots=True)
class Findings:
    """What a server offers; `advice` is what could be better about each tool that has something."""

    about: About
    entries: Mapping[Kind, Sequence[Entry]]
    advice: Mapping[str, list[str]]


@click.command("inspect", cls=ForServer)
@click.argument("target", required=False)
@click.option("--json", "raw", is_flag=True, help="Print it as JSON.")
@reaching
def command(reach: Reach, target: str | None, *, raw: bool) -> None:
    """Show what a server is and has."""
    findings = ask(reach(target), _look)
    click.echo(as_json(_data(findings)) if raw else "\n".join(_lines(findings)))


def advice_on(tool: Entry) -> list[str]:
    """What hosts refuse about a tool, and what a careful author would bound."""
    from mcp_server.registry.hosts import lint, refusals

    return [*refusals(tool["name"], tool["inputSchema"]), *lint(tool["inputSchema"])]


async def _look(session: Session) -> Findings:
    entries: dict[Kind, Sequence[Entry]] = {kind: await session.entries(kind) for kind in CAPABILITY}
    advice = {tool["name"]: found for tool in entries["tools"] if (found := advice_on(tool))}
    return Findings(session.about, entries, advice)


def _data(findings: Findings) -> dict[str, Any]:
    about = findings.about
    return {
        "serverInfo": about.info,
        "protocolVersion": about.version,
        "supportedVersions": about.versions,
        "capabilities": about.capabilities,
        "instructions": about.instructions,
        **findings.entries,
        "advice": findings.advice,
    }


def _lines(findings: Findings) -> Iterator[str]:
    about = findings.about
    title = about.info.get("title")
    yield harmless(f"{about.name}: {title}" if title else about.name)
    yield harmless(f"  speaks        {', '.join(about.versions) or about.version}")
    yield harmless(f"  capabilities  {', '.join(sorted(about.capabilities)) or 'none'}")
    if about.instructions:
        yield f"  instructions  {one_line(about.instructions)}"
    for kind, (heading, lines_of) in _SECTIONS.items():
        entries = findings.entries[kind]
        if entries:
            yield f"\n{heading}"
        for entry in entries:
            yield from (harmless(line) for line in lines_of(entry, findings.advice))


def _tool(tool: Entry, advice: Mapping[str, list[str]]) -> Iterator[str]:
    said = "".join(f" [{hint}]" for hint in hints(tool))
    yield f"  {tool['name']}({signature(tool)}){said}"
    if summary(tool):
        yield f"      {summary(tool)}"
    for each in advice.get(tool["name"], []):
        yield f"      ! {each}"


def _resource(entry: Entry, _: object) -> Iterator[str]:
    yield f"  {entry.get('uri') or entry['uriTemplate']}  {summary(entry)}".rstrip()


def _prompt(prompt: Entry, _: object) -> Iterator[str]:
    arguments = ", ".join(
        each["name"] + ("" if each.get("required") else "?") for each in prompt.get("arguments") or ()
    )
    yield f"  {prompt['name']}({arguments})  {summary(prompt)}".rstrip()


_SECTIONS: Final[dict[Kind, tuple[str, Callable[[Entry, Mapping[str, list[str]]], Iterator[str]]]]] = {
    "tools": ("Tools", _tool),
    "resources": ("Resources", _resource),
    "resourceTemplates": ("Resource templates", _resource),
    "prompts": ("Prompts", _prompt),
}
