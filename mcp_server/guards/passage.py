"""One request on its way in and its answer on its way out, as the application behind the guards has them.

What is added to an answer (`Caller.standing`) is added here. So is what limits a body: it is counted while it
arrives, and must be complete a while after it was first asked for, however it trickles. The application gets it as
one message.

When a limit is hit in the middle, the application is waiting for the body. It is told that the client has gone, which
every ASGI application knows how to take, and from then on speaks into the void: the refusal has been sent.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple

from starlette.types import Message, Receive, Scope, Send

from mcp_server.guards.caller import Caller
from mcp_server.guards.patience import Patience
from mcp_server.guards.refusals import TOO_LARGE, TOO_SLOW, Refusal


class Limits(NamedTuple):
    """How much a request may say, and how long it may take to say it."""

    max_bytes: int
    patience: Patience


class Passage:
    """The two ends of one connection; without limits, bodies pass as they come."""

    # How it stands at first; it is not worth a line of `__init__` a request.
    _started = False
    _whole = False
    refused = False

    def __init__(self, scope: Scope, caller: Caller, receive: Receive, send: Send, limits: Limits | None) -> None:
        self._scope = scope
        self._caller = caller
        self._receive = receive
        self._send = send
        self._limits = limits

    def send(self, message: Message) -> Awaitable[None]:
        """Send a part of the answer, if one is still wanted."""
        # No coroutine of its own: this stands between every answer and its client, and has nothing to wait for.
        if self.refused:
            return _nothing()
        return self._send(message) if self._started else self._begin(message)

    async def receive(self) -> Message:
        """Receive the whole body, and after it whatever else comes."""
        if self.refused:
            return {"type": "http.disconnect"}
        if self._whole or self._limits is None:
            return await self._receive()
        max_bytes, patience = self._limits
        try:
            message = await patience.wait_for(self._body(max_bytes))
        except TimeoutError:
            return await self._refuse(TOO_SLOW)
        if message is None:
            return await self._refuse(TOO_LARGE)
        self._whole = True
        return message

    async def _body(self, max_bytes: int) -> Message | None:
        """Collect the body into one message; None when it grows too large."""
        message = await self._receive()
        chunks: list[bytes] = []
        size = 0
        while message["type"] == "http.request":
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > max_bytes:
                return None
            if not message.get("more_body", False):
                if chunks:
                    return {"type": "http.request", "body": b"".join([*chunks, chunk]), "more_body": False}
                return message  # nearly always all of it is there at once
            if chunk:
                chunks.append(chunk)
            message = await self._receive()
        return message

    async def _refuse(self, refusal: Refusal) -> Message:
        self.refused = True
        # Once an answer has begun there is no room for another; the application is only cut off.
        if not self._started:
            await refusal(self._scope, lambda message: self._send(message) if self._started else self._begin(message))
        return {"type": "http.disconnect"}

    def _begin(self, message: Message) -> Awaitable[None]:
        self._started = True
        standing, self._caller.standing = self._caller.standing, ()
        if standing:
            message["headers"] = [*message.get("headers", ()), *standing]
        return self._send(message)


async def _nothing() -> None: ...
