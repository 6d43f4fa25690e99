from typing import Any

from mcp_server import Context, Server, ToolError

server = Server("stock", scope_hierarchy={"admin": ["items:write"], "items:write": ["items:read"]})
stock = {"tea": 3}


@server.tool(read_only=True, scopes=["items:read"])
async def count(item: str, ctx: Context) -> dict[str, Any]:
    """How many of an item there are."""
    who = ctx.principal
    return {"number": stock.get(item, 0), "asked_by": who.subject if who else None}


@server.tool(scopes=["items:write"])
async def add(item: str, number: int, ctx: Context) -> int:
    """Put some of an item into stock."""
    if number < 0 and not ctx.may("admin"):
        raise ToolError("Only an administrator takes something away.")
    stock[item] = stock.get(item, 0) + number
    return stock[item]
