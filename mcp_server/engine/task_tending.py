"""Looking after tasks for as long as a process has them: signs of life, nudges from others, tasks that are lost.

While tasks run here, that is done every second or so. Otherwise only the lost are looked for, now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_server.stores import StoreUnavailable

if TYPE_CHECKING:
    from mcp_server.engine.task_records import Task, TaskRecords
    from mcp_server.engine.task_terms import TaskTerms

logger = logging.getLogger("mcp_server.tasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """What one process has to look after, as its owner sees it."""

    runner: str
    """The name of the process."""
    busy: Callable[[], bool]
    """Whether any task runs here."""
    runs: Callable[[str], bool]
    """Whether this task runs here, or is about to."""
    nudged: Callable[[str], None]
    """Somebody else has changed this task."""
    lost: Callable[[TaskRecords, str], Awaitable[Task | None]]
    """Nobody runs this task any more; gives what it then is, and None if there is none."""


class Tending:
    """Looks after the tasks of a process, from `run` to `leave`."""

    def __init__(self, terms: TaskTerms, ward: Ward) -> None:
        self._terms = terms
        self._ward = ward
        self._wake = asyncio.Event()
        self._leaving = False
        self._alive_at = self._looked_at = float("-inf")

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def leave(self) -> None:
        """Stop looking after anything; said as well as the task is cancelled, as a library may swallow that."""
        self._leaving = True
        self._wake.set()

    async def run(self, kept: TaskRecords) -> None:
        """Look after everything until there is nothing more to look after."""
        away = False
        while not self._leaving:
            try:
                await self._look_around(kept)
                away = False
            except StoreUnavailable as problem:
                if not away:
                    logger.warning("The tasks cannot be reached for now: %s", problem)
                away = True
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._terms.poll if self._ward.busy() else self._terms.lease / 2):
                    await self._wake.wait()

    async def give_sign_of_life(self, kept: TaskRecords) -> None:
        """Say that this process lives, if it has not just said so."""
        now = time.monotonic()
        if now >= self._alive_at + self._terms.lease / 4:
            await kept.give_sign_of_life(self._ward.runner, self._terms.lease)
            self._alive_at = now

    async def look_for_lost(self, kept: TaskRecords) -> None:
        """End the tasks whose processes are gone."""
        lives: dict[str, bool] = {}
        lost = 0
        async for task_id, runner in kept.marks():
            if runner not in lives:
                lives[runner] = runner == self._ward.runner or await kept.lives(runner)
            if not (self._ward.runs(task_id) if runner == self._ward.runner else lives[runner]):
                lost += await self._ward.lost(kept, task_id) is not None
        if lost:
            logger.warning("%d tasks were lost with the process that ran them, and have been ended as failed", lost)

    async def _look_around(self, kept: TaskRecords) -> None:
        if self._ward.busy():
            await self.give_sign_of_life(kept)
            for task_id in await kept.nudges(self._ward.runner):
                self._ward.nudged(task_id)
        now = time.monotonic()
        if now >= self._looked_at + self._terms.lease / 2:
            self._looked_at = now
            await self.look_for_lost(kept)
