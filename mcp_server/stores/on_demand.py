"""A store that is opened when it is first needed.

A request may be checked before anything has been started, and on some hosts nothing ever is. A store that is away does
not keep a server from starting either: whoever needs it is told, and the next one tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from mcp_server.stores.store import Record, Store
from mcp_server.stores.sweeping import Sweeper


class StoreOnDemand:
    """A `Store` in front of the one that `make` gives, which it opens, sweeps and closes."""

    def __init__(self, make: Callable[[], Store]) -> None:
        self._make = make
        self._opening = asyncio.Lock()
        self._opened: tuple[Store, Sweeper] | None = None

    async def open(self) -> None:
        """Open the store now."""
        await self._store()

    async def close(self) -> None:
        """Close the store, if it was opened; it may be used again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            store, sweeper = opened
            await sweeper.stop()
            await store.close()

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        """Store a record."""
        await (await self._store()).put(kind, key, value, lifetime=lifetime, owner=owner)

    async def add(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> bool:
        """Store a record if there is none."""
        return await (await self._store()).add(kind, key, value, lifetime=lifetime, owner=owner)

    async def get(self, kind: str, key: str) -> Record | None:
        """Read a record."""
        return await (await self._store()).get(kind, key)

    async def take(self, kind: str, key: str) -> Record | None:
        """Remove a record and give it."""
        return await (await self._store()).take(kind, key)

    async def swap(self, kind: str, key: str, before: bytes, after: bytes, *, lifetime: float | None) -> bool:
        """Replace a record that is as it was."""
        return await (await self._store()).swap(kind, key, before, after, lifetime=lifetime)

    async def delete(self, kind: str, key: str) -> bool:
        """Remove a record."""
        return await (await self._store()).delete(kind, key)

    async def find(self, kind: str, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[Record]:
        """Records of a kind."""
        return await (await self._store()).find(kind, owner=owner, after=after, limit=limit)

    async def sweep(self) -> int:
        """Remove what has expired."""
        return await (await self._store()).sweep()

    async def _store(self) -> Store:
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    self._opened = await self._open()
        return self._opened[0]

    async def _open(self) -> tuple[Store, Sweeper]:
        store = self._make()
        try:
            await store.open()
        except BaseException:
            await store.close()
            raise
        sweeper = Sweeper(store)
        sweeper.start()
        return store, sweeper
