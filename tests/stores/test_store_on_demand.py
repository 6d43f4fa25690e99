"""The store that is opened when it is first needed."""

from __future__ import annotations

import asyncio

import pytest

from mcp_server.stores import StoreUnavailable
from mcp_server.stores.memory import MemoryStore
from mcp_server.stores.on_demand import StoreOnDemand


class Slow(MemoryStore):
    """Gives others a turn while it opens, and fails as often as it is told to."""

    def __init__(self, made: list[Slow], failures: list[Exception]) -> None:
        super().__init__()
        self._failures = failures
        self.closed = 0
        made.append(self)

    async def open(self) -> None:
        await asyncio.sleep(0)
        if self._failures:
            raise self._failures.pop()
        await super().open()

    async def close(self) -> None:
        self.closed += 1
        await super().close()


def on_demand(*failures: Exception) -> tuple[StoreOnDemand, list[Slow]]:
    made: list[Slow] = []
    left = list(failures)
    return StoreOnDemand(lambda: Slow(made, left)), made


def test_it_is_opened_once_however_many_ask_at_the_same_moment() -> None:
    async def main() -> None:
        store, made = on_demand()
        await asyncio.gather(*(store.get("kind", "key") for _ in range(20)))
        assert len(made) == 1
        await store.close()

    asyncio.run(main())


def test_nothing_is_made_before_somebody_asks() -> None:
    async def main() -> None:
        store, made = on_demand()
        await store.close()
        assert made == []

    asyncio.run(main())


def test_whoever_asks_while_it_is_away_is_told_and_the_next_one_gets_through() -> None:
    async def main() -> None:
        store, made = on_demand(StoreUnavailable("away"))
        with pytest.raises(StoreUnavailable):
            await store.open()
        assert [each.closed for each in made] == [1]
        await store.put("kind", "key", b"1", lifetime=None)
        assert len(made) == 2
        await store.close()

    asyncio.run(main())


def test_once_closed_it_may_be_used_again() -> None:
    async def main() -> None:
        store, made = on_demand()
        await store.open()
        await store.close()
        await store.close()
        assert [each.closed for each in made] == [1]
        assert await store.add("kind", "key", b"1", lifetime=None)
        assert len(made) == 2
        await store.close()

    asyncio.run(main())


def test_every_operation_reaches_the_store() -> None:
    async def main() -> None:
        store, made = on_demand()
        assert await store.add("kind", "a", b"1", lifetime=None, owner="ann")
        await store.put("kind", "b", b"2", lifetime=None, owner="ann")
        assert await store.swap("kind", "a", b"1", b"3", lifetime=None)
        assert [each.value for each in await store.find("kind", owner="ann")] == [b"3", b"2"]
        taken = await store.take("kind", "a")
        assert taken is not None
        assert taken.value == b"3"
        assert await store.delete("kind", "b")
        assert await store.sweep() == 0
        assert len(made) == 1
        await store.close()

    asyncio.run(main())
