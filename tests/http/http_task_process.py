"""A server in a process of its own, whose tasks leave a trace in a file for each time that they are begun.

python http_task_process.py              over stdio
MCP_APP=…/http_task_process.py:server    over HTTP
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from mcp_server import Context, Server

server = Server("process", lint="off")
TRACE = Path(os.environ["TASK_TRACE"])


def traced(line: str) -> None:
    """Leave a line that a kill cannot take back."""
    with TRACE.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@server.tool(task="optional")
async def work(number: int, seconds: float = 0.0) -> str:
    """Works until it has worked."""
    traced(f"begun {number}")
    await asyncio.sleep(seconds)
    traced(f"done {number}")
    return f"worked {number}"


@server.tool(task="optional")
async def ask(ctx: Context) -> str:
    """Asks."""
    answer = await ctx.elicit("Go on?", {"type": "object", "properties": {"yes": {"type": "boolean"}}})
    return answer.action


@server.tool
async def who() -> int:
    """The process that answers."""
    return os.getpid()


if __name__ == "__main__":
    server.run()
