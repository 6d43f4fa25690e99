"""The tool on this library."""

from mcp_server import Server

server = Server("benchmark", lint="off")


@server.tool
async def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


if __name__ == "__main__":
    server.run()
