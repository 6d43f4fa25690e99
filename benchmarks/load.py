"""The load: keep-alive connections that each send their request again as soon as it is answered.

It is a client of our own so that nothing need be installed, and so that every single answer can be looked at: the
first one on each connection is taken apart, the following ones must be the same bytes or are taken apart too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Coroutine

Check: TypeAlias = Callable[[bytes], bool]
"""Whether the body of an answer is right."""

_END_OF_HEAD: Final = b"\r\n\r\n"
_END_OF_CHUNKS: Final = b"0\r\n\r\n"
_LONGEST: Final = 30.0


class WrongAnswer(Exception):  # noqa: N818 - it is what has happened
    """A server is fast only as long as it is right."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One HTTP request as bytes, and how to tell a right answer."""

    data: bytes
    is_right: Check


@dataclass(frozen=True, slots=True)
class Burst:
    """What has come of some load: how long it took in all, and each answer in turn; seconds."""

    elapsed: float
    latencies: Sequence[float]


class Connection(asyncio.Protocol):
    """One connection that repeats one request until its time is over."""

    def __init__(self, ask: Ask, until: float) -> None:
        self._ask = ask
        self._until = until
        self._buffer = bytearray()
        self._body_at = 0
        self._length: int | None = None
        self._right: bytes | None = None
        self._sent = 0.0
        self.latencies: list[float] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.headers: dict[str, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._body_at and not self._read_head():
            return
        if self._length is None:
            if self._buffer.endswith(_END_OF_CHUNKS):
                self._answered(_joined(bytes(self._buffer[self._body_at :])))
        elif len(self._buffer) - self._body_at >= self._length:
            self._answered(bytes(self._buffer[self._body_at :]))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or ConnectionError("the server hung up"))

    def _send(self) -> None:
        self._buffer.clear()
        self._body_at = 0
        self._sent = time.perf_counter()
        self._transport.write(self._ask.data)

    def _read_head(self) -> bool:
        end = self._buffer.find(_END_OF_HEAD)
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).decode("latin-1")
        status, *lines = head.split("\r\n")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._body_at = end + len(_END_OF_HEAD)
        length = self.headers.get("content-length")
        self._length = None if length is None else int(length)
        if not status.startswith(("HTTP/1.1 200", "HTTP/1.1 202")):
            self._fail(WrongAnswer(f"{status}: {bytes(self._buffer[self._body_at :])[:300]!r}"))
        return not self.over.done()

    def _answered(self, body: bytes) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        if body != self._right:
            if not self._is_right(body):
                self._fail(WrongAnswer(repr(body[:300])))
                return
            self._right = body
        if now < self._until:
            self._send()
        else:
            self.over.set_result(None)
            self._transport.close()

    def _is_right(self, body: bytes) -> bool:
        try:
            return self._ask.is_right(body)
        except (LookupError, TypeError, ValueError):  # it is not even of the right shape
            return False

    def _fail(self, error: Exception) -> None:
        if not self.over.done():
            self.over.set_exception(error)
        self._transport.close()


async def press(port: int, asks: Sequence[Ask], seconds: float) -> Burst:
    """Repeat each request on a connection of its own for some seconds; raises `WrongAnswer`."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    connections = [Connection(ask, began + seconds) for ask in asks]
    for connection in connections:
        await loop.create_connection(lambda made=connection: made, "127.0.0.1", port)
    async with asyncio.timeout(seconds + _LONGEST):
        await asyncio.gather(*[connection.over for connection in connections])
    elapsed = time.perf_counter() - began
    return Burst(elapsed, [each for connection in connections for each in connection.latencies])


async def exchange(port: int, ask: Ask) -> dict[str, str]:
    """Send one request once; returns the headers of the answer."""
    connection = Connection(ask, 0.0)
    await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", port)
    async with asyncio.timeout(_LONGEST):
        await connection.over
    return connection.headers


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run some load to its end, on the faster event loop if it is there: we must not be what is waited for."""
    if find_spec("uvloop") is None:
        return asyncio.run(work)
    import uvloop  # noqa: PLC0415 - it may be absent

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _joined(chunked: bytes) -> bytes:
    """A body from its chunks."""
    body, at = bytearray(), 0
    while True:
        end = chunked.index(b"\r\n", at)
        size = int(chunked[at:end], 16)
        if size == 0:
            return bytes(body)
        body += chunked[end + 2 : end + 2 + size]
        at = end + size + 4
