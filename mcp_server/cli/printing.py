"""How things look on a terminal: tables, JSON, a line of somebody else's text. Knows nothing of servers."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Final

_GAP: Final = "  "
_HARMLESS: Final = "\n\t"
_LEAST: Final = 20


def as_json(value: object) -> str:
    """A value as JSON, for people and programs."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def harmless(text: str) -> str:
    """Text without the characters by which it could take over a terminal."""
    return "".join(each if each.isprintable() or each in _HARMLESS else "\N{REPLACEMENT CHARACTER}" for each in text)


def one_line(text: str) -> str:
    """The first paragraph of a text as one line, harmless."""
    return " ".join(harmless(text).strip().partition("\n\n")[0].split())


def terminal_width() -> int | None:
    """How wide the terminal is; None where the output goes elsewhere and nothing has to be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Columns side by side; where there is a width, the last column is cut to it."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    left = max(_LEAST, width - sum(widths) - len(_GAP) * len(widths)) if width else None
    return "\n".join(_row(line, widths, left) for line in lines)


def _row(cells: Sequence[str], widths: Sequence[int], left: int | None) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return _GAP.join([*padded, _cut(cells[-1], left)]).rstrip()


def _cut(text: str, length: int | None) -> str:
    return text if length is None or len(text) <= length else text[: length - 3] + "..."
