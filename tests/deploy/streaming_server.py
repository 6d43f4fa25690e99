"""A server whose one call ends when another one says so, so that a test can see what arrives meanwhile."""

import asyncio

from mcp_server import Context, Server

server = Server("streaming")
released = asyncio.Event()


@server.tool
async def announce(ctx: Context) -> str:
    await ctx.progress(1, 2)
    await released.wait()
    return "done"


@server.tool
async def release() -> None:
    released.set()
