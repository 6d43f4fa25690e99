"""One task in the process that runs it: what it asks and says, between its code and its record.

The run is the line of its own call. Nobody listens at the other end, so nothing is sent: a question goes into the
record, and how far the work is becomes the status message. Whoever owns the run writes the record when it is `stale`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mcp_server.protocol.errors import shorten
from mcp_server.protocol.results import Answer

if TYPE_CHECKING:
    from mcp_server.engine.calls import Call
    from mcp_server.engine.task_records import Task
    from mcp_server.protocol.messages import Request

_SAY_EVERY: Final = 1.0
"""How often the status message may be written down, in seconds."""


class TaskRun:
    """A task that is being worked on.

    Args:
        task: Which.
        stale: Is called when the record should say something else than it does.
        concluded: Is called once, with the answer of the work; without one, the record has been ended by somebody else.
    """

    transport = "task"
    _call: Call

    def __init__(
        self, task: Task, stale: Callable[[TaskRun], None], concluded: Callable[[TaskRun, Answer | None], None]
    ) -> None:
        self.id = task.id
        self.tool = task.tool
        self.concluded = False
        self.stale = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Is done when the end of the task has been written down, or cannot be."""
        self.syncing: asyncio.Task[None] | None = None
        self._stale = stale
        self._concluded = concluded
        self._open: dict[str, tuple[Mapping[str, Any], asyncio.Future[Mapping[str, Any]]]] = {}
        self._keys: set[str] = set()
        self._message: str | None = None
        self._said = float("-inf")
        self._saying: asyncio.TimerHandle | None = None
        self._taken: Mapping[str, Any] = {}

    def serve(self, call: Call) -> None:
        """The call whose work this is."""
        self._call = call
        call.task = self

    # -- what the work does --------------------------------------------------------------------------------------

    async def ask(self, key: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a question to the task's client, and wait for the answer; no key is ever used for two questions."""
        name = next(each for each in _names(key) if each not in self._keys)
        self._keys.add(name)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[name] = (question, answer)
        self._stale(self)
        try:
            return await answer
        finally:
            self._open.pop(name, None)
            answer.cancel()

    def say(self, progress: float, total: float | None, message: str | None) -> None:
        """Let the status message tell how far the work is, some time soon."""
        done = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
        self._message = shorten(message or done)
        if self._saying is None:
            wait = max(0.0, self._said + _SAY_EVERY - time.monotonic())
            self._saying = asyncio.get_running_loop().call_later(wait, self._say)

    def _say(self) -> None:
        self._saying = None
        self._said = time.monotonic()
        self._stale(self)

    # -- what its owner does -------------------------------------------------------------------------------------

    def merged(self, task: Task, now: float) -> Task | None:
        """The record as it should be; None if it is so already."""
        self._taken = task.answers
        asked = {name: question for name, (question, _) in self._open.items() if name not in task.answers}
        status = "input_required" if asked else "working"
        if (asked, status, self._message) == (task.requests, task.status, task.message) and not task.answers:
            return None
        return replace(task, requests=asked, answers={}, status=status, message=self._message, updated=now)

    def take_answers(self) -> None:
        """Give the answers that the record had to whoever waits for them."""
        taken, self._taken = self._taken, {}
        for name, response in taken.items():
            waiting = self._open.get(name)
            if waiting is not None and not waiting[1].done():
                waiting[1].set_result(response)

    def stop(self, answer: Answer | None = None) -> None:
        """Stop the work, which counts as answered with this."""
        self._call.cancel()
        self.conclude(answer)

    def conclude(self, answer: Answer | None) -> None:
        """The work has this for an answer; whatever comes after does not count."""
        if not self.concluded:
            self.concluded = True
            if self._saying is not None:
                self._saying.cancel()
            self._concluded(self, answer)

    # -- the line of its call ------------------------------------------------------------------------------------

    async def send(self, method: str, params: Mapping[str, Any], request: Request) -> None:
        """Nobody listens to what a task says meanwhile."""

    def outlasts(self, call: Call) -> None:
        """Nobody waits for it either."""

    async def question(self, call: Call, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """A question under a key of its own."""
        return await self.ask("question", {"method": method, "params": params})

    def deliver(self, call: Call, answer: Answer) -> None:  # noqa: ARG002 - the call is ours
        """The work has an answer although its code has not ended: it took too long."""
        self.conclude(answer)


def _names(key: str) -> itertools.chain[str]:
    return itertools.chain([key], (f"{key}-{number}" for number in itertools.count(2)))
