"""How much a request may say, and how long it may take to say it.

A body announced as too large (`Content-Length`) is refused before a byte of it is read. Any other is counted while it
arrives, and must be complete `timeout` seconds after it was first asked for, however it trickles. The application
gets it as one message.

Nothing is read before the application asks: a stranger without a key, refused by a guard further in, never makes us
hold a body.

When a limit is hit in the middle, the application is waiting for the body. It is told that the client has gone, which
every ASGI application knows how to take, and from then on speaks into the void: the refusal has been sent.

Depth is the parser's business: it gives up at 200 levels.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.guards.caller import caller_of
from mcp_server.guards.patience import Patience
from mcp_server.guards.refusals import TOO_LARGE, TOO_SLOW, Refusal

MAX_BYTES = 4 * 1024 * 1024


class BodyGuard:
    """Refuses bodies that are too large (413) or too slow (408)."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BYTES, timeout: float = 30.0) -> None:
        if max_bytes < 1:
            msg = "max_bytes must be positive"
            raise ValueError(msg)
        self._app = app
        self._max_bytes = max_bytes
        self._patience = Patience(timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with a `receive` that keeps to the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = caller_of(scope).headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._max_bytes:
            await TOO_LARGE(scope, send)
            return
        exchange = _Exchange(scope, receive, send, self._max_bytes, self._patience)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            # An application that trips over the client it believes gone has nobody left to tell.
            if not exchange.refused:
                raise


class _Exchange:
    """One request and its answer: `receive` and `send` as the application sees them."""

    __slots__ = ("_max_bytes", "_patience", "_receive", "_scope", "_send", "_started", "_whole", "refused")

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_bytes: int, patience: Patience) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._patience = patience
        self._whole = False
        self._started = False
        self.refused = False

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._started = True
            await self._send(message)

    async def receive(self) -> Message:
        if self.refused:
            return {"type": "http.disconnect"}
        if self._whole:
            return await self._receive()
        try:
            message = await self._patience.wait_for(self._body())
        except TimeoutError:
            return await self._refuse(TOO_SLOW)
        if message is None:
            return await self._refuse(TOO_LARGE)
        self._whole = True
        return message

    async def _body(self) -> Message | None:
        """Collect the body into one message; None when it grows too large."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                return None
            if chunk:
                chunks.append(chunk)
            if not message.get("more_body", False):
                body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                return {"type": "http.request", "body": body, "more_body": False}

    async def _refuse(self, refusal: Refusal) -> Message:
        self.refused = True
        # Once an answer has begun there is no room for another; the application is only cut off.
        if not self._started:
            await refusal(self._scope, self._send)
        return {"type": "http.disconnect"}
