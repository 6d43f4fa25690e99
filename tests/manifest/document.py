"""Renders the manifest as `docs/requirements.md`: `python tests/manifest/document.py` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from requirements import CHAPTERS, TRANSPORTS, Requirement

from mcp_server.protocol.versions import ALL_VERSIONS, LEGACY_VERSIONS

PATH: Final = Path(__file__).parents[2] / "docs" / "requirements.md"

_SPECIFICATION: Final = "https://modelcontextprotocol.io/specification/"
_INTRODUCTION: Final = """\
# Requirements

What this server promises on the wire, line by line, with the page of the specification that asks for it. Every line is
proved by tests that bear its id (`@pytest.mark.requirement`), over every transport and in every version that it names.

The transports are `memory` (the engine, in the same process), `stdio` (a process of its own), `http` (`POST /mcp`),
`events` (`POST /mcp/sse`) and `http+sse` (the two addresses of 2024-11-05). What concerns several messages of one
connection is not asked of 2026-07-28 over HTTP, where each request stands alone.

`OURS` marks a promise beyond the specification. This page is made from `tests/manifest/requirements.py` by
`python tests/manifest/document.py`.
"""


def document() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *(_chapter(title, table) for title, table in CHAPTERS.items())])


def _chapter(title: str, table: Mapping[str, Requirement]) -> str:
    rows = [
        f"| {key} | {each.text} | {_level(each)} | {_versions(each)} | {_transports(each)} |"
        for key, each in table.items()
    ]
    heading = ["| id | what holds | level | versions | transports |", "|---|---|---|---|---|"]
    return "\n".join([f"## {title}", "", *heading, *rows, ""])


def _transports(requirement: Requirement) -> str:
    if not requirement.transports:
        return requirement.elsewhere
    seen = {transport for transport, _ in requirement.cells}
    return ", ".join(transport for transport in TRANSPORTS if transport in seen)


def _level(requirement: Requirement) -> str:
    return f"[{requirement.level}]({_SPECIFICATION}{requirement.spec})" if requirement.spec else requirement.level


def _versions(requirement: Requirement) -> str:
    versions = requirement.versions
    if versions == ALL_VERSIONS:
        return "all"
    if versions == LEGACY_VERSIONS:
        return f"until {versions[-1]}"
    return versions[0] if len(versions) == 1 else f"since {versions[0]}"


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
