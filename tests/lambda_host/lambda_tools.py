"""The server that the tests deploy; `lambda_tools.py:server` for those who name it in MCP_APP."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pydantic import BaseModel

from mcp_server import Context, Server, Unanswered


class Name(BaseModel):
    name: str


lifespans: list[str] = []
"""What has begun and ended."""


@asynccontextmanager
async def lifespan(_: Server) -> AsyncGenerator[None]:
    lifespans.append("begun")
    yield
    lifespans.append("ended")


server = Server("on-lambda", version="1", lifespan=lifespan, timeout=None)
_count = 0


@server.tool
async def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool
async def count() -> int:
    """Count one further than at the last call."""
    global _count  # noqa: PLW0603 - state that a process keeps is what this tool is about
    _count += 1
    return _count


@server.tool
async def fill(size: int, letter: str = "x") -> str:
    """Say a letter many times."""
    return letter * size


@server.tool
async def report(ctx: Context) -> str:
    """Report progress twice."""
    await ctx.progress(1, 2)
    await ctx.progress(2, 2)
    return "done"


@server.tool
async def wait() -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return "unreachable"


@server.tool(timeout=60)
def block(seconds: float) -> str:
    """Block a thread."""
    threading.Event().wait(seconds)
    return "unblocked"


@server.tool(timeout=60)
async def resist() -> str:
    """Never answer, and not stop either before being told three times."""
    for _ in range(2):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()
    return "unreachable"


@server.tool(timeout=60)
async def deadline(ctx: Context) -> float:
    """Tell until when this call may take."""
    assert ctx.deadline is not None
    return ctx.deadline


@server.tool
async def greet(ctx: Context) -> str:
    """Ask for a name, and greet."""
    try:
        name = await ctx.elicit("Your name?", Name)
    except Unanswered as reason:
        return f"Hello, whoever you are. {reason}"
    return f"Hello, {name.data.name}" if name.data else "Hello"


@server.resource("note://one")
def note() -> str:
    """A note."""
    return "one"
