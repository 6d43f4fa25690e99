"""One limit: some rates, a place to count, a name to count under. No HTTP: the engine uses it for limits by tool."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from mcp_server.guards.rates import Rate, Verdict
from mcp_server.guards.windows import MemoryWindows, Windows


class Limiter:
    """Counts hits by key against all of its rates.

    Args:
        rates: shortest window first, as `rates.rates_from` gives them.
        windows: where to count; may be shared by limiters of different names.
        name: keeps the keys of this limiter apart from those of others, and names the policy to clients.
    """

    def __init__(self, rates: Sequence[Rate], windows: Windows, *, name: str) -> None:
        if not rates:
            msg = "a limiter needs a rate"
            raise ValueError(msg)
        self.rates = tuple(rates)
        self.name = name
        self._windows = windows
        self._here = windows if isinstance(windows, MemoryWindows) else None
        self._untouched = Verdict(allowed=True, remaining=sys.maxsize, reset_after=0.0, rate=self.rates[0])
        self._counted = [(rate, f"{name}/{rate.amount}/{rate.window}/") for rate in self.rates]
        self._only = self._counted[0] if len(self._counted) == 1 else None

    def hit_now(self, key: str, cost: int = 1) -> Verdict | None:
        """The same as `hit`, without waiting; None if somebody else has to be asked."""
        if self._here is None:
            return None
        if self._only is not None:
            rate, prefix = self._only
            return self._here.take_now(rate, prefix + key, cost)
        tightest = self._untouched
        for position, (rate, prefix) in enumerate(self._counted, start=1):
            verdict = self._here.take_now(rate, prefix + key, cost)
            if not verdict.allowed:
                looks = [self._here.look_now(rate, prefix + key, cost) for rate, prefix in self._counted[position:]]
                return _longest(verdict, looks)
            if verdict.remaining < tightest.remaining:
                tightest = verdict
        return tightest

    async def hit(self, key: str, cost: int = 1) -> Verdict:
        """Count a hit, and give the verdict that leaves the least, or the refusal that lasts longest."""
        verdict = self.hit_now(key, cost)
        if verdict is not None:
            return verdict
        tightest = self._untouched
        for position, (rate, prefix) in enumerate(self._counted, start=1):
            verdict = await self._windows.take(rate, prefix + key, cost)
            if not verdict.allowed:
                looks = [
                    await self._windows.look(rate, prefix + key, cost) for rate, prefix in self._counted[position:]
                ]
                return _longest(verdict, looks)
            if verdict.remaining < tightest.remaining:
                tightest = verdict
        return tightest


def _longest(refusal: Verdict, longer: Iterable[Verdict]) -> Verdict:
    """Look at the longer windows too: who is told to come back in a second must not be refused for a day then."""
    for verdict in longer:
        if not verdict.allowed and verdict.reset_after > refusal.reset_after:
            refusal = verdict
    return refusal
