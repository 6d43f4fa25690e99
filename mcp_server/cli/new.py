"""`mcp-server new`: a project that runs and tests at once, made of the files in `template/`."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Final

import click

from mcp_server.cli.problem import Problem

_TEMPLATE: Final = Path(__file__).with_name("template")
_FILES: Final = {
    "server.py": "server.py",
    "tests/test_server.py": "tests/test_server.py",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
}
_NAME: Final = "my-server"
"""What the project is called in the template."""

_NEXT: Final = """\
{directory} is ready. Next:

  cd {directory}
  {python} -m pip install pytest
  {python} -m pytest
  {python} -m mcp_server call count_words server.py text='so it works'"""


@click.command("new")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
def command(directory: Path) -> None:
    """Start a project in DIR, which must be new or empty."""
    try:
        if directory.exists() and any(directory.iterdir()):
            raise Problem(f"{directory} is not empty", "Choose another directory; nothing has been written.")
        _write(directory, project_name(directory))
    except OSError as error:
        raise Problem(f"{directory} cannot be written: {error.strerror}", "Choose another directory.") from None
    # By the whole path: what is called python or pytest elsewhere does not know this package.
    click.echo(_NEXT.format(directory=shlex.quote(str(directory)), python=shlex.quote(sys.executable)))


def project_name(directory: Path) -> str:
    """A directory's name in the characters that a package may have."""
    return re.sub("[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-") or _NAME


def _write(directory: Path, name: str) -> None:
    for source, destination in _FILES.items():
        path = directory / destination
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (_TEMPLATE / source).read_text(encoding="utf-8")
        path.write_text(text.replace(_NAME, name), encoding="utf-8")
