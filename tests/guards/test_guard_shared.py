from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asgi_driver import Seen, ask, http_scope
from redis_servers import RUNNING, own_redis

from mcp_server.guards.limiter import Limiter
from mcp_server.guards.limits import RateGuard, by_address
from mcp_server.guards.rates import Rate, rates_from
from mcp_server.guards.shared import SharedWindows

NOWHERE = "redis://127.0.0.1:1/0"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_workers_share_one_count(prefix: str) -> None:
    async def main() -> list[bool]:
        workers = [SharedWindows(RUNNING, prefix=prefix, patience=5) for _ in range(2)]
        rate = Rate(4, 60)
        allowed = [(await workers[number % 2].take(rate, "a", 1)).allowed for number in range(6)]
        for worker in workers:
            assert worker.unlimited == 0
            await worker.close()
        return allowed

    assert asyncio.run(main()) == [True] * 4 + [False] * 2


def test_processes_share_one_count(prefix: str) -> None:
    code = (
        "import asyncio\n"
        "from mcp_server.guards.rates import Rate\n"
        "from mcp_server.guards.shared import SharedWindows\n"
        "async def main():\n"
        f"    windows = SharedWindows({RUNNING!r}, prefix={prefix!r}, patience=5)\n"
        "    print(sum([(await windows.take(Rate(5, 600), 'a', 1)).allowed for _ in range(4)]))\n"
        "    await windows.close()\n"
        "asyncio.run(main())\n"
    )
    counts = [int(subprocess.check_output([sys.executable, "-c", code], timeout=60)) for _ in range(2)]
    assert counts == [4, 1]


def test_a_verdict_from_afar_tells_what_is_left_and_when_there_is_more(prefix: str) -> None:
    async def main() -> None:
        windows = SharedWindows(RUNNING, prefix=prefix, patience=5)
        rate = Rate(3, 60)
        assert (await windows.take(rate, "a", 2)).remaining == 1
        refused = await windows.take(rate, "a", 2)
        assert (refused.allowed, refused.remaining) == (False, 1)
        assert 55 < refused.reset_after <= 121
        assert (await windows.take(rate, "a", 1))[:2] == (True, 0)
        assert not (await windows.look(rate, "a", 1)).allowed
        assert (await windows.take(rate, "b", 1)).remaining == 2
        assert (await windows.look(rate, "b", 1)).remaining == 1
        assert (await windows.look(rate, "b", 1)).remaining == 1
        await windows.close()

    asyncio.run(main())


def test_when_redis_is_away_everybody_passes_and_is_counted() -> None:
    async def main() -> None:
        windows = SharedWindows(NOWHERE)
        limiter = Limiter(rates_from("1/minute"), windows, name="address")
        guard = RateGuard(Seen(), limiter=limiter, bucket=by_address())
        assert [(await ask(guard, http_scope())).status for _ in range(5)] == [200] * 5
        assert windows.unlimited == 5
        await windows.close()

    asyncio.run(main())


def test_the_alarm_is_one_line_a_minute_and_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        clock = Clock()
        windows = SharedWindows("redis://:hunter2hunter2@127.0.0.1:1/0", clock=clock)
        for _ in range(100):
            await windows.take(Rate(1, 60), "a", 1)
            clock.now += 0.7
        await windows.close()

    asyncio.run(main())
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "ConnectionError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_redis_that_does_not_answer_costs_one_request_its_patience() -> None:
    async def main() -> None:
        callers: list[asyncio.StreamReader] = []

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            callers.append(reader)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(deaf, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        clock = Clock()
        windows = SharedWindows(f"redis://127.0.0.1:{port}/0", patience=0.1, clock=clock)
        began = time.monotonic()
        for _ in range(100):
            assert (await windows.take(Rate(1, 60), "a", 1)).allowed
        assert time.monotonic() - began < 5, "only the first of a hundred may wait its 0.1 s"
        while not callers:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        attempts = len(callers)
        clock.now += 2
        await asyncio.gather(*(windows.take(Rate(1, 60), "a", 1) for _ in range(20)))
        assert len(callers) - attempts <= attempts, "one of twenty tries again"
        assert windows.unlimited == 120
        await windows.close()
        server.close()

    asyncio.run(main())


def test_counting_stops_and_starts_with_redis(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        clock = Clock()
        rate = Rate(2, 60)
        with own_redis(tmp_path) as server:
            windows = SharedWindows(server.url, patience=5, clock=clock)
            allowed = [(await windows.take(rate, "a", 1)).allowed for _ in range(3)]
            assert allowed == [True, True, False]
            server.stop()
            allowed = [(await windows.take(rate, "a", 1)).allowed for _ in range(3)]
            assert (allowed, windows.unlimited) == ([True, True, True], 3)
            server.start()
            assert (await windows.take(rate, "a", 1)).allowed
            assert windows.unlimited == 4
            clock.now += 2
            allowed = [(await windows.take(rate, "a", 1)).allowed for _ in range(3)]
            assert (allowed, windows.unlimited) == ([True, True, False], 4)
            await windows.close()

    with caplog.at_level(logging.INFO, logger="mcp_server.guards.shared"):
        asyncio.run(main())
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "counted again; 4 requests" in caplog.text


def test_a_pooled_connection_left_from_before_a_restart_loses_no_count(tmp_path: Path) -> None:
    async def main() -> None:
        with own_redis(tmp_path) as server:
            windows = SharedWindows(server.url, patience=5)
            await windows.take(Rate(2, 60), "a", 1)
            server.stop()
            server.start()
            assert (await windows.take(Rate(2, 60), "a", 1)).remaining == 1
            assert windows.unlimited == 0
            await windows.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["", "memory://", "memcached://127.0.0.1", "http://a.example", "redis", "async+redis://x"]
)
def test_a_url_nothing_can_be_done_with_is_a_mistake(url: str) -> None:
    with pytest.raises(ValueError, match="redis://host:6379/0"):
        SharedWindows(url)


def test_without_the_client_library_the_mistake_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio.retry", None)
    with pytest.raises(ValueError, match="pip install 'redis>=6'"):
        SharedWindows(NOWHERE)
