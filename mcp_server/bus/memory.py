"""The bus of a single process: nobody else is there, so nothing is carried anywhere.

For tests there can be several: buses that were made with one `Wire` are as those of several processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_server.bus.bus import Listener
from mcp_server.bus.listeners import Listeners


class Wire:
    """What connects buses of one process, on one event loop."""

    def __init__(self) -> None:
        self._ends: list[MemoryBus] = []

    def join(self, bus: MemoryBus) -> None:
        """Let a bus hear the others."""
        if bus not in self._ends:
            self._ends.append(bus)

    def leave(self, bus: MemoryBus) -> None:
        """Let it hear them no more."""
        if bus in self._ends:
            self._ends.remove(bus)

    def others(self, bus: MemoryBus) -> int:
        """How many buses would hear this one."""
        return len(self._ends) - 1 if bus in self._ends else 0

    def carry(self, sender: MemoryBus, topic: str, message: bytes) -> None:
        """Take a message from one bus to the others, in a moment: nobody hears of it before its sender goes on."""
        if sender in self._ends:
            for bus in self._ends:
                if bus is not sender:
                    asyncio.get_running_loop().call_soon(bus.receive, topic, message)


class MemoryBus:
    """A `Bus` without a network."""

    def __init__(self, wire: Wire | None = None) -> None:
        self._wire = wire or Wire()
        self._listeners = Listeners()

    async def open(self) -> None:
        """Begin to listen."""
        self._wire.join(self)

    async def close(self) -> None:
        """Stop listening."""
        self._wire.leave(self)

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message to the other ends of the wire."""
        self._wire.carry(self, topic, message)

    async def others(self) -> int:
        """How many other ends the wire has."""
        return self._wire.others(self)

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Hear what the others publish about a topic."""
        return self._listeners.add(topic, listener)

    def receive(self, topic: str, message: bytes) -> None:
        """A message from another end."""
        self._listeners.tell(topic, message)
