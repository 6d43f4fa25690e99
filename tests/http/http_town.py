"""A server that runs in several processes at once, for the tests of what they tell each other."""

# pyright: reportDeprecated=false

from __future__ import annotations

import asyncio
import os
from typing import Any

from mcp_server import Context, Server

server = Server(os.environ["TOWN_NAME"], lint="off")
FORM: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}


@server.tool
async def who() -> int:
    """Say which process this is."""
    return os.getpid()


@server.tool
async def ask(ctx: Context) -> str:
    """Ask for a size."""
    return f"{await ctx.elicit('Which size?', FORM)} at {os.getpid()}"


@server.tool
async def wait(ctx: Context) -> str:
    """Never end."""
    await ctx.error("began")
    await asyncio.Event().wait()
    return "never"


@server.tool
async def grumble(ctx: Context) -> str:
    """Log quietly."""
    await ctx.debug("quietly")
    return "done"


@server.tool
async def restock(ctx: Context) -> str:
    """Change what is on the shelf."""
    ctx.notify_resource_updated("shop://shelf")
    return "done"


@server.tool
async def rebuild(ctx: Context) -> str:
    """Change which tools there are."""
    ctx.notify_tools_changed()
    return "done"


@server.resource("shop://shelf")
async def shelf() -> str:
    """What is on the shelf."""
    return "tea"
