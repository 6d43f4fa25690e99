"""One limit: some rates, a place to count, a name to count under. No HTTP: the engine uses it for limits by tool."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mcp_server.guards.rates import Rate, Verdict
from mcp_server.guards.windows import Windows


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
        self._untouched = Verdict(allowed=True, remaining=sys.maxsize, reset_after=0.0, rate=self.rates[0])
        self._counted = [(rate, f"{name}/{rate.amount}/{rate.window}/") for rate in self.rates]

    async def hit(self, key: str, cost: int = 1) -> Verdict:
        """Count a hit, and give the verdict that leaves the least, or the refusal that lasts longest."""
        tightest = self._untouched
        for position, (rate, prefix) in enumerate(self._counted, start=1):
            verdict = await self._windows.take(rate, prefix + key, cost)
            if not verdict.allowed:
                return await self._longest(verdict, position, key, cost)
            if verdict.remaining < tightest.remaining:
                tightest = verdict
        return tightest

    async def _longest(self, refusal: Verdict, position: int, key: str, cost: int) -> Verdict:
        """Look at the longer windows too: who is told to come back in a second must not be refused for a day then."""
        for rate, prefix in self._counted[position:]:
            verdict = await self._windows.look(rate, prefix + key, cost)
            if not verdict.allowed and verdict.reset_after > refusal.reset_after:
                refusal = verdict
        return refusal
