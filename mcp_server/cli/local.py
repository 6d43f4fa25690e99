"""A session with a server in this process: its module or file is loaded, and no wire is involved."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json

from mcp_server import RegistrationError, Server
from mcp_server.app import AppNotFound, load_server
from mcp_server.cli.hush import hushed
from mcp_server.cli.problem import NoServer, Problem
from mcp_server.cli.sessions import LOG_LEVEL, About, Hear, Kind
from mcp_server.protocol import modern
from mcp_server.protocol.versions import NEWEST, NEWEST_LEGACY
from mcp_server.testing import ErrorResponse, TestClient

_NAMING: Final = "Name a server as package.module:name or path/to/file.py:name, here or in MCP_APP."
_GUARD: Final = 'Write `if __name__ == "__main__":` above `server.run()`.'
_NOT_THEIRS: Final = (Path(__file__).parents[1], *map(sysconfig.get_path, ("stdlib", "purelib", "platlib")))
_LOADING: Final = "Loading it raised that; `python` with the same file or module shows the whole traceback."


def load(app: str | None) -> Server:
    """The server of that name, as `mcp_server.app.load_server` finds it; raises `Problem`."""
    try:
        with explained():
            return load_server(app)
    except Problem:
        raise
    except (Exception, SystemExit) as error:
        raise Problem(f"{_said(error)}{_place(error)}", _LOADING) from error


@contextmanager
def explained() -> Generator[None]:
    """Turn what is wrong with how a server was named or written into a `Problem`.

    Meanwhile `Server.run` is refused: a file that serves when it is merely imported would take our terminal.
    """

    def refuse(self: Server) -> None:  # noqa: ARG001 - it takes the place of a method
        raise Problem("The server runs as soon as its module is imported", _GUARD)

    run, Server.run = Server.run, refuse
    try:
        yield
    except AppNotFound as error:
        raise NoServer(str(error), _NAMING) from None
    except RegistrationError as error:
        raise Problem(f"{error}{_place(error)}", "Write that instead, and try again.") from None
    finally:
        Server.run = run


def unadvised() -> AbstractContextManager[None]:
    """Keep the registry's advice from the log: commands that ask show it where it belongs."""
    return hushed("mcp_server.registry", below=logging.ERROR)


@asynccontextmanager
async def connect(app: str | None, hear: Hear, *, legacy: bool) -> AsyncGenerator[LocalSession]:
    """Load a server and talk with it while the context lasts."""
    with unadvised():
        client = _Client(load(app), NEWEST_LEGACY if legacy else NEWEST, hear)
    try:
        await client.__aenter__()
    except Exception as error:
        raise Problem(f"The server does not start: {_said(error)}", "Look at what its lifespan does.") from error
    try:
        yield LocalSession(client, await _introduction(client))
    finally:
        await client.__aexit__(None, None, None)


class LocalSession:
    """A conversation without a wire."""

    def __init__(self, client: TestClient, about: About) -> None:
        self._client = client
        self.about = about

    async def entries(self, kind: Kind) -> list[dict[str, Any]]:
        """A whole list."""
        if not self.about.offers(kind):
            return []
        listing = {
            "tools": self._client.list_tools,
            "resources": self._client.list_resources,
            "resourceTemplates": self._client.list_resource_templates,
            "prompts": self._client.list_prompts,
        }
        return await listing[kind]()

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a tool."""
        meta: dict[str, Any] = {"progressToken": 1, modern.LOG_LEVEL: LOG_LEVEL}
        try:
            result = await self._client.request("tools/call", {"name": name, "arguments": arguments, "_meta": meta})
            return await self._client.result_of(result)
        except ErrorResponse as error:
            raise Problem(f"The server refused the call: {error}", "`mcp-server tools` shows what it takes.") from None


class _Client(TestClient):
    """Passes on what the server says at the time that it says it."""

    def __init__(self, server: Server, version: str, hear: Hear) -> None:
        super().__init__(server.engine(), version, tasks=version == NEWEST)
        self._hear = hear

    async def send(self, message: bytes) -> None:
        notification = from_json(message)
        self._hear(notification["method"], notification.get("params", {}))


async def _introduction(client: TestClient) -> About:
    if client.version == NEWEST:
        told = await client.request("server/discover")
        info = told["_meta"][modern.SERVER_INFO]
    else:
        told = await client.request("initialize", {"protocolVersion": client.version})
        info = told["serverInfo"]
    versions = tuple(told.get("supportedVersions", ()))
    return About(info, client.version, versions, told["capabilities"], told.get("instructions"))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")


def _place(error: BaseException) -> str:
    """Where in somebody's own file the error arose, if it was there."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_file() and not any(file.is_relative_to(each) for each in _NOT_THEIRS):
            return f" ({file.name}, line {frame.lineno})"
    return ""
