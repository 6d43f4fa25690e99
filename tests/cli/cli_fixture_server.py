"""A server whose tools take and answer every kind of thing."""

# pyright: reportDeprecated=false

from __future__ import annotations

from typing import Any

from mcp_server import Context, Image, ProtocolError, ResourceLink, Server, ToolError, ToolResult

server = Server("fixture", version="2.0", instructions="Only for tests.\n\nNot shown.")
other = Server("other", version="1.0")

PIXEL = b"\x89PNG\r\n\x1a\n"


@server.tool(read_only=True)
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool
def typed(*, flag: bool, count: int, ratio: float, tags: list[str], options: dict[str, Any], maybe: int | None) -> str:
    """Take one of each kind."""
    return repr((flag, count, ratio, tags, options, maybe))


@server.tool(destructive=True, idempotent=True, open_world=True)
def fail() -> str:
    raise ToolError("the cupboard is bare")


@server.tool
def show() -> ToolResult:
    return ToolResult(content=[Image(data=PIXEL, format="png"), ResourceLink(uri="fixture://note", name="note")])


@server.tool
async def work(ctx: Context) -> str:
    await ctx.info("begun")
    await ctx.info({"step": 1})
    await ctx.progress(1, 2, "half")
    await ctx.progress(2)
    return "done"


@server.tool
def vanish() -> str:
    raise ProtocolError(-32603, "gone")


@server.resource("fixture://note", mime_type="text/plain")
def note() -> str:
    """A note."""
    return "text"


@server.resource("fixture://notes/{number}")
def numbered(number: str) -> str:
    return number


@server.prompt
def ask(what: str, how: str = "kindly") -> str:
    """Ask for something."""
    return f"{what}, {how}"


if __name__ == "__main__":
    server.run()
