"""HTTP without a socket: requests to an application in the same event loop, and their answers as they come.

A `Visit` is one request. It holds the application to the rules of ASGI, can be watched while it lasts, can be slow to
read and can hang up. `serving` runs an application, and fails a test that leaves a task or a stream behind.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fakes import meta
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message

from mcp_server import Server
from mcp_server.http_server import http_app
from mcp_server.observe.logs import Calls
from mcp_server.protocol.versions import V2025_11_25, V2026_07_28
from mcp_server.settings import Settings

PATIENCE = 60.0
"""How long anything may take on a busy machine, in seconds, before it counts as hanging."""

BOTH = "application/json, text/event-stream"
HOME = ("127.0.0.1", 4711)
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Visit:
    """One HTTP request and its answer, as far as it has come."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], body: bytes, *, reading: bool = True) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self.reading = asyncio.Event()
        if reading:
            self.reading.set()
        self._unsent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._gone = asyncio.Event()
        self._something = asyncio.Event()
        self._broken: str | None = None
        self.task = asyncio.ensure_future(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            self._something.set()

    async def _receive(self) -> Message:
        if self._unsent:
            return self._unsent.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._expect(self.status == 0, "two answers to one request")
            self.status = message["status"]
            self.headers = {name.decode(): value.decode("latin-1") for name, value in message.get("headers", ())}
        else:
            self._expect(self.status != 0 and not self.complete, "a body outside the answer")
            if not self._gone.is_set():
                self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)
            if self.complete:
                self._gone.set()
        self._something.set()
        # A server buffers the head of an answer; it is the body that waits for a slow reader.
        if message["type"] == "http.response.body":
            await self.reading.wait()

    def _expect(self, condition: bool, fault: str) -> None:
        if not condition:
            self._broken = fault

    def hang_up(self) -> None:
        """The client is gone."""
        self._gone.set()
        self.reading.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true of the answer."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert not self.task.done(), f"the answer ended as {self.status} {self.body!r}"
                self._something.clear()
                await self._something.wait()

    async def something(self) -> None:
        """Wait until more of the answer has come, or it has ended."""
        if not self.task.done():
            self._something.clear()
            await self._something.wait()

    async def hears(self, count: int) -> list[dict[str, Any]]:
        """The first messages of an event stream, once there are so many."""
        await self.until(lambda: len(self.messages) >= count)
        return self.messages[:count]

    async def done(self) -> Visit:
        """Itself, once the application has finished with it."""
        await asyncio.wait({self.task}, timeout=PATIENCE)
        assert self.task.done(), f"unanswered: {self.status} {self.body!r}"
        self.task.result()
        assert self._broken is None, self._broken
        return self

    @property
    def json(self) -> Any:
        """The body of an answer in JSON."""
        assert self.headers["content-type"] == "application/json", (self.status, self.headers, self.body)
        assert self.headers["content-length"] == str(len(self.body))
        return json.loads(self.body)

    @property
    def is_stream(self) -> bool:
        """Whether the answer is an event stream."""
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def events(self) -> list[dict[str, str]]:
        """The events that have come whole, each with its fields."""
        return parsed(self.body)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The JSON of the events that carry any."""
        return [json.loads(event["data"]) for event in self.events if event.get("data", "").startswith(("{", "["))]

    @property
    def message(self) -> Any:
        """The one message that the answer is, or ends with."""
        return self.messages[-1] if self.is_stream else self.json

    @property
    def result(self) -> Any:
        """The result that the answer is."""
        assert "result" in self.message, self.message
        return self.message["result"]

    @property
    def code(self) -> int:
        """The code of the error that the answer is."""
        assert "error" in self.message, self.message
        return self.message["error"]["code"]


def parsed(body: bytes) -> list[dict[str, str]]:
    """The whole events of a stream; a comment is an event whose only field has no name."""
    events: list[dict[str, str]] = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n")[:-1]:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        events.append(fields)
    return events


class Web:
    """A client of an application; `legacy` and `modern` write the requests as a good client would."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    def open(
        self,
        body: object = b"",
        *,
        method: str = "POST",
        path: str = "/mcp",
        headers: Mapping[str, str | None] | None = None,
        more: Iterable[tuple[str, str]] = (),
        client: tuple[str, int] | None = HOME,
        reading: bool = True,
        root_path: str = "",
    ) -> Visit:
        """Begin a request; `headers` are added to the usual ones, or take them away with None."""
        usual: dict[str, str | None] = {"host": "localhost:8000"}
        if method == "POST":
            usual |= {"content-type": "application/json", "accept": BOTH}
        usual |= {name.lower(): value for name, value in (headers or {}).items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = [(name, value) for name, value in usual.items() if value is not None]
        route, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": root_path + route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "root_path": root_path,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in [*raw, *more]],
            "client": client,
            "server": ("127.0.0.1", 8000),
            "state": {},
        }
        return Visit(self.app, scope, data, reading=reading)

    async def ask(self, body: object = b"", **how: Any) -> Visit:
        """A whole request."""
        return await self.open(body, **how).done()

    async def get(self, path: str, **how: Any) -> Visit:
        """A whole GET."""
        return await self.ask(method="GET", path=path, **how)

    def open_modern(self, method: str, params: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """Begin a request of 2026-07-28; `meta` and `id` say what is unusual about its body."""
        params = {**(params or {}), "_meta": meta(**how.pop("meta", {}))}
        headers = {"mcp-protocol-version": V2026_07_28, "mcp-method": method}
        if method in _NAMED_BY:
            headers["mcp-name"] = params[_NAMED_BY[method]]
        headers |= how.pop("headers", {})
        return self.open(rpc(method, params, how.pop("id", 1)), headers=headers, **how)

    async def modern(self, method: str, params: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """A whole request of 2026-07-28."""
        return await self.open_modern(method, params, **how).done()

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """A whole tool call of 2026-07-28."""
        return await self.modern("tools/call", {"name": tool, "arguments": arguments or {}}, **how)

    def begin(self, tool: str, arguments: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """Begin a tool call of 2026-07-28."""
        return self.open_modern("tools/call", {"name": tool, "arguments": arguments or {}}, **how)

    async def session(self, version: str = V2025_11_25, **how: Any) -> OldClient:
        """A client of an older version that has shaken hands."""
        said = how.pop("capabilities", {})
        hello = {"protocolVersion": version, "capabilities": said, "clientInfo": {"name": "old", "version": "1"}}
        visit = await self.ask(rpc("initialize", hello, 0), **how)
        assert visit.status == 200, visit.body
        client = OldClient(self, version, visit.headers["mcp-session-id"], how.pop("headers", None))
        told = await client.tell("notifications/initialized", **how)
        assert told.status == 202
        return client


class OldClient:
    """A client before 2026-07-28, with its session; `usual` are headers that it sends with everything."""

    def __init__(self, web: Web, version: str, session: str, usual: Mapping[str, str | None] | None = None) -> None:
        self.web = web
        self.version = version
        self.session = session
        self._usual = usual or {}

    def headers(self, more: Mapping[str, str | None] | None = None) -> dict[str, str | None]:
        """What such a client sends with everything."""
        own = {"mcp-session-id": self.session, "mcp-protocol-version": self.version}
        return {**own, **self._usual, **(more or {})}

    def open(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        id: int | str = 1,  # noqa: A002 - as on the wire
        **how: Any,
    ) -> Visit:
        """Begin a request."""
        return self.web.open(rpc(method, params, id), headers=self.headers(how.pop("headers", None)), **how)

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """A whole request."""
        return await self.open(method, params, **how).done()

    def begin(self, tool: str, arguments: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """Begin a tool call; `token` is its progress token."""
        params: dict[str, Any] = {"name": tool, "arguments": arguments or {}}
        if (token := how.pop("token", None)) is not None:
            params["_meta"] = {"progressToken": token}
        return self.open("tools/call", params, **how)

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """A whole tool call."""
        return await self.begin(tool, arguments, **how).done()

    async def tell(self, method: str, params: Mapping[str, Any] | None = None, **how: Any) -> Visit:
        """A notification."""
        return await self.web.ask(rpc(method, params), headers=self.headers(how.pop("headers", None)), **how)

    def listen(self, last_event_id: str | None = None, **how: Any) -> Visit:
        """Begin a GET."""
        headers = self.headers({"accept": "text/event-stream", "last-event-id": last_event_id})
        return self.web.open(method="GET", headers=headers, **how)

    async def leave(self, **how: Any) -> Visit:
        """End the session."""
        return await self.web.ask(method="DELETE", headers=self.headers(how.pop("headers", None)), **how)


def rpc(
    method: str,
    params: Mapping[str, Any] | None = None,
    id: int | str | None = None,  # noqa: A002 - as on the wire
) -> dict[str, Any]:
    """A request, or a notification if it has no id."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        body["id"] = id
    if params is not None:
        body["params"] = params
    return body


@asynccontextmanager
async def serving(
    server: Server, *, calls: Calls | None = None, streaming: bool | None = None, **settings: Any
) -> AsyncGenerator[Web]:
    """An application that runs; whatever it starts must have ended when it has."""
    before = asyncio.all_tasks()
    said: dict[str, Any] = {"rate_limit": "1000000/minute", **settings}
    app = http_app(server, Settings(**said), calls, streaming=streaming)
    async with app.router.lifespan_context(app):
        started = asyncio.all_tasks()
        yield Web(app)
        await nothing_left(started)
    await nothing_left(before)


async def nothing_left(before: set[asyncio.Task[Any]]) -> None:
    """Wait until no more tasks run than before, but for the one that a library keeps for all its streams."""
    async with asyncio.timeout(PATIENCE):
        while left := [task for task in asyncio.all_tasks() - before if not _is_kept(task)]:
            await asyncio.wait(left, timeout=PATIENCE)


def _is_kept(task: asyncio.Task[Any]) -> bool:
    name = getattr(task.get_coro(), "__qualname__", "")
    return name in ("_shutdown_watcher", "_Running._run")
