"""A session over a wire, through the official client: with a URL, or with a program that we start.

This module and `waiting` alone import `mcp`, and are imported only when there is such a session to open. Whatever that
client raises is turned into a `Problem` here.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

import click
import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, Implementation, LoggingMessageNotificationParams
from pydantic import BaseModel, ValidationError

from mcp_server import __version__
from mcp_server.cli.hush import hushed
from mcp_server.cli.problem import Problem
from mcp_server.cli.sessions import LOG, LOG_LEVEL, PROGRESS, About, Hear, Kind
from mcp_server.cli.waiting import Waiting

if TYPE_CHECKING:
    from mcp_server.cli.targets import Target

T = TypeVar("T")

_STATUS: Final = {
    401: (
        "The server wants a key, and got none that it knows (401)",
        "Give it one, or an access token, with --key KEY.",
    ),
    403: ("The server refuses this caller (403)", "Check the key, and what the server's own log says."),
    421: ("The server does not go by this host name (421)", "Add the name to ALLOWED_HOSTS where the server runs."),
    429: ("The server has had too many requests (429)", "Wait a minute, then try again."),
}
_WRONG_PATH: Final = frozenset({404, 405})
_BROKEN: Final = 500
_NOT_MCP: Final = "Check the URL; the path of an MCP server is usually /mcp."
_EXPLICABLE: Final = (OSError, RuntimeError, MCPError, ValidationError, httpx2.HTTPError, httpx2.InvalidURL)
"""What the official client raises; anything else is a mistake of ours, and shows its traceback."""
_LOUD: Final = ("mcp", "client", "httpx2")
"""Loggers of the official client, which tells tracebacks for what we tell in a line."""


@asynccontextmanager
async def connect(target: Target, hear: Hear) -> AsyncGenerator[RemoteSession]:
    """Open a session with a URL or a command, for as long as the context lasts."""
    explain = Explanations(target)
    try:
        async with AsyncExitStack() as exits:
            exits.enter_context(hushed(*_LOUD, below=logging.CRITICAL))
            client = await exits.enter_async_context(await _client(target, hear, explain, exits))
            yield RemoteSession(client, hear, explain)
    except Exception as error:
        cause = _first(error)
        if isinstance(cause, click.ClickException):
            raise cause from None
        if isinstance(cause, _EXPLICABLE):
            raise explain(cause) from error
        raise


class RemoteSession:
    """A conversation over a wire."""

    def __init__(self, client: Client, hear: Hear, explain: Explanations) -> None:
        self._client = client
        self._hear = hear
        self._explain = explain
        self.about = _introduction(client)
        explain.connected = True

    async def entries(self, kind: Kind) -> list[dict[str, Any]]:
        """A whole list, over all its pages."""
        if not self.about.offers(kind):
            return []
        listing: dict[Kind, _Listing] = {
            "tools": self._client.list_tools,
            "resources": self._client.list_resources,
            "resourceTemplates": self._client.list_resource_templates,
            "prompts": self._client.list_prompts,
        }
        page = await self._ask(listing[kind](cursor=None))
        entries: list[dict[str, Any]] = _as_sent(page)[kind]
        seen: set[str] = set()
        while (cursor := page.next_cursor) is not None and cursor not in seen:
            seen.add(cursor)
            page = await self._ask(listing[kind](cursor=cursor))
            entries += _as_sent(page)[kind]
        return entries

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a tool."""

        async def progress(progress: float, total: float | None, message: str | None) -> None:
            self._hear(PROGRESS, {"progress": progress, "total": total, "message": message})

        return _as_sent(await self._ask(self._client.call_tool(name, dict(arguments), progress_callback=progress)))

    async def _ask(self, question: Awaitable[T]) -> T:
        try:
            return await question
        except (MCPError, ValidationError, RuntimeError) as error:
            raise self._explain(error) from error


class _Page(Protocol):
    """A page of any list."""

    @property
    def next_cursor(self) -> str | None: ...

    def model_dump(self, *, mode: str, by_alias: bool, exclude_unset: bool) -> dict[str, Any]: ...


class _Listing(Protocol):
    """One of the official client's lists."""

    def __call__(self, *, cursor: str | None) -> Awaitable[_Page]: ...


class Explanations:
    """Says in a user's words why a session with this target has failed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._status = 0
        self.connected = False

    async def heard(self, response: httpx2.Response) -> None:
        """Remember the last status: the official client tells only that there was an error."""
        self._status = response.status_code

    def __call__(self, error: Exception) -> Problem:
        """The problem that an error of the official client, or of what it stands on, comes down to."""
        where = self._target.description
        match error:
            case FileNotFoundError() | PermissionError():
                return Problem(f"There is no program {self._target.command[0]} to start", "Check its name and path.")
            case httpx2.ConnectError() if "CERTIFICATE" in str(error).upper():
                return Problem(
                    f"{where} has a certificate that does not hold: {error}", "Renew it, or correct the URL."
                )
            case httpx2.ConnectError():
                return Problem(
                    f"Nobody answers at {where}", "Start the server (mcp-server run --http), or check the URL."
                )
            case httpx2.TimeoutException():
                return self._too_slow()
            case httpx2.HTTPError() | httpx2.InvalidURL():
                return Problem(f"{where}: {error}", "Check the URL and the headers.")
            case MCPError():
                return self._refused(error)
            case ValidationError():
                return Problem(f"{where} sends what MCP does not allow ({error.title})", "Mend the server.")
            case _:
                return Problem(f"{where}: {error}", "Mend the server.")

    def _refused(self, error: MCPError) -> Problem:
        if self._target.url is not None and (told := self._by_status()) is not None:
            return told
        if error.code == REQUEST_TIMEOUT:
            return self._too_slow()
        where = self._target.description
        if error.code == CONNECTION_CLOSED and self._target.command:
            return Problem(f"{where} ended before it had answered", "Start it by itself to see what it says.")
        if self.connected:
            return Problem(
                f"The server refused: {error.message} ({error.code})", "`mcp-server inspect` shows what it has."
            )
        return Problem(
            f"{where} is no MCP server: {error.message}", _NOT_MCP if self._target.url else "Check the command."
        )

    def _by_status(self) -> Problem | None:
        if self._status in _STATUS:
            return Problem(*_STATUS[self._status])
        if self._status >= _BROKEN:
            return Problem(f"The server, or the proxy before it, is broken ({self._status})", "Look at its log.")
        if self._status in _WRONG_PATH and not self.connected:
            return Problem(f"There is no MCP server at {self._target.description} ({self._status})", _NOT_MCP)
        return None

    def _too_slow(self) -> Problem:
        seconds = f"{self._target.timeout:g} s"
        return Problem(f"{self._target.description} did not answer within {seconds}", "Allow it more with --timeout.")


async def _client(target: Target, hear: Hear, explain: Explanations, exits: AsyncExitStack) -> Client:
    async def logged(params: LoggingMessageNotificationParams) -> None:
        hear(LOG, _as_sent(params))

    if target.url is not None:
        timeout = httpx2.Timeout(target.timeout)
        http = httpx2.AsyncClient(
            headers=dict(target.headers), timeout=timeout, event_hooks={"response": [explain.heard]}
        )
        transport = streamable_http_client(target.url, http_client=await exits.enter_async_context(http))
    else:
        program, *arguments = target.command
        # Unlike a host, a terminal gives what it starts its own environment: `TOKEN=x mcp-server tools -- ...` works.
        parameters = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
        transport = stdio_client(parameters, errlog=sys.stderr)
    return Client(
        transport,
        mode="legacy" if target.legacy else "auto",
        read_timeout_seconds=target.timeout,
        logging_callback=logged,
        log_level=LOG_LEVEL,
        extensions=[Waiting(hear)],
        client_info=Implementation(name="mcp-server", version=__version__),
    )


def _introduction(client: Client) -> About:
    discovered = client.session.discover_result
    versions = () if discovered is None else tuple(discovered.supported_versions)
    info = {} if client.server_info is None else _as_sent(client.server_info)
    return About(info, client.protocol_version, versions, _as_sent(client.server_capabilities), client.instructions)


def _as_sent(model: _Page | BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _first(error: Exception) -> Exception:
    """The error in a group of groups; the client's task groups wrap whatever passes through them."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error
