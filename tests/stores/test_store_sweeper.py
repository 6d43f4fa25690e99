"""The sweeper sweeps until it is stopped, with pauses that differ, and outlives a store that is away."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mcp_server.stores import StoreUnavailable, Sweeper
from mcp_server.stores.memory import MemoryStore
from tests.store_backends import PATIENCE, Clock


class Pauses:
    """Lets the sweeper go on as often as a test says, and knows how long it would have waited."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._turns = asyncio.Semaphore(0)
        self._waits = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._waits.set()
        await self._turns.acquire()

    async def one_turn(self) -> None:
        """Let it sweep once, and wait until it pauses again."""
        await self._waits.wait()
        self._waits.clear()
        self._turns.release()
        await self._waits.wait()


class Counting(MemoryStore):
    """A store that counts its sweeps, and is away when a test says so."""

    swept = 0
    away = False

    async def sweep(self) -> int:
        self.swept += 1
        if self.away:
            msg = "nobody answers"
            raise StoreUnavailable(msg)
        return await super().sweep()


def test_it_sweeps_after_each_pause_and_its_pauses_differ() -> None:
    async def main() -> None:
        clock, pauses = Clock(), Pauses()
        store = Counting(clock=clock)
        await store.open()
        await store.put("kind", "a", b"", lifetime=5)
        sweeper = Sweeper(store, every=100, pause=pauses)
        sweeper.start()
        sweeper.start()
        await pauses.one_turn()
        clock.now += 10
        for _ in range(20):
            await pauses.one_turn()
        await sweeper.stop()
        await sweeper.stop()
        assert await store.sweep() == 0
        assert store.swept == 22
        assert len(set(pauses.asked)) > 10
        assert all(75 <= seconds <= 125 for seconds in pauses.asked)

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    asyncio.run(bounded())


def test_a_store_that_is_away_is_reported_once_and_swept_again_later(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        pauses, store = Pauses(), Counting()
        await store.open()
        sweeper = Sweeper(store, pause=pauses)
        sweeper.start()
        for away in (True, True, False, True):
            store.away = away
            await pauses.one_turn()
        await sweeper.stop()
        assert store.swept == 4

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    with caplog.at_level(logging.WARNING):
        asyncio.run(bounded())
    assert [record.message for record in caplog.records] == [
        "Expired records stay where they are for now: nobody answers"
    ] * 2
