"""The smallest server: one tool."""

from typing import Annotated

from pydantic import Field

from mcp_server import Server

server = Server("adder", version="1.0.0")

Number = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


@server.tool(read_only=True)
def add(a: Number, b: Number) -> int:
    """Add two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    return a + b


if __name__ == "__main__":
    server.run()
