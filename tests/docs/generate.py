"""Writes the files that repeat what another file says: `python tests/docs/generate.py`.

- `requirements.txt`, from the dependencies in `pyproject.toml`
- `docs/settings.md`, from the settings of the server
- the blocks in the pages below a mark such as `<!-- examples/minimal.py -->`, from the file that the mark names

The tests hold each of them against what is written here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, cast

from pydantic import SecretStr

from mcp_server.settings import Settings
from mcp_server.settings.variables import Variable, variables

ROOT: Final = Path(__file__).parents[2]
EXTRAS: Final = ("fast", "postgres", "redis")
"""What an image should have beside the dependencies: a faster loop, and the means to share what is kept and counted."""

_BLOCK: Final = re.compile(r"(<!-- ([\w./-]+) -->\n```(\w+)\n)(.*?)(```\n)", re.DOTALL)
_SETTINGS: Final = """\
# Settings

Everything that can be set, with its default. Each is a variable of the environment, or a line of a `.env` file beside
`main_http.py`; the environment wins. Copy [`.env.example`](../.env.example) to begin.

One line is `NAME=value`, up to its end: no quotes, no `export`, no spaces around the `=`, no comment after it. So the
server, systemd and docker read the same. An empty value is as good as none. What some reader would read differently is
refused by name.

Wrong settings stop the start: all problems are listed at once, no value is shown, and the exit code is 78.

This page is made from the code by `python tests/docs/generate.py`.
"""


def pages() -> list[Path]:
    """Every page that people read."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def requirements() -> str:
    """The text of `requirements.txt`: names of others only, since a Dockerfile installs it before it copies ours."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [each for extra in EXTRAS for each in project["optional-dependencies"][extra]]
    head = f"# Made from pyproject.toml by python tests/docs/generate.py: its dependencies, and {', '.join(EXTRAS)}."
    return "\n".join([head, *sorted([*project["dependencies"], *extras])]) + "\n"


def settings_page() -> str:
    """The text of `docs/settings.md`."""
    return _SETTINGS + "".join(f"{line}\n" for line in _tables())


def with_examples(page: str) -> str:
    """A page whose marked blocks are what the named files are."""
    return _BLOCK.sub(lambda match: match[1] + (ROOT / match[2]).read_text(encoding="utf-8") + match[5], page)


def _tables() -> Iterator[str]:
    shown = (variable for variable in variables(Settings) if variable.shown)
    for heading, members in groupby(shown, key=lambda variable: variable.group):
        yield from ("", f"## {heading}", "", "| variable | what it says | default |", "|---|---|---|")
        for variable in members:
            name, *others = variable.names
            also = f" Also: {', '.join(f'`{other}`' for other in others)}." if others else ""
            yield f"| `{name}` | {variable.says}{also} | {_default(variable)} |"


def _default(variable: Variable) -> str:
    return variable.otherwise or f"`{_text(variable.default)}`"


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple():
            return ",".join(cast("tuple[str, ...]", value))
        case SecretStr():
            raise TypeError("a secret has no default that could be shown")
        case _:
            return str(value)


def main() -> None:
    """Write all of it."""
    (ROOT / "requirements.txt").write_text(requirements(), encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (made := with_examples(text)) != text:
            page.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
