"""Sets one member of a JSON text and leaves every other byte as it is.

A host's configuration belongs to its owner: order, spacing and keys that nobody knows stay. Reading such a file into a
dictionary and writing it back would keep none of that. Texts given to this module must be valid JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_DECODER: Final = json.JSONDecoder(strict=False)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_INDENT: Final = "  "


class NoObject(Exception):  # noqa: N818 - it is what the caller needs to know
    """A member that should hold others holds something else."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: its key begins at `at`, its value stands between `start` and `end`."""

    key: str
    at: int
    start: int
    end: int


def members(text: str, at: int) -> tuple[list[Member], int]:
    """The members of the object that opens at `at`, and where its closing brace stands."""
    if text[at] != "{":
        raise NoObject
    found: list[Member] = []
    at = skip_space(text, at + 1)
    while text[at] != "}":
        at = skip_space(text, at + 1) if text[at] == "," else at
        key, end = _DECODER.raw_decode(text, at)
        start = skip_space(text, skip_space(text, end) + 1)
        _, end = _DECODER.raw_decode(text, start)
        found.append(Member(key, at, start, end))
        at = skip_space(text, end)
    return found, at


def member(text: str, at: int, key: str) -> Member | None:
    """The member of that name; of several, the one that readers take, which is the last."""
    return next((each for each in reversed(members(text, at)[0]) if each.key == key), None)


def with_member(text: str, container: str, name: str, value: object) -> str:
    """The text with `{container: {name: value}}` in it; raises `NoObject` where the container is none."""
    root = skip_space(text, 0)
    found = member(text, root, container)
    if found is None:
        return _inserted(text, root, container, {name: value})
    entry = member(text, found.start, name)
    if entry is None:
        return _inserted(text, found.start, name, value)
    return text[: entry.start] + _rendered(text, value, _gap(text, entry.at)) + text[entry.end :]


def skip_space(text: str, at: int) -> int:
    """Where the next token stands."""
    matched = _SPACE.match(text, at)
    return at if matched is None else matched.end()


def _inserted(text: str, at: int, key: str, value: object) -> str:
    """The text with one more member in the object that opens at `at`, laid out as those before it."""
    there, end = members(text, at)
    if there:
        last = there[-1]
        gap = _gap(text, last.at)
        return f"{text[: last.end]},{gap}{_keyed(text, key, value, gap)}{text[last.end :]}"
    outside = _newline(text) + _indent_of_line(text, at)
    gap = outside + _unit(text)
    return f"{text[: at + 1]}{gap}{_keyed(text, key, value, gap)}{outside}{text[end:]}"


def _keyed(text: str, key: str, value: object, gap: str) -> str:
    return f"{json.dumps(key, ensure_ascii=False)}: {_rendered(text, value, gap)}"


def _rendered(text: str, value: Any, gap: str) -> str:
    """A value as it stands after this gap: over several lines only where its neighbours have lines of their own."""
    if "\n" not in gap:
        return json.dumps(value, ensure_ascii=False)
    indent = gap.rpartition("\n")[2]
    return json.dumps(value, indent=_unit(text), ensure_ascii=False).replace("\n", _newline(text) + indent)


def _gap(text: str, at: int) -> str:
    """The space before a token."""
    return text[len(text[:at].rstrip(" \t\r\n")) : at]


def _indent_of_line(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: skip_space(line, 0)]


def _unit(text: str) -> str:
    """What the file indents with, as its first member shows."""
    first = members(text, skip_space(text, 0))[0]
    gap = _gap(text, first[0].at) if first else ""
    return gap.rpartition("\n")[2] or _INDENT if "\n" in gap else _INDENT


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
