"""Docstrings: a description, and what each parameter is for.

Google (`Args:`) and NumPy (`Parameters` over a rule of dashes) sections are understood. The description ends where the
first section begins, since what follows is for programmers. Nothing here looks at the function itself.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_PARAMETER_SECTIONS: Final = frozenset(
    {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters"}
)
_SECTIONS: Final = _PARAMETER_SECTIONS | {
    "attributes", "example", "examples", "note", "notes", "raises", "references", "return", "returns", "see also",
    "warning", "warnings", "warns", "yield", "yields",
}  # fmt: skip
_RULE: Final = re.compile(r"-{3,}\s*")
_GOOGLE_ENTRY: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:(?:\s+(.*)|)")
_NUMPY_ENTRY: Final = re.compile(r"\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*(?=\s*(?::|$))")


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring taken apart; parameters without a text are left out."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def parse(doc: str | None) -> Docstring:
    """Take a docstring apart; text in no known form is description as a whole."""
    lines = inspect.cleandoc(doc or "").splitlines()
    headers = [(index, *header) for index in range(len(lines)) if (header := _header(lines, index))]
    if not headers:
        return Docstring("\n".join(lines).strip())
    parameters: dict[str, str] = {}
    ends = [index for index, _, _ in headers[1:]] + [len(lines)]
    for (index, title, numpy), end in zip(headers, ends, strict=True):
        if title in _PARAMETER_SECTIONS:
            body = lines[index + (2 if numpy else 1) : end]
            parameters |= _numpy_entries(body) if numpy else _google_entries(body)
    return Docstring("\n".join(lines[: headers[0][0]]).strip(), parameters)


def _header(lines: Sequence[str], index: int) -> tuple[str, bool] | None:
    """The section that begins at this line, and whether it is in NumPy's form."""
    line = lines[index].rstrip()
    following = lines[index + 1] if index + 1 < len(lines) else ""
    if line.lower() in _SECTIONS and _RULE.fullmatch(following):
        return line.lower(), True
    if line.endswith(":") and line[:-1].lower() in _SECTIONS and following.startswith(" "):
        return line[:-1].lower(), False
    return None


def _google_entries(body: Sequence[str]) -> dict[str, str]:
    margin = _margin(body[0])
    entries: dict[str, list[str]] = {}
    texts: list[str] = []
    for line in body:
        if line and _margin(line) < margin:
            break  # prose after the section
        begins = _GOOGLE_ENTRY.fullmatch(line.strip()) if _margin(line) == margin else None
        if begins:
            texts = entries.setdefault(begins[1], [])
        texts.append((begins[2] or "") if begins else line.strip())
    return _joined(entries)


def _numpy_entries(body: Sequence[str]) -> dict[str, str]:
    entries: dict[str, list[str]] = {}
    names: list[str] = []
    for line in body:
        if _margin(line) == 0 and (begins := _NUMPY_ENTRY.match(line)):
            names = [name.strip(" *") for name in begins[0].split(",")]
            entries |= {name: [] for name in names}
        else:
            for name in names:
                entries[name].append(line.strip())
    return _joined(entries)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(entries: dict[str, list[str]]) -> dict[str, str]:
    texts = {name: " ".join(filter(None, lines)) for name, lines in entries.items()}
    return {name: text for name, text in texts.items() if text}
