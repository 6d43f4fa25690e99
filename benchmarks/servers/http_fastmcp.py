"""FastMCP over HTTP, which is not among our dependencies: run by a Python that has it."""
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUntypedFunctionDecorator=false, reportUnknownParameterType=false

from fastmcp import Context, FastMCP

from benchmarks.servers import tools
from benchmarks.servers.serving import serve, wanted


def server_with(count: int) -> FastMCP:
    server = FastMCP("benchmark")
    for function in (*tools.PLAIN, *tools.more(count)):
        server.tool(function)

    @server.tool
    async def report(ctx: Context) -> dict[str, int]:  # pyright: ignore[reportUnusedFunction] - it is registered
        """Say how far the work is, ten times."""
        return await tools.report(ctx.report_progress)

    return server


if __name__ == "__main__":
    options = wanted()
    app = server_with(options.tools).http_app(
        json_response=options.mode != "events", stateless_http=options.mode != "sessions"
    )
    serve(app, options)
