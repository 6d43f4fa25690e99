import asyncio
from typing import Annotated

from pydantic import Field

from mcp_server import Context, Server

server = Server("worker")


@server.tool(timeout=120, concurrency=4)
async def index(pages: Annotated[int, Field(ge=1, le=1000, description="How many")], ctx: Context) -> str:
    """Index pages, and say how far it is."""
    for page in range(pages):
        await asyncio.sleep(0)  # the work
        await ctx.progress(page + 1, pages)
    return "done"


@server.tool
def count(words: Annotated[int, Field(ge=1, le=1000, description="How many")], ctx: Context) -> int:
    """Count in a thread: a plain function may block, and waits for what it tells."""
    ctx.wait(ctx.progress(words, words))
    return words
