"""One quick call, over HTTP without a socket and over a pipe without a process, and what it has set in motion."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from io import StringIO
from types import FrameType
from typing import Any

from fakes import meta
from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server import Server
from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.http_server import http_app
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.grants import Grants
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.observe.logs import CallLog
from mcp_server.observe.writer import LineWriter, Outlet
from mcp_server.protocol.versions import V2026_07_28
from mcp_server.settings import Settings
from mcp_server.stores import open_store


class Addends(BaseModel):
    """What the floor validates."""

    model_config = ConfigDict(strict=True, extra="forbid")

    a: int
    b: int


KEY = "a-key-for-the-tests-with-more-than-32-characters"
WARM_UP = 3
"""So many calls come first: the first ones build what all others use."""

Answered = Callable[[], Awaitable[bytes]]

server = Server("budgets", lint="off")


@server.tool
async def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": meta()},
}
BODY = json.dumps(CALL).encode()
HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
    (b"accept", b"application/json, text/event-stream"),
    (b"mcp-protocol-version", V2026_07_28.encode()),
    (b"mcp-method", b"tools/call"),
    (b"mcp-name", b"add"),
]


def everything_off() -> ASGIApp:
    """The application with nothing that can be left out."""
    return http_app(server, Settings.model_validate({"rate_limit": "off"}))


def everything_on(log: LineWriter) -> ASGIApp:
    """The application with a key, limits, a line a call and metrics."""
    settings = {"mcp_api_key": KEY, "rate_limit": "1000000/minute", "metrics_enabled": True, "session_secret": KEY}
    return http_app(server, Settings.model_validate(settings), CallLog(log))


async def floor(scope: Scope, receive: Receive, send: Send) -> None:
    """The same tool as an application that knows no MCP: parse, validate strictly, call, serialise."""
    message = from_json((await receive())["body"])
    arguments = Addends.model_validate(message["params"]["arguments"])
    structured = await add(arguments.a, arguments.b)
    content = [{"type": "text", "text": to_json(structured).decode()}]
    body = to_json({"id": message["id"], "result": {"content": content, "structuredContent": structured}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def silent_log() -> LineWriter:
    return LineWriter(Outlet(StringIO()))


def with_tokens(log: LineWriter, store: str) -> Answered:
    """A call with a token that the same application has issued, and which it remembers."""
    settings = {"oauth_enabled": True, "store_url": store, "metrics_enabled": True, "session_secret": KEY}
    app = http_app(server, Settings.model_validate({**settings, "rate_limit": "1000000/minute"}), CallLog(log))
    issued: list[str] = []

    async def call() -> bytes:
        if not issued:
            issued.append(await _issued(store))
        return await over_http(app, issued[0])

    return call


async def _issued(url: str) -> str:
    store, options = open_store(url), ServerOptions("http://localhost:8000")
    await store.open()
    tokens = await Grants(store, options, str, time.time).serve(Client("a program"), ("read",), options.resource)
    await store.close()
    return tokens.access


async def over_http(app: ASGIApp, bearer: str | None = None) -> bytes:
    """The body of the answer to one quick call."""
    body = bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200
        body.extend(message.get("body", b""))

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "headers": [*HEADERS, (b"authorization", b"Bearer " + bearer.encode())] if bearer else list(HEADERS),
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    await app(scope, receive, send)
    return bytes(body)


class Pipe:
    """The outgoing half of a pipe on which nothing is said before the answer."""

    async def send(self, message: bytes) -> None:
        raise AssertionError(message)

    def deliver(self, message: bytes) -> None:
        raise AssertionError(message)

    def outlasts(self, call: Call) -> None:
        raise AssertionError(call.request.method)


async def over_a_pipe(connection: Connection) -> bytes:
    """The line that answers one quick call."""
    answer = await connection.receive(BODY)
    assert answer is not None
    return answer


def is_right(answer: bytes) -> bool:
    return json.loads(answer)["result"]["structuredContent"] == {"sum": 3}


async def tasks_created_by(call: Answered) -> int:
    """How many tasks one call creates."""
    created: list[str] = []
    loop = asyncio.get_running_loop()

    def factory(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        created.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, **options)

    await _warm(call)
    loop.set_task_factory(factory)
    try:
        assert is_right(await call())
    finally:
        loop.set_task_factory(None)
    return len(created)


async def functions_called_by(call: Answered) -> Counter[str]:
    """Which Python functions one call enters in this thread, and how often; coroutines count at each step."""
    entered: Counter[str] = Counter()
    here = threading.get_ident()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and threading.get_ident() == here:
            entered[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"] += 1

    await _warm(call)
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        answer = await call()
    finally:
        sys.setprofile(before)
    assert is_right(answer)
    return entered


async def opcodes_of(call: Answered) -> Counter[str]:
    """How many instructions of Python's own machine one call takes in this thread, by module."""
    taken: Counter[str] = Counter()

    def step(frame: FrameType, event: str, _: object) -> Any:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        if event == "opcode":
            taken[str(frame.f_globals.get("__name__"))] += 1
        return step

    await _warm(call)
    before = sys.gettrace()
    sys.settrace(step)
    try:
        answer = await call()
    finally:
        sys.settrace(before)
    assert is_right(answer)
    return taken


async def _warm(call: Answered) -> None:
    for _ in range(WARM_UP):
        assert is_right(await call())
