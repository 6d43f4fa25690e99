"""A client and a server in one process, with two pipes between them."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fakes import FakeService, Tool

from mcp_server.engine.calls import Call
from mcp_server.engine.engine import Engine
from mcp_server.protocol.results import Result, text_content
from mcp_server.transports.stdio import serve

DONE: Result = {"content": [text_content("done")]}
PING = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n'


class Line:
    """The client's ends of two pipes."""

    def __init__(self, service: FakeService) -> None:
        self.service = service
        self.incoming, self.to_server = os.pipe()
        self.from_server, self.outgoing = os.pipe()
        self.serving: asyncio.Task[None] | None = None
        self._unread = b""

    async def say(self, *lines: bytes) -> None:
        """Write, in a thread, as the pipe may be full."""
        await self.write(b"".join(line + b"\n" for line in lines))

    async def write(self, data: bytes) -> None:
        def write_all() -> None:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self.to_server, rest) :]

        await asyncio.to_thread(write_all)

    async def hear(self) -> Any:
        """The next message, or None when there will be no more."""
        while b"\n" not in self._unread:
            chunk = await asyncio.to_thread(os.read, self.from_server, 1 << 20)
            if not chunk:
                return None
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def end_input(self) -> None:
        os.close(self.to_server)
        self.to_server = -1

    async def end(self) -> None:
        """Hang up, and wait until the server has noticed."""
        self.end_input()
        assert self.serving is not None
        await self.serving


@asynccontextmanager
async def serving(tools: dict[str, Tool] | None = None, *, patience: float | None = 60.0) -> AsyncGenerator[Line]:
    line = Line(FakeService(tools))
    line.serving = asyncio.create_task(serve(Engine(line.service, timeout=patience), line.incoming, line.outgoing))
    try:
        async with asyncio.timeout(60):
            yield line
            if line.to_server >= 0:
                line.end_input()
            await line.serving
    finally:
        line.serving.cancel()
        if line.to_server >= 0:
            line.end_input()
        os.close(line.from_server)
        for thread in threading.enumerate():
            if thread.name in {"mcp-stdin", "mcp-stdout"}:
                await asyncio.to_thread(thread.join, 5)
        os.close(line.incoming)
        os.close(line.outgoing)


def talk(talking: Callable[[Line], Awaitable[Any]], tools: dict[str, Tool] | None = None, **options: Any) -> Any:
    """What comes of talking over two pipes."""

    async def main() -> Any:
        async with serving(tools, **options) as line:
            return await talking(line)

    return asyncio.run(main())


def answers(data: bytes, count: int, tools: dict[str, Tool] | None = None) -> list[Any]:
    """The first answers to these bytes, after which the input ends."""

    async def talking(line: Line) -> list[Any]:
        await line.write(data)
        return [await line.hear() for _ in range(count)]

    return talk(talking, tools)


async def waits(arguments: dict[str, Any], call: Call) -> Result:
    await asyncio.Event().wait()
    return DONE
