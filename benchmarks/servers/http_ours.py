"""This library over HTTP: all of it (`everything`), nothing optional (`bare`), or only the protocol (`face`).

`key`, `limit`, `log` and `metrics` are `bare` with one of the things that `everything` has.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.servers import tools
from benchmarks.servers.serving import serve, wanted
from mcp_server import Context, Server
from mcp_server.heap import keep_freed_memory
from mcp_server.http_server import http_app
from mcp_server.listening import bound
from mcp_server.observe.logs import configure
from mcp_server.serving import run_uvicorn
from mcp_server.settings import Settings
from mcp_server.transports.http import HttpFace
from mcp_server.transports.journals import Journals
from mcp_server.transports.seats import Seats, Streaming
from mcp_server.transports.session_ids import SessionIds

KEY = "a-key-for-benchmarks-of-more-than-32-characters"
ANY_NUMBER = "100000000/minute"


def server_with(count: int) -> Server:
    """The tools on this library."""
    server = Server("benchmark", lint="off", page_size=10_000)
    for function in (*tools.PLAIN, *tools.more(count)):
        server.tool(function)

    @server.tool
    async def report(ctx: Context) -> dict[str, int]:  # pyright: ignore[reportUnusedFunction] - it is registered
        """Say how far the work is, ten times."""
        return await tools.report(ctx.progress)

    return server


def app_of(server: Server, mode: str) -> ASGIApp:
    """The application in one of its modes."""
    if mode == "face":
        return Face(server)
    log = configure("INFO", "json", stream=sys.stderr, access=False) if mode in {"log", "everything"} else None
    return http_app(server, settings_of(mode), log)


def settings_of(mode: str) -> Settings:
    """What is on in a mode."""
    everything = mode == "everything"
    return Settings.model_validate(
        {
            "max_connections": 5000,
            "sse_max_connections": 5000,
            "max_output_bytes": 2**30,
            "rate_limit": ANY_NUMBER if everything or mode == "limit" else "off",
            "metrics_enabled": everything or mode == "metrics",
            **({"mcp_api_key": KEY, "session_secret": KEY} if everything or mode == "key" else {}),
        }
    )


class Face:
    """The protocol without any guard: what is left when somebody else guards."""

    def __init__(self, server: Server) -> None:
        self._engine = server.engine()
        streaming = Streaming(Seats(5000), 15.0, 300.0, lasting=True)
        self._face = HttpFace(self._engine, SessionIds(), Journals(), streaming)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._face(scope, receive, send)
            return
        await receive()
        async with self._lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None]:
        async with self._engine.lifespan():
            yield


if __name__ == "__main__":
    options = wanted()
    application = app_of(server_with(options.tools), options.mode)
    if options.mode == "face":
        serve(application, options)
    else:
        # As `mcp-server run` does.
        keep_freed_memory()
        settings = settings_of(options.mode)
        run_uvicorn(application, settings, bound(settings.host, options.port))
