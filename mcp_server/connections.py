"""The connections that uvicorn holds, kept from strangers who want nothing but to hold them.

uvicorn waits for a request as long as its head takes to arrive, lets httptools collect a head of any size, and once it
has closed a connection waits for ever for the client to read the rest. None of that needs a key, so that a thousand
silent connections would keep everybody else out. Here

* a head must be there some seconds after it was first waited for, however it trickles,
* a head has a largest size (431),
* what nobody reads is dropped once it has not moved for a while,
* a client that does not answer the goodbye of TLS, as browsers may not, does not hold up the end of the process,
* and when all places are taken, a newcomer gets that of whoever has been idle longest. Only if every connection is
  being served is a further one refused, with uvicorn's 503.

A connection is *idle* while the server has nothing to do for it. How long a body may take is the business of
`guards/bodies.py`; how long a client may leave a stream unread, that of `transports/exchange.py`. Nothing here knows of
MCP, of ASGI or of settings.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as UvicornProtocol
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
else:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as UvicornProtocol

HEAD_BYTES: Final = 256 * 1024
"""How large the head of a request may grow; as much as is read at once, so that only what is longer needs counting."""

_BY_HTTPTOOLS: Final = UvicornProtocol.__name__ == "HttpToolsProtocol"
"""Whether uvicorn reads requests with httptools, as it does wherever there is one."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(UvicornProtocol):
    """One connection of uvicorn, for its option `http`."""

    head_time = 15.0
    """How long a head may take, in seconds, beyond what uvicorn waits for it to begin on a connection that was used."""
    reading_time = 30.0
    """How long a client may leave the end of an answer unread, in seconds, once the connection is closed."""
    goodbye_time = 1.0
    """How long a client may take, in seconds, to let go of a connection that is closed because the process ends."""
    look_after = 5.0
    """How often a connection is looked after, in seconds."""
    _leaving = False
    """Whether it is to be closed because the process ends."""

    # uvicorn's own attributes are just as many as instances of a class can share the names of.
    __slots__ = ("_head", "_look", "_moved", "_unread", "idle_since")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.idle_since = self.loop.time()
        """Since when it has been idle, if it is."""
        self._head = 0
        self._unread = 0
        self._moved = self.idle_since
        self._look: asyncio.TimerHandle | None = None

    @property
    def fresh(self) -> bool:
        """Whether it has not asked anything yet."""
        return cast("RequestResponseCycle | None", self.cycle) is None

    @property
    def idle(self) -> bool:
        """Whether there is nothing that the server does for it."""
        return self.fresh or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Begin to look after it, and make room for it."""
        super().connection_made(transport)
        self._look = self.loop.call_later(self.look_after, self._look_after)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._take_a_place()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look after it no more."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that is not complete."""
        super().data_received(data)
        scope: Any = self.scope  # None before the first request, and without a path until its head is complete
        if scope is None or "path" in scope:
            self._head = 0
            return
        self._head += len(data)
        if self._head > HEAD_BYTES and not self.transport.is_closing():
            if self.idle:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
            else:
                self.transport.abort()  # an answer is under way, in which there is no room for another

    def on_response_complete(self) -> None:
        """Become idle."""
        self.idle_since = self.loop.time()
        if not _BY_HTTPTOOLS or self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            if self._leaving:
                self._say_goodbye()
        else:
            # What uvicorn does, without a timer for each answer: who does not ask again is noticed by `_look_after`.
            self.server_state.total_requests += 1
            self.flow.resume_reading()

    def shutdown(self) -> None:
        """The process ends: close the connection, once what is asked on it has been answered."""
        super().shutdown()
        self._leaving = True
        if self.idle:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        # The event loop would wait half a minute for a client to answer the end of TLS.
        self.loop.call_later(self.goodbye_time, self._leave)

    def _leave(self) -> None:
        if self.transport.get_write_buffer_size():
            self._say_goodbye()  # it is still reading; for how long it may is decided elsewhere
        else:
            self.transport.abort()

    def _take_a_place(self) -> None:
        connections = cast("set[Connection]", self.connections)
        others = [each for each in connections if each is not self and each.idle]
        if others:
            # Who has never asked anything goes before who is only between two requests.
            leaves = min(others, key=lambda each: (not each.fresh, each.idle_since))
            connections.discard(leaves)
            leaves.transport.abort()

    def _look_after(self) -> None:
        now = self.loop.time()
        unread = self.transport.get_write_buffer_size()
        if unread != self._unread:
            self._unread, self._moved = unread, now
        if not self.transport.is_closing():
            self._moved = now
            waits_for_head = self.fresh or self._head
            may_idle = self.timeout_keep_alive + (self.head_time if waits_for_head else 0)
            if self.idle and now - self.idle_since > may_idle:
                self.transport.close()
        elif now - self._moved > self.reading_time:
            self.transport.abort()
            return
        self._look = self.loop.call_later(self.look_after, self._look_after)
