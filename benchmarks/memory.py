"""What waiting costs: the memory of an open listen stream, and of a session that nobody uses."""

from __future__ import annotations

import asyncio
import time

from benchmarks import questions
from benchmarks.load import Ask, WrongAnswer, exchange, run
from benchmarks.processes import Server

STREAMS = 1000
SESSIONS = 3000
"""More than streams: beside so little memory, the lines of a log that wait to be written would count."""
_FIRST = 20
"""So many come before the first look, as the first ones pay for what is shared by all."""
_PATIENCE = 30.0


def bytes_per_stream(server: Server, key: str | None) -> float:
    """The memory of one open stream of `subscriptions/listen`; raises `WrongAnswer`."""
    return run(_streams(server, key))


def bytes_per_session(server: Server, key: str | None) -> float:
    """The memory of one session after its handshake; raises `WrongAnswer`."""
    return run(_sessions(server, key))


def bytes_per_connection(server: Server, key: str | None) -> float:
    """The memory of one connection that is kept open after a call: what a stream costs before it is one."""
    return run(_connections(server, key))


async def _connections(server: Server, key: str | None) -> float:
    call = questions.modern(1, "tools/call", questions.addition(1), questions.sum_is(2), key)
    held: list[asyncio.StreamWriter] = []

    async def open_some(count: int) -> None:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            held.append(writer)
            writer.write(call.data)
            async with asyncio.timeout(_PATIENCE):
                await reader.readuntil(b'"sum"')

    try:
        await open_some(_FIRST)
        before = await _settled(server)
        await open_some(STREAMS)
        return (await _settled(server) - before) / STREAMS
    finally:
        for writer in held:
            writer.close()


async def _streams(server: Server, key: str | None) -> float:
    listens = {"notifications": {"toolsListChanged": True}}
    held: list[asyncio.StreamWriter] = []

    async def open_some(count: int) -> None:
        for _ in range(count):
            ask = questions.modern(len(held), "subscriptions/listen", listens, lambda _: True, key)
            held.append(await _listening(server.port, ask))

    try:
        await open_some(_FIRST)
        before = await _settled(server)
        await open_some(STREAMS)
        return (await _settled(server) - before) / STREAMS
    finally:
        for writer in held:
            writer.close()


async def _listening(port: int, ask: Ask) -> asyncio.StreamWriter:
    """A connection whose subscription has been acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ask.data)
    seen = b""
    async with asyncio.timeout(_PATIENCE):
        while b"acknowledged" not in seen:
            data = await reader.read(65536)
            seen += data
            if not data or b"error" in seen:
                writer.close()
                raise WrongAnswer(repr(seen[:300]))
    return writer


async def _sessions(server: Server, key: str | None) -> float:
    hello = questions.initialize(key)

    async def begin(count: int) -> None:
        for _ in range(count):
            if "mcp-session-id" not in await exchange(server.port, hello):
                raise WrongAnswer("a handshake has given no session")

    await begin(_FIRST)
    before = await _settled(server)
    await begin(SESSIONS)
    return (await _settled(server) - before) / SESSIONS


async def _settled(server: Server) -> int:
    """The memory of a server once it has nothing to do any more."""
    deadline = time.monotonic() + 2.0
    cpu = server.cpu
    while time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        now = server.cpu
        if now - cpu < 0.001:
            break
        cpu = now
    return server.memory
