"""The transport of 2024-11-05: one `GET` that stays open for everything the server says, and a `POST` for each message.

The stream tells the client where to post. What it posts is answered 202 at once; the answer itself comes on the stream.
So here a connection lives in the memory of one process, as long as its stream does: behind a balancer this transport
needs the two requests to reach the same process, which newer ones do not.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from mcp_server.engine.calls import Call, Principal
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine
from mcp_server.guards.caller import caller_of
from mcp_server.protocol.errors import invalid_request
from mcp_server.protocol.rendering import failure_bytes
from mcp_server.transports.bodies import ClientGone, read_body
from mcp_server.transports.exchange import HTTP_ACCEPTED, event, send_empty, send_json
from mcp_server.transports.principals import name_of, principal_of
from mcp_server.transports.seats import Streaming
from mcp_server.transports.streams import respond_with_events

_MAX_UNREAD: Final = 1000
"""How many messages a client may leave unread before its stream is closed."""
_HTTP_NOT_FOUND: Final = 404
_HTTP_NOT_ALLOWED: Final = 405


def opens_old_stream(scope: Scope) -> bool:
    """Whether a request is the `GET` of this transport: a newer client's names a session, or the version it speaks."""
    newer = (b"mcp-session-id", b"mcp-protocol-version")
    return scope["method"] == "GET" and not any(name in newer for name, _ in scope["headers"])


class HttpSse:
    """Both halves of the transport; `stream` answers the GET and `message` the POSTs."""

    def __init__(self, engine: Engine, streaming: Streaming, *, message_path: str) -> None:
        self._engine = engine
        self._streaming = streaming
        self._message_path = message_path
        self._clients: dict[str, _Client] = {}

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a connection and keep it open until the client goes or the server stops."""
        client_id = secrets.token_urlsafe(24)
        path = scope.get("root_path", "") + self._message_path
        events = self._events(client_id, f"{path}?session_id={client_id}", scope)
        await respond_with_events(events, self._streaming, scope, receive, send)

    async def message(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one message of a connection; its answer goes to the stream."""
        if scope["method"] != "POST":
            await send_empty(send, _HTTP_NOT_ALLOWED, [(b"allow", b"POST")])
            return
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        client = self._clients.get(query.get("session_id", [""])[0])
        principal = principal_of(caller_of(scope))
        if client is None or name_of(client.principal) != name_of(principal):
            failure = invalid_request("There is no such stream: open one with GET").failure
            await send_json(send, _HTTP_NOT_FOUND, failure_bytes(None, failure))
            return
        try:
            data = await read_body(receive)
        except ClientGone:
            return
        client.take(data, principal)
        await send_empty(send, HTTP_ACCEPTED)

    def drain(self) -> None:
        """The server is about to stop: each stream ends once what was asked on it has been answered."""
        for client in self._clients.values():
            client.drain()

    async def _events(self, client_id: str, message_url: str, scope: Scope) -> AsyncGenerator[bytes]:
        client = self._clients[client_id] = _Client(self._engine, principal_of(caller_of(scope)))
        release = self._streaming.held(scope, client.end)
        try:
            yield f"event: endpoint\ndata: {message_url}\n\n".encode()
            while (message := await client.unread.get()) is not None:
                yield event(message)
        finally:
            release()
            del self._clients[client_id]
            client.close()


class _Client:
    """One connection: the pipe between its engine side and its stream."""

    def __init__(self, engine: Engine, principal: Principal | None) -> None:
        self.principal = principal
        self.unread: asyncio.Queue[bytes | None] = asyncio.Queue(_MAX_UNREAD + 1)
        self._connection = Connection(engine, self, principal=principal, transport="http-sse")
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    def take(self, data: bytes, principal: Principal | None) -> None:
        """Answer a message, in a task of its own; its sender may do what its own token says, not the stream's."""
        task = asyncio.create_task(self._answer(data, principal))
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def drain(self) -> None:
        """End the stream as soon as nothing is owed on it."""
        self._draining = True
        self._end_when_done()

    def end(self) -> None:
        """End the stream, whatever is owed on it."""
        if not self.unread.full():
            self.unread.put_nowait(None)

    def close(self) -> None:
        """The stream has ended."""
        self._connection.close()

    async def send(self, message: bytes) -> None:
        """Put a message on the stream."""
        self.deliver(message)

    def deliver(self, message: bytes) -> None:
        """Put a message on the stream, or close the stream of a client that does not read."""
        if self.unread.qsize() < _MAX_UNREAD:
            self.unread.put_nowait(message)
        else:
            self.end()

    def outlasts(self, call: Call) -> None:
        """Each message has a task of its own here, so nobody waits for this call."""

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._end_when_done()

    def _end_when_done(self) -> None:
        if self._draining and not self._tasks:
            self.end()

    async def _answer(self, data: bytes, principal: Principal | None) -> None:
        answer = await self._connection.receive(data, principal)
        if answer is not None:
            self.deliver(answer)
