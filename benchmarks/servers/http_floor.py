"""The tool on nothing: parse, validate strictly, call, serialise; as raw ASGI, or as a Starlette route."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from benchmarks.servers import tools
from benchmarks.servers.serving import serve, wanted


class Addends(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    a: int
    b: int


class Size(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    size: int


class Count(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    count: int


TOOLS: dict[str, tuple[type[BaseModel], Callable[..., Awaitable[Any]]]] = {
    "add": (Addends, tools.add),
    "blob": (Size, tools.blob),
    "rows": (Count, tools.rows),
}


async def answer(body: bytes) -> bytes:
    message = from_json(body)
    model, function = TOOLS[message["params"]["name"]]
    arguments = model.model_validate(message["params"]["arguments"])
    structured = await function(**arguments.__dict__)
    content = [{"type": "text", "text": to_json(structured).decode()}]
    result = {"resultType": "complete", "content": content, "structuredContent": structured}
    return to_json({"jsonrpc": "2.0", "id": message["id"], "result": result})


async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    message = await receive()
    body = await answer(message["body"])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def route(request: Request) -> Response:
    return Response(await answer(await request.body()), media_type="application/json")


if __name__ == "__main__":
    options = wanted()
    serve(raw if options.mode == "raw" else Starlette(routes=[Route("/mcp", route, methods=["POST"])]), options)
