"""The tools that are measured: plain functions, the same for everybody.

Must not know any of the libraries, and has no `from __future__ import annotations`: all of them read annotations.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

STEPS: Final = 10
"""How often the tool that reports its progress does so."""
PAUSE: Final = 0.002


async def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


def add_in_thread(a: int, b: int) -> dict[str, int]:
    """Add two numbers, as a function that may block would."""
    return {"sum": a + b}


async def blob(size: int) -> dict[str, str]:
    """As much text as was asked for."""
    return {"text": "x" * size}


async def rows(count: int) -> list[dict[str, str]]:
    """As many rows as were asked for."""
    return [{"id": str(number), "name": f"item {number}", "colour": "green"} for number in range(count)]


async def report(progress: Callable[[float, float], Awaitable[None]]) -> dict[str, int]:
    """Say how far the work is, ten times."""
    for step in range(1, STEPS + 1):
        await progress(step, STEPS)
        await asyncio.sleep(PAUSE / STEPS)
    return {"sum": STEPS}


PLAIN: Final = (add, add_in_thread, blob, rows)
"""Whatever needs nothing of its library."""


def more(count: int) -> list[Callable[[int, int], Awaitable[dict[str, int]]]]:
    """Further tools, until there are so many in all; nobody calls them."""
    return [_another(number) for number in range(len(PLAIN) + 1, count)]


def _another(number: int) -> Callable[[int, int], Awaitable[dict[str, int]]]:
    async def another(a: int, b: int) -> dict[str, int]:
        return {"sum": a + b + number}

    another.__name__ = f"add_{number}"
    another.__doc__ = f"Add two numbers and {number}."
    return another
