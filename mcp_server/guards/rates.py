"""Rates, and the arithmetic of a sliding window. No clock, no storage.

The window slides by weighing: of the window before this one, the part counts that still lies within the last
`window` seconds, as if its requests had come evenly. Two counters per key, and no double burst where windows meet.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"(\d{1,9})\s*(?:/|per)\s*(\d{1,6})?\s*(second|minute|hour|day)s?", re.IGNORECASE | re.ASCII)


class Rate(NamedTuple):
    """So many in so many seconds."""

    amount: int
    window: int


class Verdict(NamedTuple):
    """What became of a hit: how many are left, and in how many seconds there will be more."""

    allowed: bool
    remaining: int
    reset_after: float
    rate: Rate


def rates_from(text: str, *, burst: int | None = None, per_day: int | None = None) -> tuple[Rate, ...]:
    """Read rates such as `100/minute` or `10/second; 1000 per 2 hours`, shortest window first.

    Args:
        text: rates separated by `;` or `,`.
        burst: at most so many at once, without changing the rate: 20 of `100/minute` are 20 in 12 seconds.
        per_day: a quota on top.

    Raises:
        ValueError: for anything else, with words for whoever configured it.
    """
    rates = [_rate(part) for part in re.split(r"[;,|]", text)]
    if burst is not None:
        rates.append(_burst(min(rates, key=lambda rate: rate.window), burst))
    if per_day is not None:
        rates.append(_positive(Rate(per_day, _SECONDS["day"])))
    # A refusal by the shortest window must not use up the longer ones.
    return tuple(sorted(set(rates), key=lambda rate: (rate.window, rate.amount)))


def _rate(text: str) -> Rate:
    match = _RATE.fullmatch(text.strip())
    if match is None:
        msg = f"not a rate: {text.strip()!r} (write 100/minute, or 10/second; 1000/day)"
        raise ValueError(msg)
    amount, multiple, unit = match.groups()
    return _positive(Rate(int(amount), int(multiple or 1) * _SECONDS[unit.lower()]))


def _positive(rate: Rate) -> Rate:
    if rate.amount < 1 or rate.window < 1:
        msg = f"a rate must be positive, not {rate.amount} per {rate.window} seconds"
        raise ValueError(msg)
    return rate


def _burst(rate: Rate, burst: int) -> Rate:
    # Windows are whole seconds. Cut, not rounded up: the burst must never be stricter than the rate it shapes.
    window = rate.window * burst // rate.amount
    if window < 1:
        msg = f"a burst of {burst} is too small for {rate.amount} per {rate.window} seconds"
        raise ValueError(msg)
    return Rate(burst, window)


def weigh(rate: Rate, cost: int, previous: int, current: int, left: float) -> Verdict:
    """Judge a hit by what was counted before it.

    Args:
        rate: the rate to keep.
        cost: what the hit would count.
        previous: the count of the window before this one.
        current: the count of this window so far.
        left: seconds until this window ends.
    """
    amount, window = rate
    used = int(previous * left / window) + current if previous else current
    if used + cost <= amount:
        return Verdict(True, amount - used - cost, left, rate)  # noqa: FBT003 - a named field
    return Verdict(False, max(0, amount - used), _wait(rate, cost, previous, current, left), rate)  # noqa: FBT003


def _wait(rate: Rate, cost: int, previous: int, current: int, left: float) -> float:
    """Seconds until a hit refused now would pass, if nothing else came in between."""
    amount, window = rate
    if current + cost <= amount:
        # The window before fades: wait until what is left of it makes room.
        return left - (amount - cost + 1 - current) * window / previous
    # This window alone is full: it must end first, and then fade itself.
    return left + max(0.0, window - (amount - cost + 1) * window / max(current, 1))


def left_of(window: int, counts: tuple[int, float, int, float]) -> float:
    """Seconds until the current window ends, from what a storage of `limits` tells about it.

    That is the previous count, for how long it still weighs, the current count, and when that will be forgotten.
    """
    _, previous_left, _, current_left = counts
    return previous_left or max(0.0, current_left - window) or window
