"""Removing what has expired, now and then, for as long as a store is in use.

Whoever opens a store keeps a sweeper for it. Several processes may sweep one store; each waits a little more or less
than was said, so that they do not all come at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from mcp_server.stores.store import Store, StoreUnavailable

logger = logging.getLogger("mcp_server.stores")

EVERY: Final = 300.0
"""Seconds; how much expired records may pile up matters more than how soon they go."""

_SPREAD: Final = 0.25
"""By which part a pause may be shorter or longer."""


class Sweeper:
    """Sweeps a store from `start` to `stop`.

    A store that is away is reported once, and swept again when it is back.

    Args:
        store: What is swept; opened and closed by somebody else.
        every: About how many seconds lie between two sweeps.
        pause: How to wait for a number of seconds.
    """

    def __init__(
        self, store: Store, *, every: float = EVERY, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._every = every
        self._pause = pause
        self._task: asyncio.Task[None] | None = None
        self._away = False

    def start(self) -> None:
        """Begin; idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """End, and return when nothing is being swept any more; idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while self._task is not None:  # a cancellation can be lost in the client of a store
            # Not at the start: a process that begins has better things to do, and many may begin at once.
            await self._pause(self._every * random.uniform(1 - _SPREAD, 1 + _SPREAD))  # noqa: S311 - no secret
            try:
                removed = await self._store.sweep()
            except StoreUnavailable as problem:
                if not self._away:
                    logger.warning("Expired records stay where they are for now: %s", problem)
                self._away = True
            else:
                self._away = False
                logger.debug("Swept %d expired records.", removed)
