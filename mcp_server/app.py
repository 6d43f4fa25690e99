"""Which server the entry points serve: yours, by `MCP_APP=package.module:name`, or the sample."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

from mcp_server.server import Server

SAMPLE: Final = "mcp_server.sample.server:server"


class AppNotFound(Exception):  # noqa: N818 - it is what the reader needs to know
    """The server cannot be loaded; the text says what to write."""


def read_dotenv_beside(entry_point: str) -> None:
    """Take the variables of a `.env` beside an entry point into the environment, which overrules them.

    A line that cannot be taken is named on standard error: a key that is silently missing is looked for elsewhere.
    """
    path = Path(entry_point).resolve().with_name(".env")
    if path.is_file():
        # The room of the settings costs more to import than the rest together, and most children have no `.env`.
        from mcp_server.settings.dotenv import read_dotenv  # noqa: PLC0415

        dotenv = read_dotenv(path, set())
        for problem in dotenv.problems:
            sys.stderr.write(f"{path.name}: {problem}\n")
        for name, value in dotenv.values.items():
            if value:
                os.environ.setdefault(name, value)


def load_server(app: str | None = None) -> Server:
    """The server that `app`, or `MCP_APP`, or nobody names.

    Args:
        app: `package.module:name` or `path/to/file.py:name`; without a name, `server`, `mcp` and `app` are tried.

    Raises:
        AppNotFound: There is none.
    """
    app = app or os.environ.get("MCP_APP") or SAMPLE
    module_name, name = _split(app)
    module = _module(module_name)
    names = [name] if name else ["server", "mcp", "app"]
    for each in names:
        found = getattr(module, each, None)
        if isinstance(found, Server):
            return found
    raise AppNotFound(f"{app}: there is no mcp_server.Server named {' or '.join(names)} in {module_name}")


def _split(app: str) -> tuple[str, str]:
    """The module, or the path of its file, and the name in it; a path may have a colon of its own, on Windows."""
    if app.endswith(".py"):
        return app, ""
    module, colon, name = app.rpartition(":")
    return (module, name) if colon else (app, "")


def _module(name: str) -> object:
    if name.endswith(".py"):
        return _module_from_file(Path(name))
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise AppNotFound(f"There is no module {name}: write MCP_APP=package.module:name") from error
        raise


def _module_from_file(path: Path) -> object:
    if not path.is_file():
        raise AppNotFound(f"There is no file {path}")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise AppNotFound(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
