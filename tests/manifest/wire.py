"""A client that speaks raw JSON-RPC and has every message of the server held against the models of its version.

A `WireSession` is one connection at one version. What it sends is up to the test, down to the byte; what it receives
has been before the oracle. How the bytes travel is all that its subclasses know: within the process, or to a process
of its own. Another transport is one more subclass and one more branch in `Connect`.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import oracle
from fixture_server import SERVERS
from nursery import Nursery
from requirements import HTTP, Transport

from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.engine.engine import Engine
from mcp_server.protocol.messages import is_list
from mcp_server.protocol.versions import LEGACY_VERSIONS, MODERN_VERSIONS

Message: TypeAlias = dict[str, Any]
Id: TypeAlias = int | str

PREFIX: Final = "io.modelcontextprotocol/"
CLIENT: Final = {"name": "manifest", "version": "1"}
PATIENCE: Final = 60.0
"""How long anything may take, in seconds, before a test fails."""


class Refused(Exception):  # noqa: N818 - it is what happened
    """The server answered a request with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['message']} ({error['code']})")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: dict[str, Any] = error.get("data", {})


class WireSession(ABC):
    """One connection; `received` holds every message that has come, `lines` their bytes, both in order."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.received: list[Message] = []
        self.lines: list[bytes] = []
        self._asked: dict[Id, tuple[str, str]] = {}
        self._ids = itertools.count(1)
        self._something = asyncio.Event()
        self._broken: Exception | None = None

    @property
    def unnamed(self) -> int:
        """The code of the error for a request that does not say what it is about."""
        return -32602

    @property
    def modern(self) -> bool:
        """Whether each request carries its own metadata."""
        return self.version in MODERN_VERSIONS

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send these bytes as one message."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Close the client's end; returns when the server has said its last word."""

    # -- asking --------------------------------------------------------------------------------------------------

    async def request(self, method: str, params: Mapping[str, Any] | None = None, **how: Any) -> Message:
        """The result of a request; raises `Refused`. `how` is that of `ask`."""
        response = await self.response(await self.ask(method, params, **how))
        if "error" in response:
            raise Refused(response["error"])
        return response["result"]

    async def refusal(self, method: str, params: Mapping[str, Any] | None = None, **how: Any) -> Refused:
        """The error that a request is answered with."""
        try:
            result = await self.request(method, params, **how)
        except Refused as refused:
            return refused
        raise AssertionError(f"{method} was not refused but answered with {result}")

    async def call(self, tool: str, /, *, meta: Mapping[str, Any] | None = None, **arguments: Any) -> Message:
        """The result of a tool call."""
        return await self.request("tools/call", {"name": tool, "arguments": arguments}, meta=meta)

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        identity: Id | None = None,
        meta: Mapping[str, Any] | None = None,
        version: str | None = None,
    ) -> Id:
        """Send a request and wait for nothing; returns its id. `meta` is added to the metadata that it needs."""
        asked = next(self._ids) if identity is None else identity
        version = version or self.version
        metadata = {**(envelope(version) if version in MODERN_VERSIONS else {}), **(meta or {})}
        await self.raw(method, {**(params or {}), **({"_meta": metadata} if metadata else {})}, asked, version)
        return asked

    async def raw(self, method: str, params: Mapping[str, Any], identity: Id, version: str | None = None) -> None:
        """Send a request with these parameters and nothing else."""
        self._asked[identity] = (method, version or self.version)
        await self.send(json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}).encode())

    async def batch(self, *requests: tuple[str, Mapping[str, Any], Id]) -> None:
        """Send requests, of a method, parameters and an id each, in one array."""
        self._asked |= {identity: (method, self.version) for method, _, identity in requests}
        bodies = [
            {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
            for method, params, identity in requests
        ]
        await self.send(json.dumps(bodies).encode())

    async def begin(self, tool: str, /, *, identity: Id | None = None, **arguments: Any) -> Id:
        """Send a tool call and wait for nothing."""
        return await self.ask("tools/call", {"name": tool, "arguments": arguments}, identity=identity)

    async def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Send a notification."""
        await self.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}}).encode())

    async def cancel(self, identity: Id) -> None:
        """Send the cancellation of a request."""
        await self.notify("notifications/cancelled", {"requestId": identity, "reason": "a test wants it so"})

    # -- listening -----------------------------------------------------------------------------------------------

    async def response(self, identity: Id | None) -> Message:
        """The response with this id."""
        return await self.wait_for(lambda each: "method" not in each and _same(each["id"], identity))

    async def heard(self, method: str, count: int = 1) -> list[Message]:
        """The parameters of the first notifications of this method, once there are so many."""
        await self._until(lambda: len(self.told(method)) >= count)
        return self.told(method)[:count]

    def told(self, method: str) -> list[Message]:
        """The parameters of the notifications of this method that have come so far."""
        return [each["params"] for each in self.received if each.get("method") == method]

    def answered(self, identity: Id) -> bool:
        """Whether a response with this id has come so far."""
        return any("method" not in each and _same(each["id"], identity) for each in self.received)

    async def wait_for(self, predicate: Callable[[Message], bool], within: float = PATIENCE) -> Message:
        """The first message, of those that have come and those that will, that the predicate is true of."""
        await self._until(lambda: any(map(predicate, self.received)), within)
        return next(filter(predicate, self.received))

    async def settle(self) -> None:
        """Wait until whatever was on its way has come: what is asked now is answered after it."""
        await self.request("tools/call", {"name": "echo", "arguments": {"text": ""}})

    async def shake_hands(self, version: str | None = None, capabilities: Mapping[str, Any] | None = None) -> Message:
        """Introduce the client, as versions before 2026-07-28 want it; returns the server's own introduction."""
        wanted = self.version if version is None else version
        hello = {"protocolVersion": wanted, "capabilities": dict(capabilities or {}), "clientInfo": CLIENT}
        result = await self.request("initialize", hello, version=wanted if wanted in LEGACY_VERSIONS else None)
        await self.notify("notifications/initialized")
        return result

    def take(self, data: bytes) -> None:
        """A message has come, or an array of them; a fault in it is raised in the test that waits."""
        methods = {identity: method for identity, (method, _) in self._asked.items()}
        try:
            body: Any = json.loads(data)
            messages: list[Message] = body if is_list(body) else [body]
            for each in messages:
                _, version = self._asked.get(each.get("id", ""), ("", self.version))
                self.received.append(oracle.read(json.dumps(each).encode(), version, methods))
            self.lines.append(data)
        except Exception as error:  # noqa: BLE001 - whatever the oracle says, the transport is not who should hear it
            error.add_note(f"the server said {data[:500]!r}")
            self._broken = error
        self._something.set()

    async def _until(self, condition: Callable[[], bool], within: float = PATIENCE) -> None:
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self.check()
                    self._something.clear()
                    await self._something.wait()
        except TimeoutError:
            raise AssertionError(f"nothing of the kind within {within} s, but {self.received}") from None

    def check(self) -> None:
        """Raise what is wrong with a message that has come."""
        if self._broken is not None:
            raise self._broken


class InMemory(WireSession):
    """A connection within the process."""

    def __init__(self, version: str, connect_to: Engine) -> None:
        super().__init__(version)
        self._connection = Connection(connect_to, _Ear(self.take))
        self._answering: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def opened(cls, version: str, server: str) -> AsyncGenerator[InMemory]:
        """A session with a server of this name."""
        engine = SERVERS[server]().engine()
        async with engine.lifespan():
            session = cls(version, engine)
            try:
                yield session
            finally:
                await session.hang_up()

    async def send(self, data: bytes) -> None:
        """Each message has a task of its own, so a call that waits keeps nobody waiting."""
        task = asyncio.create_task(self._answer(data))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def hang_up(self) -> None:
        """End the connection as a transport would."""
        self._connection.close()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self._answering)

    async def _answer(self, data: bytes) -> None:
        answer = await self._connection.receive(data)
        if answer is not None:
            self.take(answer)


class _Ear:
    """The pipe of a connection within the process: whatever it carries is heard at once."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    async def send(self, message: bytes) -> None:
        self._take(message)

    def deliver(self, message: bytes) -> None:
        self._take(message)

    def outlasts(self, call: Call) -> None:
        """Nobody is kept waiting here."""


class Stdio(WireSession):
    """A connection to a process; `errors` is its standard error, `exit_code` how it ended."""

    def __init__(self, version: str, nursery: Nursery, server: str) -> None:
        super().__init__(version)
        self.exit_code: int | None = None
        self._nursery = nursery
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        incoming, self._to_server = os.pipe()
        self._from_server, outgoing = os.pipe()
        self.process = nursery.start(server, (incoming, outgoing, self._errors.fileno()))
        os.close(incoming)
        os.close(outgoing)
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, version: str, nursery: Nursery, server: str) -> AsyncGenerator[Stdio]:
        """A session with a process that is started for it, and that must end well with it."""
        session = cls(version, nursery, server)
        reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
        pipe = os.fdopen(session._from_server, "rb", buffering=0)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        session._listening = asyncio.create_task(session._listen(reader))
        try:
            yield session
        finally:
            await session.hang_up()
            transport.close()
            session._errors.close()
        assert session.exit_code == 0

    @property
    def errors(self) -> str:
        """What the process has written to its standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode()

    async def send(self, data: bytes) -> None:
        """One line; a thread waits if the process is slow to read."""
        await asyncio.to_thread(_write, self._to_server, data + b"\n")

    async def hang_up(self) -> None:
        """Close the process's input, and see it end."""
        if self.exit_code is not None or self._listening is None:
            return
        os.close(self._to_server)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._listening
        except BaseException:
            os.kill(self.process, signal.SIGKILL)  # whoever has lost patience, a test or we, would wait for ever
            raise
        finally:
            self.exit_code = await asyncio.to_thread(self._nursery.wait, self.process)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            self.take(line.removesuffix(b"\n"))


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@dataclass(frozen=True, slots=True)
class Connect:
    """Opens sessions over one transport, at one version: `async with connect() as session`."""

    transport: Transport
    version: str
    nursery: Nursery

    @asynccontextmanager
    async def __call__(self, server: str = "fixture", *, shake_hands: bool = True) -> AsyncGenerator[WireSession]:
        """A session with one of the fixture servers, introduced to it if its version wants that."""
        async with self._open(server) as session:
            if shake_hands and not session.modern:
                await session.shake_hands()
            yield session
        session.check()

    def _open(self, server: str) -> AbstractAsyncContextManager[WireSession]:
        if self.transport == "memory":
            return InMemory.opened(self.version, server)
        if self.transport in HTTP:
            from wire_http import CLASSES  # it is made of what is here

            return CLASSES[self.transport].opened(self.version, server)
        return Stdio.opened(self.version, self.nursery, server)


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Let a test be a coroutine."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


def envelope(version: str) -> Message:
    """The metadata that every request of a modern version carries."""
    return {PREFIX + "protocolVersion": version, PREFIX + "clientCapabilities": {}, PREFIX + "clientInfo": CLIENT}


def _same(given: object, wanted: object) -> bool:
    return given == wanted and type(given) is type(wanted)
