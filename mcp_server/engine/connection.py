"""One client at the other end of one pipe: bytes in, bytes out, and what the client has told us meanwhile.

This is what every transport with a lasting connection is made of: stdio, the in-memory client of the tests, the
2024-11-05 event stream. It knows the order of things (parse, shape, era, answer, bytes) and nothing about where the
bytes come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from mcp_server.engine.asked import Asked
from mcp_server.engine.calls import Call, Principal
from mcp_server.engine.engine import LISTEN, Engine
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.sessions import Session
from mcp_server.engine.subscriptions import Feed
from mcp_server.protocol.errors import Failure, ProtocolError, invalid_request
from mcp_server.protocol.legacy import MAX_BATCH, takes_batches
from mcp_server.protocol.messages import Json, Notification, Request, is_list, parse, readable_id, shape
from mcp_server.protocol.rendering import failure_bytes
from mcp_server.protocol.results import Answer


class Pipe(Protocol):
    """The outgoing half of a connection, and the transport's ear for calls that take their time."""

    async def send(self, message: bytes) -> None:
        """Deliver a message; waits while the client is slow to read."""
        ...

    def deliver(self, message: bytes) -> None:
        """Deliver a message at once, from outside any task."""
        ...

    def outlasts(self, call: Call) -> None:
        """A call did not finish at once, so somebody else should go on reading."""
        ...


class Connection:
    """Answers the messages of one client and remembers what they said; the `Line` of all its calls."""

    def __init__(
        self, engine: Engine, pipe: Pipe, *, principal: Principal | None = None, transport: str = "stdio"
    ) -> None:
        self._engine = engine
        self._pipe = pipe
        self.transport = transport
        self._principal = principal
        self._session = Session()
        self._in_flight = InFlight()
        self._asked = Asked()
        self._feed: Feed | None = None
        self._feeding: asyncio.Task[None] | None = None

    async def receive(self, data: bytes, principal: Principal | None = None) -> bytes | None:
        """The answer to whatever has come in, or None if none is due; whatever it was, nothing is raised.

        `principal` is who sends this message, where each comes with credentials of its own.
        """
        principal = principal or self._principal
        try:
            body = parse(data)
            if is_list(body) and self._session.known and takes_batches(self._session.peer.version):
                return await self._batch(body, principal)
        except ProtocolError as error:
            return failure_bytes(None, error.failure)
        return await self._message(body, principal)

    def close(self) -> None:
        """The connection ends: so do its calls, and it hears no more news."""
        self._in_flight.end_all()
        if self._feed is not None:
            self._engine.close_feed(self._feed)
        if self._feeding is not None:
            self._feeding.cancel()

    async def send(self, method: str, params: Mapping[str, Any], request: Request) -> None:
        """A notification on its way to the client, on behalf of a call."""
        await self._pipe.send(self._engine.render_notification(request.peer, method, params))

    def outlasts(self, call: Call) -> None:
        """A call did not finish at once."""
        self._pipe.outlasts(call)

    def deliver(self, call: Call, answer: Answer) -> None:
        """A call has its answer before its code has ended."""
        self._pipe.deliver(self._engine.render(call.request, answer))

    async def question(self, call: Call, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A request of ours on its way to the client, and its result on the way back."""
        with self._asked.open(call.request.peer, method, params) as question:
            await self._pipe.send(question.message)
            return await question.answer

    async def _batch(self, bodies: list[Any], principal: Principal | None) -> bytes | None:
        if not 0 < len(bodies) <= MAX_BATCH:
            raise invalid_request(f"A batch must hold between 1 and {MAX_BATCH} messages")
        answers = await asyncio.gather(*[self._message(body, principal, batched=True) for body in bodies])
        due = [answer for answer in answers if answer is not None]
        return b"[" + b",".join(due) + b"]" if due else None

    async def _message(self, body: Json, principal: Principal | None, *, batched: bool = False) -> bytes | None:
        try:
            message = shape(body)
            if isinstance(message, Request):
                self._engine.admit(message, self._session)
                if batched and (message.peer.modern or message.method == "initialize"):
                    raise invalid_request("This request must not be part of a batch")
        except ProtocolError as error:
            return failure_bytes(readable_id(body), error.failure)
        if isinstance(message, Request):
            return await self._request(message, principal)
        if isinstance(message, Notification):
            self._notified(message)
        else:
            self._asked.answer(message)
        return None

    async def _request(self, request: Request, principal: Principal | None) -> bytes | None:
        answer = await self._engine.answer(request, self, self._in_flight, session=self._session, principal=principal)
        if answer is None:
            return None
        message = self._engine.render(request, answer)
        if request.method == LISTEN and not isinstance(answer, Failure):
            # On a pipe the end of a subscription is said twice: by its result, which clients take as a graceful end
            # only if it comes first, and by a cancellation, which the specification asks for.
            self._pipe.deliver(message)
            cancelled = {"requestId": request.id}
            return self._engine.render_notification(request.peer, "notifications/cancelled", cancelled)
        return message

    def _notified(self, notification: Notification) -> None:
        if notification.method == "notifications/cancelled":
            self._in_flight.cancel(notification.params.get("requestId"))
        elif notification.method == "notifications/initialized" and self._session.known and self._feeding is None:
            self._feed = self._engine.open_feed(self._session, self._principal)
            self._feeding = asyncio.create_task(self._tell(self._feed))

    async def _tell(self, feed: Feed) -> None:
        while (news := await feed.next()) is not None:
            message = self._engine.render_notification(self._session.peer, news.method, news.params)
            await self._pipe.send(message)
