"""`GET` for clients before 2026-07-28: news of changes on a stream of their own, and streams taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.types import Receive, Scope, Send

from mcp_server.engine.engine import Engine
from mcp_server.engine.sessions import Session
from mcp_server.engine.subscriptions import Feed
from mcp_server.guards.caller import caller_of
from mcp_server.transports.exchange import READING_TIME, event, send_empty
from mcp_server.transports.journals import Journal
from mcp_server.transports.principals import principal_of
from mcp_server.transports.seats import Streaming

HTTP_UNAVAILABLE: Final = 503

_GOODBYE: Final = 24 * 3600.0
"""Streams end by themselves when the server is about to stop; the library is not to cut them off before that."""


async def respond_with_events(
    events: AsyncGenerator[bytes], streaming: Streaming, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a request with events until there are no more, the client goes or the server stops."""
    from sse_starlette import EventSourceResponse  # noqa: PLC0415 - it brings uvicorn along, also where nothing streams

    if not streaming.seats.take():
        await send_empty(send, HTTP_UNAVAILABLE, [(b"retry-after", b"5")])
        return
    try:
        ping = max(1, round(streaming.keep_alive))
        response = EventSourceResponse(
            events, ping=ping, send_timeout=READING_TIME, sep="\n", shutdown_grace_period=_GOODBYE
        )
        await response(scope, receive, send)
    finally:
        streaming.seats.leave()


class Streams:
    """Long streams to one client each; a slow one holds up nobody but itself."""

    def __init__(self, engine: Engine, streaming: Streaming) -> None:
        self._engine = engine
        self._streaming = streaming
        self._feeds: dict[str, set[Feed]] = {}

    async def news(self, session_id: str, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a session's news until it ends, its client goes or the server stops."""
        await self._respond(self._news(session_id, session, scope), scope, receive, send)

    def end(self, session_id: str) -> None:
        """There is no such session any more."""
        for feed in self._feeds.get(session_id, ()):
            feed.end()

    async def resume(self, journal: Journal, place: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what a client has missed of a stream, and the rest of that stream."""
        await self._respond(self._missed(journal, place, scope), scope, receive, send)

    async def _respond(self, events: AsyncGenerator[bytes], scope: Scope, receive: Receive, send: Send) -> None:
        await respond_with_events(events, self._streaming, scope, receive, send)

    async def _news(self, session_id: str, session: Session, scope: Scope) -> AsyncGenerator[bytes]:
        feed = self._engine.open_feed(session, principal_of(caller_of(scope)))
        feeds = self._feeds.setdefault(session_id, set())
        feeds.add(feed)
        ending = asyncio.get_running_loop().call_later(self._streaming.lifetime, feed.end)
        release = self._streaming.held(scope, feed.end)
        try:
            while (news := await feed.next()) is not None:
                message = self._engine.render_notification(session.peer, news.method, news.params)
                yield event(message)
        finally:
            ending.cancel()
            release()
            self._engine.close_feed(feed)
            feeds.discard(feed)
            if not feeds:
                self._feeds.pop(session_id, None)

    async def _missed(self, journal: Journal, place: int, scope: Scope) -> AsyncGenerator[bytes]:
        ended = asyncio.Event()

        def end() -> None:
            ended.set()
            journal.wake()

        release = self._streaming.held(scope, end)
        try:
            async for event_id, data in journal.after(place, lambda: not ended.is_set()):
                yield event(data, event_id)
        finally:
            release()
