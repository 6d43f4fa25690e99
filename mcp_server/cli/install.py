"""`mcp-server install`: write a server into the configuration of a program that uses it.

Nothing is written that has not been shown, nothing that stood there is lost, and no secret is shown.
"""

from __future__ import annotations

import codecs
import difflib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from mcp_server.cli.config_text import NoObject, with_member
from mcp_server.cli.hosts import HOSTS, Host, Surroundings
from mcp_server.cli.masking import masked
from mcp_server.cli.printing import as_json
from mcp_server.cli.problem import Misuse, Problem
from mcp_server.cli.targets import ForServer, Reach, reaching

_BOM: Final = codecs.BOM_UTF8.decode()
_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"')
_COMMENTED: Final = re.compile(r"//|/\*|,\s*[}\]]")


@click.command("install", cls=ForServer)
@click.argument("host", type=click.Choice(list(HOSTS)))
@click.argument("target", required=False)
@click.option("--name", help="What to call the server there; else its own name.")
@click.option("--env", "env", multiple=True, metavar="NAME=VALUE", help="A variable for the server; never shown.")
@click.option("--dry-run", is_flag=True, help="Show the change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@reaching
def command(
    reach: Reach, host: str, target: str | None, name: str | None, env: tuple[str, ...], *, dry_run: bool, yes: bool
) -> None:
    """Make HOST start a server: shows the change, asks, keeps a backup."""
    from mcp_server.cli.entries import entry_for

    chosen = HOSTS[host]
    entry = entry_for(chosen, reach(target), _environment(env))
    path = chosen.path(Surroundings.here()).resolve()
    before = _read(path)
    after = _changed(before, path, chosen, name or entry.name, entry.content)
    if after == before:
        click.echo(f"{path} has it already.")
        return
    click.echo(_difference(before.removeprefix(_BOM), after.removeprefix(_BOM), path, chosen.servers), nl=False)
    if dry_run:
        return
    if not yes:
        click.confirm(f"\nWrite this to {path}?", abort=True)
    _write(path, after)
    click.echo(f"Written. {chosen.afterwards}")


def _environment(pairs: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (sign and name.isidentifier()):
            # The pair may be nothing but a secret that lacks its name, so it is not repeated.
            raise Misuse("--env takes NAME=VALUE", "Write --env API_KEY=...")
        found[name] = value
    return found


def _read(path: Path) -> str:
    """The text as it stands there, with its line ends and its byte order mark; empty if there is none."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} cannot be read: {error}", "Mend it or move it away; it is as it was.") from None


def _changed(text: str, path: Path, host: Host, name: str, content: dict[str, Any]) -> str:
    mark = _BOM if text.startswith(_BOM) else ""
    plain = text.removeprefix(mark)
    if not plain.strip():
        return mark + as_json({host.servers: {name: content}}) + "\n"
    try:
        known = json.loads(plain)
        if known.get(host.servers, {}).get(name) == content:
            return text
        return mark + with_member(plain, host.servers, name, content)
    except json.JSONDecodeError as error:
        raise _not_plain(plain, error, path, host, {name: content}) from None
    except (NoObject, AttributeError):
        todo = f"Mend it by hand: it needs an object with an object {host.servers!r}. It is as it was."
        raise Problem(f"{path} is no configuration of {host.title}", todo) from None


def _not_plain(text: str, error: json.JSONDecodeError, path: Path, host: Host, server: dict[str, Any]) -> Problem:
    what = f"{path} is not plain JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    if _COMMENTED.search(_STRING.sub('""', text)) is None:
        return Problem(what, "Mend that place, or move the file away. It is as it was.")
    snippet = masked(as_json({host.servers: server}), host.servers)
    todo = f"Its comments would be lost, so it is as it was. Add this by hand, with your values for ***:\n{snippet}"
    return Problem(what, todo)


def _difference(before: str, after: str, path: Path, servers: str) -> str:
    old, new = (masked(text, servers) if text.strip() else "" for text in (before, after))
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), fromfile=str(path), tofile=f"{path} (new)", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines) or f"{path}: only values change that are not shown.\n"


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, and keep what it was beside it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copy2(path, path.with_name(f"{path.name}.backup"))
                shutil.copymode(path, draft)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Problem(
            f"{path} cannot be written: {error.strerror}", "It is as it was; check its permissions."
        ) from None
