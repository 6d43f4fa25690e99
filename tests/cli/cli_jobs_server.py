"""A server whose tools are tasks."""

from __future__ import annotations

import asyncio

from mcp_server import Context, ProtocolError, Server

server = Server("jobs", lint="off")


@server.tool(task="required")
async def job(ctx: Context) -> str:
    """Work, and say how far it is."""
    await ctx.progress(1, 2, "half done")
    await asyncio.sleep(0.3)
    return "done"


@server.tool(task="required")
async def break_down() -> str:
    """Break."""
    raise ProtocolError(-32603, "broken down")


if __name__ == "__main__":
    server.run()
