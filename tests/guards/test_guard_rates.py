from __future__ import annotations

import asyncio
import inspect
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.guards.limiter import Limiter
from mcp_server.guards.rates import Rate, left_of, rates_from, weigh
from mcp_server.guards.windows import MemoryWindows

MINUTE = Rate(100, 60)


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 6000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("100/minute", [(100, 60)]),
        ("100 per minute", [(100, 60)]),
        (" 5/10 Seconds ", [(5, 10)]),
        ("1000/day; 10/second", [(10, 1), (1000, 86_400)]),
        ("1/hour,2 per 2 hours|1/hour", [(1, 3600), (2, 7200)]),
    ],
)
def test_rates_are_read_and_the_shortest_comes_first(text: str, rates: list[tuple[int, int]]) -> None:
    assert list(rates_from(text)) == rates


@pytest.mark.parametrize(
    "text", ["", "100", "minute", "0/minute", "5/0 seconds", "-1/minute", "1.5/minute", "100/fortnight", "1/minute;"]
)
def test_what_is_no_rate_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        rates_from(text)


def test_a_burst_keeps_the_rate() -> None:
    assert rates_from("100/minute", burst=20) == ((20, 12), (100, 60))


def test_a_burst_that_would_change_the_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="burst of 1 is too small"):
        rates_from("100/minute", burst=1)


def test_a_quota_comes_on_top() -> None:
    assert rates_from("100/minute", per_day=1000) == ((100, 60), (1000, 86_400))
    with pytest.raises(ValueError, match="positive"):
        rates_from("100/minute", per_day=0)


def hits(windows: MemoryWindows, count: int, rate: Rate = MINUTE, key: str = "a") -> int:
    return sum(windows.take_now(rate, key, 1).allowed for _ in range(count))


def test_so_many_pass_and_no_more() -> None:
    windows = MemoryWindows(clock=Clock())
    assert hits(windows, 250) == 100
    assert hits(windows, 250, key="b") == 100


def test_where_two_windows_meet_there_is_no_double_burst() -> None:
    clock = Clock(6059.0)
    windows = MemoryWindows(clock=clock)
    assert hits(windows, 100) == 100
    clock.now = 6061.0
    assert hits(windows, 100) <= 2


def test_half_a_window_later_half_of_it_is_free() -> None:
    clock = Clock()
    windows = MemoryWindows(clock=clock)
    hits(windows, 100)
    clock.now += 90
    assert hits(windows, 100) == 50


def test_after_two_windows_nothing_is_left() -> None:
    clock = Clock()
    windows = MemoryWindows(clock=clock)
    hits(windows, 100)
    clock.now += 120
    assert windows.look_now(MINUTE, "a", 1).remaining == 99
    assert len(windows) == 0


def test_windows_do_not_go_by_the_time_of_day() -> None:
    """A clock that was set back by five hours kept those who were refused out for five hours."""
    assert inspect.signature(MemoryWindows).parameters["clock"].default is time.monotonic


def test_a_hit_can_cost_more_than_one() -> None:
    windows = MemoryWindows(clock=Clock())
    assert windows.take_now(MINUTE, "a", 60).remaining == 40
    assert not windows.take_now(MINUTE, "a", 60).allowed
    assert windows.take_now(MINUTE, "a", 40).allowed


def test_a_hit_that_costs_more_than_the_rate_never_passes() -> None:
    verdict = MemoryWindows(clock=Clock()).take_now(MINUTE, "a", 101)
    assert not verdict.allowed
    assert verdict.reset_after > 0


def test_a_refused_hit_counts_for_nothing() -> None:
    windows = MemoryWindows(clock=Clock())
    hits(windows, 500)
    assert windows.look_now(MINUTE, "a", 1)[:2] == (False, 0)
    assert windows.take_now(Rate(101, 60), "a", 1).allowed


moments = st.floats(0, 59.9)


@given(
    amount=st.integers(1, 50), first=st.integers(0, 60), second=st.integers(0, 60), at=moments, cost=st.integers(1, 3)
)
def test_who_waits_as_told_passes_and_who_waits_less_does_not(
    amount: int, first: int, second: int, at: float, cost: int
) -> None:
    clock = Clock()
    rate = Rate(max(amount, cost), 60)
    windows = MemoryWindows(clock=clock)
    hits(windows, first, rate)
    clock.now = 6060 + at
    hits(windows, second, rate)
    verdict = windows.look_now(rate, "a", cost)
    if verdict.allowed:
        return
    assert 0 <= verdict.reset_after <= 120
    now = clock.now
    clock.now = now + int(verdict.reset_after) + 1
    assert windows.look_now(rate, "a", cost).allowed
    clock.now = now + max(0.0, verdict.reset_after - 0.001)
    assert not windows.look_now(rate, "a", cost).allowed


@given(st.lists(st.floats(0, 30), min_size=1, max_size=200))
def test_no_window_ever_sees_more_than_the_rate(gaps: list[float]) -> None:
    clock = Clock()
    windows = MemoryWindows(clock=clock)
    rate = Rate(5, 60)
    passed: dict[int, int] = {}
    for gap in gaps:
        clock.now += gap
        if windows.take_now(rate, "a", 1).allowed:
            window = int(clock.now // 60)
            passed[window] = passed.get(window, 0) + 1
    assert max(passed.values()) <= 5


def test_a_flood_of_keys_does_not_grow_memory() -> None:
    windows = MemoryWindows(max_keys=100, clock=Clock())
    for number in range(10_000):
        windows.take_now(MINUTE, f"flood-{number}", 1)
    assert len(windows) == 100
    assert windows.forgotten == 9900


def test_in_a_flood_the_silent_are_forgotten_and_the_refused_are_not() -> None:
    windows = MemoryWindows(max_keys=10, clock=Clock())
    once = Rate(1, 60)
    windows.take_now(once, "silent", 1)
    windows.take_now(once, "loud", 1)
    for number in range(100):
        windows.take_now(once, f"flood-{number}", 1)
        assert not windows.take_now(once, "loud", 1).allowed
    assert windows.look_now(once, "silent", 1).allowed


def test_memory_for_no_keys_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="positive"):
        MemoryWindows(max_keys=0)


def test_threads_lose_no_count() -> None:
    windows = MemoryWindows(clock=Clock())
    rate = Rate(1_000_000, 60)
    threads = [threading.Thread(target=hits, args=(windows, 2000, rate)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert windows.look_now(rate, "a", 0).remaining == 1_000_000 - 16_000


def test_what_a_storage_tells_gives_the_time_left() -> None:
    assert left_of(60, (3, 20.0, 1, 80.0)) == 20.0
    assert left_of(60, (0, 0.0, 1, 80.0)) == 20.0
    assert left_of(60, (0, 0.0, 0, 0.0)) == 60


def test_a_full_window_ends_and_then_fades() -> None:
    verdict = weigh(MINUTE, 1, previous=0, current=100, left=10.0)
    assert verdict[:3] == (False, 0, pytest.approx(10.0 + 60 - 60))
    dearer = weigh(MINUTE, 50, previous=0, current=100, left=10.0)
    assert dearer.reset_after == pytest.approx(10.0 + 60 - 51 * 60 / 100)


def test_a_limiter_gives_the_first_refusal_or_the_least_that_is_left() -> None:
    async def main() -> None:
        limiter = Limiter(rates_from("3/second; 5/minute"), MemoryWindows(clock=(clock := Clock())), name="tool")
        assert (await limiter.hit("a")).remaining == 2
        assert [(await limiter.hit("a")).allowed for _ in range(3)] == [True, True, False]
        clock.now += 10
        verdict = await limiter.hit("a")
        assert (verdict.remaining, verdict.rate) == (1, (5, 60))
        assert (await limiter.hit("a")).allowed
        refused = await limiter.hit("a")
        assert (refused.allowed, refused.rate) == (False, (5, 60))
        await limiter.hit("a")
        refused = await limiter.hit("a")
        assert (refused.allowed, refused.rate) == (False, (5, 60))

    asyncio.run(main())


def test_limiters_of_different_names_count_apart() -> None:
    async def main() -> list[bool]:
        windows = MemoryWindows(clock=Clock())
        limiters = [Limiter(rates_from("1/minute"), windows, name=name) for name in ("a", "b", "a")]
        return [(await limiter.hit("x")).allowed for limiter in limiters]

    assert asyncio.run(main()) == [True, True, False]


def test_a_limiter_without_a_rate_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs a rate"):
        Limiter([], MemoryWindows(), name="tool")
