"""How a host will start the server that a TARGET names: by absolute paths, in whatever directory and environment.

Hosts start servers with next to no environment and in a directory of their own choosing, so what is found here only
because of where we are must be written down.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import site
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from mcp_server.app import SAMPLE
from mcp_server.cli.hosts import Host
from mcp_server.cli.local import load, unadvised
from mcp_server.cli.problem import Problem
from mcp_server.cli.targets import Target

_IN_FILE: Final = re.compile(r"(?P<file>.+\.py)(?P<name>:\w+)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A server in a host's configuration."""

    name: str
    content: dict[str, Any]


def entry_for(host: Host, target: Target, env: Mapping[str, str]) -> Entry:
    """The entry for a target; raises `Problem` if there is no such server."""
    if target.url is not None:
        return Entry(urlsplit(target.url).hostname or "server", host.for_url(target.url, target.headers))
    if target.command:
        program, *arguments = target.command
        found = shutil.which(program)
        if found is None:
            raise Problem(f"There is no program {program} to start", "Check its name and path.")
        return Entry(Path(program).stem, host.for_program(str(Path(found).absolute()), arguments, env))
    return _of_app(host, target.app or os.environ.get("MCP_APP") or SAMPLE, env)


def _of_app(host: Host, app: str, env: Mapping[str, str]) -> Entry:
    with _environment(env), unadvised():
        name = load(app).name
    written, path = located(app)
    needed = [each for each in dict.fromkeys([*path, *_path_of_package()]) if not _is_installed(each)]
    if needed and "PYTHONPATH" not in env:
        env = {**env, "PYTHONPATH": os.pathsep.join(map(str, needed))}
    return Entry(name, host.for_program(sys.executable, ["-m", "mcp_server", "run", written], env))


def located(app: str) -> tuple[str, list[Path]]:
    """An app as it can be named from any directory, and what must be on the path for that."""
    if (in_file := _IN_FILE.fullmatch(app)) is not None:
        return f"{Path(in_file['file']).resolve()}{in_file['name'] or ''}", []
    module = app.partition(":")[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.has_location:
        return app, []
    origin = Path(spec.origin).resolve()
    return app, [origin.parents[module.count(".") + (origin.stem == "__init__")]]


def _path_of_package() -> list[Path]:
    return [Path(__file__).resolve().parents[2]]


def _is_installed(directory: Path) -> bool:
    """Whether Python looks into a directory wherever it is started."""
    return any(directory == Path(each).resolve() for each in (*site.getsitepackages(), site.getusersitepackages()))


@contextmanager
def _environment(env: Mapping[str, str]) -> Generator[None]:
    """Load the server in the environment that it will have."""
    before = dict(os.environ)
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
