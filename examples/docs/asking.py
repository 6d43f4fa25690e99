import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from mcp_server import Context, Server

server = Server("tailor")
orders: list[str] = []


class Measure(BaseModel):
    size: Literal["s", "m", "l"]
    gift: bool = False


class Confirmation(BaseModel):
    sure: bool


@server.tool
async def order(garment: str, ctx: Context) -> str:
    """Order a garment, made to measure."""
    measure = await ctx.elicit(f"Which size should the {garment} have?", Measure)
    if measure.data is None:
        return "Nothing was ordered."
    confirmation = await ctx.elicit(f"A {garment} in {measure.data.size}: shall we begin?", Confirmation)
    if confirmation.data is None or not confirmation.data.sure:
        return "Nothing was ordered."

    async def place() -> int:
        orders.append(garment)
        return len(orders)

    number = await ctx.once("place", place)
    return f"Order {number}: a {garment} in {measure.data.size}."


def test_an_order_is_placed_once_whatever_the_version() -> None:
    def answers(_method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        content = {"size": "m"} if "size" in params["message"] else {"sure": True}
        return {"action": "accept", "content": content}

    async def main(version: str) -> str:
        async with server.test_client(version, answers=answers) as client:
            return (await client.call_tool("order", garment="coat")).text

    orders.clear()
    assert asyncio.run(main("2026-07-28")) == "Order 1: a coat in m."
    assert asyncio.run(main("2025-11-25")) == "Order 2: a coat in m."
