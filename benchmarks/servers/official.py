"""The tool on the official SDK."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("benchmark", log_level="WARNING")


@server.tool()
async def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


if __name__ == "__main__":
    server.run()
