"""A client without a socket, which puts everything that it hears before the oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import oracle
from fakes import FakeService, message, meta

from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine, Observer
from mcp_server.engine.in_flight import InFlight
from mcp_server.protocol.versions import MODERN_VERSIONS, V2026_07_28


class Client:
    """Talks to a `Connection` in the same task; everything that it hears has been before the oracle."""

    def __init__(
        self,
        service: FakeService | None = None,
        *,
        version: str = V2026_07_28,
        timeout: float | None = 60.0,
        observer: Observer | None = None,
    ) -> None:
        self.service = service or FakeService()
        self.version = version
        self.engine = Engine(self.service, timeout=timeout, observer=observer)
        self.connection = Connection(self.engine, self)
        self.in_flight: InFlight = self.connection._in_flight  # pyright: ignore[reportPrivateUsage]
        self.heard: list[dict[str, Any]] = []
        self.something = asyncio.Event()
        self.waiting: list[Call] = []
        self.room = asyncio.Event()
        self.room.set()
        self._methods: dict[int | str, str] = {}
        self._ids = iter(range(1, 1_000_000))

    async def send(self, message: bytes) -> None:
        await self.room.wait()
        self.deliver(message)

    def deliver(self, message: bytes) -> None:
        self.heard.append(oracle.read(message, self.version, self._methods))
        self.something.set()

    def outlasts(self, call: Call) -> None:
        self.waiting.append(call)

    async def begin(self) -> Client:
        """Introduce itself, where the version wants that."""
        if self.version not in MODERN_VERSIONS:
            hello = {"protocolVersion": self.version, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
            await self.ask("initialize", hello)
            await self.tell("notifications/initialized")
        return self

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, *, id: int | str | None = None) -> Any:  # noqa: A002 - as on the wire
        """The response to a request, or None if nothing is said at its end."""
        identity = next(self._ids) if id is None else id
        said = dict(params or {})
        if self.version in MODERN_VERSIONS:
            said.setdefault("_meta", meta())
        self._methods[identity] = method
        return await self.say(message(method, said, identity))

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The response to a tool call."""
        identity = more.pop("id", None)
        return await self.ask("tools/call", {"name": tool, "arguments": arguments or {}, **more}, id=identity)

    async def tell(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """A notification, which has no answer."""
        assert await self.say(message(method, params)) is None

    async def cancel(self, identity: int | str) -> None:
        """Does not want the answer to a request any more."""
        await self.tell("notifications/cancelled", {"requestId": identity})

    async def say(self, data: bytes) -> Any:
        """Whatever the answer to these bytes is."""
        answer = await self.connection.receive(data)
        return None if answer is None else oracle.read(answer, self.version, self._methods)

    async def hears(self, count: int) -> list[dict[str, Any]]:
        """The first messages that came beside answers, as soon as there are so many."""
        async with asyncio.timeout(60):
            while len(self.heard) < count:
                self.something.clear()
                await self.something.wait()
        return self.heard[:count]


async def turns(count: int = 5) -> None:
    """Let everything that is ready run, a few times over."""
    for _ in range(count):
        await asyncio.sleep(0)
