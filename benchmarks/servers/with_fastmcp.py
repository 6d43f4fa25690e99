"""The tool on FastMCP, which is not among our dependencies: run by a Python that has it."""

from fastmcp import FastMCP  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

server = FastMCP("benchmark")  # pyright: ignore[reportUnknownVariableType]


@server.tool  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
async def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


if __name__ == "__main__":
    server.run(show_banner=False)  # pyright: ignore[reportUnknownMemberType]
