"""A server inside an application of your own: `uvicorn mounted:app`, then POST to /tools/mcp."""

from typing import Annotated

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from mcp_server import Server

server = Server("clock", version="1.0.0")


@server.tool(read_only=True)
async def hours_between(
    start: Annotated[int, Field(ge=0, le=23, description="The hour of the start")],
    end: Annotated[int, Field(ge=0, le=23, description="The hour of the end")],
) -> int:
    """Count the hours from one hour of the day to the next occurrence of another."""
    return (end - start) % 24


async def home(_: Request) -> PlainTextResponse:
    return PlainTextResponse("The tools are below /tools.")


app = Starlette(routes=[Route("/", home), Mount("/tools", server.http_app())])
