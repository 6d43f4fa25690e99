"""A tool that asks three questions in a row, and knows in which processes it ran."""

from __future__ import annotations

import os
from typing import Any

from mcp_server import Context, Server

server = Server("three questions")


def form(field: str) -> dict[str, Any]:
    """A form with one field."""
    return {"type": "object", "properties": {field: {"type": "string"}}, "required": [field]}


async def process() -> int:
    """The process that runs this round."""
    return os.getpid()


@server.tool
async def order(ctx: Context) -> dict[str, Any]:
    """Take an order, question by question."""
    first = await ctx.once("first", process)
    garment = await ctx.elicit("Which garment?", form("garment"))
    second = await ctx.once("second", process)
    size = await ctx.elicit("Which size?", form("size"))
    third = await ctx.once("third", process)
    colour = await ctx.elicit("Which colour?", form("colour"))
    answers = [garment.data, size.data, colour.data]
    return {"answers": answers, "processes": [first, second, third, os.getpid()]}


if __name__ == "__main__":
    server.run()
