"""Records in the memory of this process: for tests, and for a single process that may forget everything at its end.

Nothing here waits, so every operation is atomic by itself. Records survive `close` and `open`, because some hosts
(Lambda) run a whole lifespan around every request.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from mcp_server.stores.rules import Clock, check, check_search, end_of
from mcp_server.stores.store import Record, StoreUnavailable

_PORTION: Final = 1000
"""How many records are looked at before others get their turn."""


class _Shelf:
    """The records of one kind, by key and in the order of their keys."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._keys: list[str] = []

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def put(self, record: Record) -> None:
        if record.key not in self._records:
            insort(self._keys, record.key)
        self._records[record.key] = record

    def remove(self, key: str) -> None:
        del self._records[key]
        del self._keys[bisect_left(self._keys, key)]

    def after(self, key: str) -> Iterator[Record]:
        """The records behind a key; must be read before anything changes."""
        return (self._records[self._keys[at]] for at in range(bisect_right(self._keys, key), len(self._keys)))


class MemoryStore:
    """A `Store` in memory.

    Args:
        clock: What time it is.
    """

    def __init__(self, *, clock: Clock = time.time) -> None:
        self._clock = clock
        self._shelves: dict[str, _Shelf] = {}
        self._open = False

    async def open(self) -> None:
        """Allow what follows; other stores are not usable before either."""
        self._open = True

    async def close(self) -> None:
        """Refuse what follows, and keep the records."""
        self._open = False

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        """Store a record, whether or not there is one already."""
        check(kind, key, owner)
        self._shelf(kind).put(Record(key, value, owner, end_of(lifetime, self._clock())))

    async def add(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> bool:
        """Store a record if there is none."""
        if await self.get(kind, key) is not None:
            return False
        await self.put(kind, key, value, lifetime=lifetime, owner=owner)
        return True

    async def get(self, kind: str, key: str) -> Record | None:
        """Read a record."""
        check(kind, key)
        record = self._shelf(kind).get(key)
        return None if record is None or self._is_over(record) else record

    async def take(self, kind: str, key: str) -> Record | None:
        """Remove a record and give it."""
        record = await self.get(kind, key)
        if record is not None:
            self._shelf(kind).remove(key)
        return record

    async def swap(self, kind: str, key: str, before: bytes, after: bytes, *, lifetime: float | None) -> bool:
        """Replace a record's value and lifetime if its value is still `before`."""
        record = await self.get(kind, key)
        end = end_of(lifetime, self._clock())
        if record is None or record.value != before:
            return False
        self._shelf(kind).put(replace(record, value=after, expires=end))
        return True

    async def delete(self, kind: str, key: str) -> bool:
        """Remove a record."""
        return await self.take(kind, key) is not None

    async def find(self, kind: str, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[Record]:
        """Records of a kind, in the order of their keys, from the first key greater than `after`."""
        check_search(kind, owner, after)
        found = (
            record
            for record in self._shelf(kind).after(after)
            if (owner is None or record.owner == owner) and not self._is_over(record)
        )
        return list(islice(found, max(limit, 0)))

    async def sweep(self) -> int:
        """Remove what has expired."""
        self._check_open()
        removed = 0
        for kind in tuple(self._shelves):
            removed += await self._sweep(kind)
        return removed

    async def _sweep(self, kind: str) -> int:
        removed, last = 0, ""
        while portion := list(islice(self._shelf(kind).after(last), _PORTION)):
            over = [record.key for record in portion if self._is_over(record)]
            for key in over:
                self._shelf(kind).remove(key)
            removed += len(over)
            last = portion[-1].key
            await asyncio.sleep(0)
        if not len(self._shelf(kind)):
            del self._shelves[kind]
        return removed

    def _check_open(self) -> None:
        if not self._open:
            msg = "The store in memory is not open; call open() first."
            raise StoreUnavailable(msg)

    def _shelf(self, kind: str) -> _Shelf:
        self._check_open()
        return self._shelves.setdefault(kind, _Shelf())

    def _is_over(self, record: Record) -> bool:
        return record.expires is not None and record.expires <= self._clock()
