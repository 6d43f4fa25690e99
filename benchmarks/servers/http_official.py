"""The official SDK over HTTP, at its fastest: JSON and no sessions, unless these are what is measured."""

from mcp.server.mcpserver import Context, MCPServer

from benchmarks.servers import tools
from benchmarks.servers.serving import serve, wanted


def server_with(count: int) -> MCPServer:
    server = MCPServer("benchmark", log_level="WARNING")
    for function in (*tools.PLAIN, *tools.more(count)):
        server.add_tool(function)

    @server.tool()
    async def report(ctx: Context) -> dict[str, int]:  # pyright: ignore[reportUnusedFunction] - it is registered
        """Say how far the work is, ten times."""
        return await tools.report(ctx.report_progress)

    return server


if __name__ == "__main__":
    options = wanted()
    app = server_with(options.tools).streamable_http_app(
        json_response=options.mode != "events", stateless_http=options.mode != "sessions", max_sessions=None
    )
    serve(app, options)
