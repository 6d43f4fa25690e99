"""Sessions of the raw client over HTTP: each message is a request to the whole application, without a socket.

What a good client does to its headers is done here; what it says stays up to the test, down to the byte.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fixture_server import SERVERS
from wire import PATIENCE, PREFIX, Id, Message, WireSession

from mcp_server.protocol.messages import is_object
from mcp_server.protocol.versions import V2026_07_28
from tests.http.http_driver import Visit, Web, serving

_NAMED_BY = {
    "tools/call": "name", "prompts/get": "name", "resources/read": "uri",
    "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId",
}  # fmt: skip


class Http(WireSession):
    """A client of `/mcp`, or of `/mcp/sse`, where every answer is a stream of events."""

    path = "/mcp"

    def __init__(self, version: str, web: Web) -> None:
        super().__init__(version)
        self._web = web
        self._session: str | None = None
        self._visits: dict[Id | None, Visit] = {}
        self._following: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def opened(cls, version: str, server: str) -> AsyncGenerator[WireSession]:
        """A session with a server of this name."""
        async with serving(SERVERS[server]()) as web:
            session = cls(version, web)
            try:
                await session.begin_to_listen()
                yield session
            finally:
                await session.hang_up()

    @property
    def unnamed(self) -> int:
        """Over HTTP a header has to repeat it, and that is looked at first."""
        return -32020 if self.modern else super().unnamed

    async def visit(self, body: object = b"", **how: Any) -> Visit:
        """A whole request that is none of the session's, with these headers and no others."""
        how.setdefault("path", self.path)
        return await self._web.ask(body, **how)

    def visit_of(self, identity: Id) -> Visit:
        """The request of the session that had this id."""
        return self._visits[identity]

    @property
    def session_headers(self) -> dict[str, str | None]:
        """The headers of this session."""
        return self._own_headers()

    async def end_everything(self) -> None:
        """Have the server end what would not end by itself, as it does before it stops."""
        self._web.app.state.lifecycle.drain()

    async def begin_to_listen(self) -> None:
        """Whatever is to be open before the first message; nothing here."""

    async def send(self, data: bytes) -> None:
        """One request; an answer to a notification is waited for, so that it has taken effect."""
        body = _parsed(data)
        identity = body.get("id") if is_object(body) else None
        visit = self._web.open(data, path=self.path, headers=self._headers(body))
        self._follow(visit)
        if isinstance(identity, str | int):
            self._visits[identity] = visit
        elif is_object(body) and "method" in body:
            await visit.done()
            if body["method"] == "notifications/initialized" and not _is_modern(body):
                await self._listen()

    async def cancel(self, identity: Id) -> None:
        """Hang up, which is how a call is cancelled in the newest version; before it, hanging up meant nothing."""
        visit = self._visits.get(identity)
        if self.modern and visit is not None:
            visit.hang_up()
            await visit.done()
        else:
            await super().cancel(identity)

    async def hang_up(self) -> None:
        """Leave the session, which ends its calls, and every connection."""
        if self._session is not None:
            await self._web.ask(method="DELETE", headers=self._own_headers())
        for visit in self._visits.values():
            visit.hang_up()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._following)

    async def _listen(self) -> None:
        """The stream on which a client before 2026-07-28 hears what belongs to none of its requests."""
        news = self._web.open(method="GET", headers={**self._own_headers(), "accept": "text/event-stream"})
        await news.until(lambda: news.status != 0)
        self._visits[None] = news
        self._follow(news)

    def _follow(self, visit: Visit) -> None:
        task = asyncio.create_task(self._read(visit))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _read(self, visit: Visit) -> None:
        """Take every message of an answer as soon as it is there."""
        taken = 0
        while True:
            ended = visit.task.done()
            self._session = visit.headers.get("mcp-session-id", self._session)
            if visit.is_stream:
                said = [each["data"].encode() for each in visit.events if each.get("data")]
                for data in said[taken:]:
                    self.take(data)
                taken = len(said)
            elif ended and visit.body:
                self.take(visit.body)
            if ended:
                await visit.done()
                return
            await visit.something()

    def _headers(self, body: Any) -> dict[str, str | None]:
        if not is_object(body) or not _is_modern(body):
            return self._own_headers()
        params, method = body["params"], str(body.get("method", ""))
        version = params["_meta"].get(PREFIX + "protocolVersion")
        headers: dict[str, str | None] = {
            "mcp-protocol-version": version if isinstance(version, str) else V2026_07_28,
            "mcp-method": method,
        }
        name = params.get(_NAMED_BY.get(method, ""))
        return {**headers, "mcp-name": _encoded(name)} if isinstance(name, str) else headers

    def _own_headers(self) -> dict[str, str | None]:
        if self._session is None:
            return {"mcp-protocol-version": V2026_07_28} if self.modern else {}
        return {"mcp-session-id": self._session}


class Events(Http):
    """A client of `/mcp/sse`."""

    path = "/mcp/sse"


class HttpSse(Http):
    """A client of 2024-11-05: a stream that says where messages go, and brings every answer."""

    async def begin_to_listen(self) -> None:
        stream = self._web.open(method="GET", path="/mcp/sse", headers={"accept": "text/event-stream"})
        await stream.until(lambda: bool(stream.events))
        self.path = stream.events[0]["data"]
        self._visits[None] = stream
        self._follow(stream)

    async def _listen(self) -> None:
        """The stream is open already."""

    def take(self, data: bytes) -> None:
        """All but the first event are messages."""
        if data != self.path.encode():
            super().take(data)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _encoded(name: str) -> str:
    """A name as a header may hold it."""
    if name.isascii() and name.isprintable() and name == name.strip():
        return name
    return f"=?base64?{b64encode(name.encode()).decode()}?="


def _is_modern(body: Message) -> bool:
    params = body.get("params")
    return is_object(params) and is_object(params.get("_meta")) and PREFIX + "protocolVersion" in params["_meta"]


CLASSES: dict[str, type[Http]] = {"http": Http, "events": Events, "http+sse": HttpSse}
