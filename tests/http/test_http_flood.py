"""Many connections at once, half of them slow, garbage or gone: nobody else notices, and nothing is left behind.

By default a few seconds of three hundred connections; `MCP_FLOOD=60:1000` makes it a minute of a thousand.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

from http_children import PATIENCE, Child, modern_call, started

SECONDS, CONNECTIONS = (int(each) for each in os.environ.get("MCP_FLOOD", "6:300").split(":"))
_GROWTH = 96 * 1024
"""How much more memory, in KiB, the server may hold afterwards: what an allocator keeps for the next flood."""


Dice: TypeAlias = random.Random
Behaviour: TypeAlias = "Callable[[Dice, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]"


class Flood:
    """What the connections do, and what came of it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._until = time.monotonic() + SECONDS
        self._numbers = itertools.count()
        self.answered: list[str] = []
        self.statuses: set[int] = set()
        self.healthy = 0

    async def run(self) -> None:
        """Everybody at once, until the time is over."""
        bad: list[Behaviour] = [self.trickles, self.talks_garbage, self.goes, self.does_not_read, self.sends_half]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self.asks_after_its_health, Dice(0)))
            for number in range(CONNECTIONS):
                behaviour = self.calls if number % 2 else bad[number // 2 % len(bad)]
                tasks.create_task(self._again_and_again(behaviour, Dice(number)))

    async def _again_and_again(self, behaviour: Behaviour, dice: Dice) -> None:
        while time.monotonic() < self._until:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(sock=await self._connected())
                try:
                    await behaviour(dice, reader, writer)
                except (ConnectionError, asyncio.IncompleteReadError):
                    assert behaviour not in (self.calls, self.asks_after_its_health)
                finally:
                    writer.transport.abort()

    async def _connected(self) -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)  # so that not reading is soon felt
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._port))
        return connection

    # -- those who behave

    async def calls(self, dice: Dice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Some calls over one connection, each of which must be answered, and with its own answer."""
        for _ in range(dice.randrange(1, 8)):
            word = f"word{next(self._numbers)}"
            status, body = await self._exchange(reader, writer, "mark", {"word": word})
            assert (status, json.loads(body)["result"]["content"][0]["text"]) == (200, word)
            self.answered.append(word)

    async def asks_after_its_health(
        self, dice: Dice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Looks after the server."""
        writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        status, _ = await self._read(reader)
        assert status == 200
        self.healthy += 1

    # -- those who do not

    async def trickles(self, dice: Dice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Sends a call a few bytes at a time, and is answered all the same."""
        word = f"slow{next(self._numbers)}"
        data = _request("mark", {"word": word})
        for start in range(0, len(data), 40):
            writer.write(data[start : start + 40])
            await writer.drain()
            await asyncio.sleep(dice.random() / 50)
        status, _ = await self._read(reader)
        assert status == 200
        self.answered.append(word)

    async def talks_garbage(self, dice: Dice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Sends what is no HTTP, or no JSON, or no message."""
        kinds = [
            dice.randbytes(200) + b"\r\n\r\n",
            _post(b"{" * 500),
            _post(dice.randbytes(300)),
            _post(b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 5000 + b'"}'),
            _request("nope", {}),
            _request("add", {"a": "1"}),
        ]
        writer.write(dice.choice(kinds))
        await self._read(reader)

    async def goes(self, dice: Dice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Asks for something that lasts, and goes before it comes."""
        writer.write(_request("wait", {"steps": dice.randrange(3), "label": "never"}, token="t"))
        await writer.drain()
        await asyncio.sleep(dice.random() / 20)

    async def does_not_read(self, dice: Dice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Asks for much and reads none of it."""
        cast("asyncio.Transport", writer.transport).pause_reading()
        writer.write(_request("wait", {"steps": 100, "width": 20_000, "label": "never"}, token="t"))
        await writer.drain()
        await asyncio.sleep(dice.random())

    async def sends_half(self, dice: Dice, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Goes in the middle of its request."""
        data = _request("mark", {"word": "half"})
        writer.write(data[: dice.randrange(len(data) - 1)])
        await writer.drain()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tool: str, arguments: dict[str, Any]
    ) -> tuple[int, bytes]:
        writer.write(_request(tool, arguments))
        return await self._read(reader)

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        self.statuses.add(status)
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        return status, await reader.readexactly(length)


def _post(body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    said = {"content-type": "application/json", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n{lines}\r\n".encode() + body


def _request(tool: str, arguments: dict[str, Any], token: str | None = None) -> bytes:
    return _post(*modern_call(tool, arguments, token=token))


def resident(child: Child) -> int:
    """How much memory the server holds, in KiB; 0 where nobody can tell."""
    status = Path(f"/proc/{child.process.pid}/status")
    if not status.exists():
        return 0
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmRSS")).split()[1])


def tasks_of(child: Child) -> int:
    return int(child.call("tasks")["content"][0]["text"])


def test_a_flood_leaves_nothing_behind_and_loses_nothing(tmp_path: Path) -> None:
    with started(tmp_path, SSE_MAX_CONNECTIONS="10000", MAX_CONNECTIONS="10000", METRICS_ENABLED="true") as child:
        for _ in range(200):
            child.call("add", {"a": 1, "b": 1})
        tasks, memory = tasks_of(child), resident(child)
        flood = Flood(child.port)
        asyncio.run(flood.run())

        assert flood.healthy > 1  # each of them was answered, or we should not be here
        assert flood.statuses <= {200, 400, 404}
        assert len(flood.answered) > CONNECTIONS
        marks: Counter[str] = Counter(json.loads(child.call("marks")["content"][0]["text"]))
        assert all(marks[word] == 1 for word in flood.answered)
        assert [word for word, count in marks.items() if count > 1 and word.startswith(("word", "slow"))] == []
        # Each call whose caller has gone is noticed as such, sooner or later.
        deadline = time.monotonic() + PATIENCE
        while tasks_of(child) > tasks and time.monotonic() < deadline:
            time.sleep(0.1)
        assert tasks_of(child) <= tasks
        metrics = child.http.get("/metrics").text
        assert "mcp_open_streams 0.0" in metrics
        assert marks["begannever"] > 0
        assert resident(child) - memory < _GROWTH
    assert "Traceback" not in child.log()
    assert "Exception in ASGI" not in child.log()
