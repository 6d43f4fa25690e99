"""A server whose tools are tasks."""

from __future__ import annotations

import asyncio

from mcp_server import ProtocolError, Server

server = Server("jobs", lint="off")


@server.tool(task="required")
async def job() -> str:
    """Work for a moment."""
    await asyncio.sleep(0.1)
    return "done"


@server.tool(task="required")
async def break_down() -> str:
    """Break."""
    raise ProtocolError(-32603, "broken down")


if __name__ == "__main__":
    server.run()
