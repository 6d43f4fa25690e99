"""The steps of each request in the log, in the words that people search for; only where the operator wants them.

Looks at what passes in and out, and is the only one who does: no face pays for it. Of a message it logs the id and
nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from pydantic_core import from_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.guards.caller import caller_of
from mcp_server.observe import lines
from mcp_server.protocol.messages import RequestId, is_object, is_request_id

logger = logging.getLogger("mcp_server.steps")

_DATA: Final = b"data: "


class Steps:
    """Logs what comes and, of event streams, when they begin, which answers they carry and when they end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        logger.info(lines.http_request(scope["method"], scope["path"]))
        logger.info(lines.accept_header(caller_of(scope).headers.get(b"accept", b"").decode("latin-1")))
        stream = _Stream(scope, send)
        try:
            await self._app(scope, receive, stream.send)
        finally:
            stream.end()


class _Stream:
    """What goes out in answer to one request, as far as it is events."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._open = False
        self._events = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            caller = caller_of(self._scope)
            if caller.bearer is not None:
                logger.info(lines.oauth_success(caller.bearer.name[:8]))
            self._begin(message.get("headers", ()))
        elif self._open:
            self._look_at(message.get("body", b""))
        await self._send(message)

    def end(self) -> None:
        if self._open:
            logger.info(lines.stream_ended(self._events))

    def _begin(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._open = dict(headers).get(b"content-type", b"").startswith(b"text/event-stream")
        if self._open:
            logger.info(lines.stream_started(self._scope["method"], self._scope["path"]))

    def _look_at(self, body: bytes) -> None:
        for line in body.splitlines():
            if line.startswith(_DATA):
                self._events += 1
                answered, request_id = _answered(line[len(_DATA) :])
                if answered:
                    logger.info(lines.stream_event(self._events, request_id))


def _answered(data: bytes) -> tuple[bool, RequestId | None]:
    """Whether a message is an answer, and to which request; the address of a message endpoint is no message."""
    try:
        message = from_json(data) if data.startswith(b"{") else None
    except ValueError:  # it is nested deeper than we read; clients may read it
        message = None
    if not is_object(message) or "method" in message:
        return False, None
    identity = message.get("id")
    return True, identity if is_request_id(identity) else None
