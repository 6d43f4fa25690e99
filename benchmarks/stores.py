"""What each store costs, on this machine.

    python -m benchmarks.stores sqlite:////tmp/bench.db redis://127.0.0.1:6379/0 postgresql://user@127.0.0.1/test

One caller after the other shows how long an operation takes, many at once how many there can be in a second. Records
are of 500 bytes, as a token or a task is. What is written is removed again.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from mcp_server.bus import open_bus
from mcp_server.stores import Store, open_store

ROUNDS = 500
CALLERS = 32
VALUE = b"v" * 500
HOUR = 3600.0

Operation = Callable[[Store, str, str], Awaitable[object]]

OPERATIONS: dict[str, Operation] = {
    "add": lambda store, kind, key: store.add(kind, key, VALUE, lifetime=HOUR, owner="ann"),
    "get": lambda store, kind, key: store.get(kind, key),
    "swap": lambda store, kind, key: store.swap(kind, key, VALUE, VALUE, lifetime=HOUR),
    "take": lambda store, kind, key: store.take(kind, key),
}


async def one_by_one(store: Store, kind: str, operation: Operation) -> float:
    """The median of what an operation takes, in microseconds."""
    taken: list[float] = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        await operation(store, kind, str(number))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


async def all_at_once(store: Store, kind: str, operation: Operation) -> float:
    """How many operations there are in a second."""

    async def caller(first: int) -> None:
        for number in range(first, ROUNDS * 4, CALLERS):
            await operation(store, kind, str(number))

    began = time.perf_counter()
    await asyncio.gather(*(caller(first) for first in range(CALLERS)))
    return ROUNDS * 4 / (time.perf_counter() - began)


async def measure(url: str) -> str:
    """A row of the table."""
    store, kind = open_store(url), f"benchmark-{secrets.token_hex(4)}"
    await store.open()
    try:
        cells = [url.partition(":")[0]]
        alone = [await one_by_one(store, kind, operation) for operation in OPERATIONS.values()]
        together = [await all_at_once(store, kind, operation) for operation in OPERATIONS.values()]
        cells += [f"{micros:,.0f} | {rate:,.0f}" for micros, rate in zip(alone, together, strict=True)]
        return f"| {' | '.join(cells)} |"
    finally:
        await store.close()


class Ear:
    """Hears one message."""

    def __init__(self) -> None:
        self.something = asyncio.Event()
        self.message = b""

    def heard(self, message: bytes) -> None:
        self.message = message
        self.something.set()

    def missed(self) -> None:
        """Nothing is lost here."""


async def measure_bus(url: str) -> str:
    """How long a message is on its way, in words."""
    name, ear = secrets.token_hex(4), Ear()
    here, there = open_bus(url, name), open_bus(url, name)
    there.listen("benchmark", ear)
    taken: list[float] = []
    await here.open()
    await there.open()
    try:
        while len(taken) < ROUNDS:
            ear.something.clear()
            began = time.perf_counter()
            here.publish("benchmark", VALUE)
            try:
                await asyncio.wait_for(ear.something.wait(), 0.5)
            except TimeoutError:  # it does not listen yet
                continue
            taken.append(time.perf_counter() - began)
    finally:
        await here.close()
        await there.close()
    return f"A message on the bus takes {statistics.median(taken) * 1e6:,.0f} µs."


async def main() -> None:
    """Measure each store whose URL was given, and memory; and the bus, if there is a Redis."""
    names = [f"{name}, µs | {name}, /s" for name in OPERATIONS]
    print(f"| store | {' | '.join(names)} |")
    print(f"|---|{'---:|---:|' * len(names)}")
    for url in ("memory://", *sys.argv[1:]):
        print(await measure(url))
    for url in sys.argv[1:]:
        if url.startswith("redis"):
            print(f"\n{await measure_bus(url)}")


if __name__ == "__main__":
    asyncio.run(main())
