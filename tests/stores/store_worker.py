"""A process that works on a store and prints each thing it has done, for tests that kill it at any moment.

python store_worker.py <url> <prefix> add|count|take <name>
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from mcp_server.stores import Store
from tests.store_backends import store_at


async def add(store: Store, name: str) -> None:
    """Add records as fast as possible."""
    for number in itertools.count():
        if await store.add("added", f"{name}-{number:07}", str(number).encode(), lifetime=None, owner=name):
            print(number, flush=True)


async def count(store: Store, _name: str) -> None:
    """Count in one record, which others do as well."""
    await store.add("count", "all", b"0", lifetime=None)
    while True:
        record = await store.get("count", "all")
        assert record is not None
        if await store.swap("count", "all", record.value, str(int(record.value) + 1).encode(), lifetime=None):
            print(int(record.value) + 1, flush=True)


async def take(store: Store, _name: str) -> None:
    """Take everything there is, each process in the same order."""
    while found := await store.find("taken", limit=20):
        for record in found:
            if await store.take("taken", record.key):
                print(record.key, flush=True)


async def main() -> None:
    url, prefix, what, name = sys.argv[1:]
    store = store_at(url, prefix)
    await store.open()
    print("open", flush=True)
    await {"add": add, "count": count, "take": take}[what](store, name)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
