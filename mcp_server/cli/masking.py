"""What of a configuration may be shown: all but the values in `env` and `headers`, which are where secrets stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_server.cli.config_text import Member, NoObject, member, members, skip_space

MASK: Final = '"***"'
_SECRET: Final = ("env", "headers")
_OPEN: Final = frozenset({"PATH", "PYTHONPATH"})


def masked(text: str, container: str) -> str:
    """The text with every secret of every server in the container replaced."""
    for value in sorted(_secrets(text, container), key=lambda value: value.start, reverse=True):
        text = text[: value.start] + MASK + text[value.end :]
    return text


def _secrets(text: str, container: str) -> Iterator[Member]:
    servers = member(text, skip_space(text, 0), container)
    if servers is None:
        return
    for server in _inside(text, servers):
        for part in _inside(text, server):
            if part.key in _SECRET:
                yield from (value for value in _inside(text, part) if value.key not in _OPEN)


def _inside(text: str, outer: Member) -> list[Member]:
    try:
        return members(text, outer.start)[0]
    except NoObject:
        return []
