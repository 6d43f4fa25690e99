"""Calls in flight: how one is run, how long it may take, how it is stopped.

A call that finishes at once costs nothing but itself: it runs in the task of whoever asks, without a task, a timer or
an entry in a table of its own. All of that begins when it first waits for something (`Call.suspended`), because only
then can a deadline strike, a cancellation arrive or another call bear the same id.

A call is *settled* once, by whichever comes first: its answer, its deadline or its cancellation. From then on nothing
that it still says reaches the caller.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from mcp_server.engine.first_step import first_step
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.questions import Questions
from mcp_server.protocol.messages import LOG_LEVELS, Request
from mcp_server.protocol.results import Answer

if TYPE_CHECKING:
    from mcp_server.engine.sessions import Session

T = TypeVar("T")

_LEVEL: Final = {level: weight for weight, level in enumerate(LOG_LEVELS)}
_LEGACY_DEFAULT_LEVEL: Final = "info"
PROGRESS_AT_ONCE: Final = 100
"""How much progress a call may tell as fast as it likes."""
_PROGRESS_EVERY: Final = 0.05
"""Seconds between two reports of progress beyond that."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as somebody with the means to know has found; a client's own word for it is in its `Peer`."""

    name: str
    """Stands for all the rest in limits, sessions and logs: the fingerprint of a key, or of whom a token names."""
    scopes: frozenset[str] | None = None
    """What its token says that it may do, without what that implies; None for a key, which may do everything."""
    subject: str = ""
    """The person or the machine, as the issuer calls it; empty for a key."""
    client: str = ""
    """The program to which the token was given."""
    issuer: str = ""
    """Who says so: a subject is unique only for its issuer."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)
    """What else the issuer says, such as a name."""
    expires: float | None = field(default=None, compare=False)
    """When its token expires, in seconds since the epoch; None for a key, and for a token that does not say."""

    @property
    def fingerprint(self) -> str:
        """The beginning of the name, by which it is found in the log."""
        return self.name[:8]


class Line(Protocol):
    """The caller's end of a call, as the engine sees it: lent by the transport."""

    @property
    def transport(self) -> str:
        """The name of the way in which the call came, for logs."""
        ...

    async def send(self, method: str, params: Mapping[str, Any], request: Request) -> None:
        """Say something before the answer; waits while the caller is slow to listen."""
        ...

    def outlasts(self, call: Call) -> None:
        """The call did not finish at once: see to it that others are served, and that a hang-up is noticed."""
        ...

    async def question(self, call: Call, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a request to a client before 2026-07-28 and wait for its result; see `asking`."""
        ...

    def deliver(self, call: Call, answer: Answer) -> None:
        """The call has its answer although its code has not ended, and may still be winding down."""
        ...


class Late(Protocol):
    """Who knows what to answer for a call whose own code does not."""

    def timed_out(self, call: Call) -> Answer:
        """The answer to a call whose deadline has struck."""
        ...

    def input_required(self, call: Call, questions: Questions) -> Answer:
        """The answer to a call that has open questions."""
        ...


class Background(Protocol):
    """What a call that is a task has instead of somebody who waits for its answer."""

    async def ask(self, key: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a question to the task's client, whenever it comes to look, and wait for the answer."""
        ...

    def say(self, progress: float, total: float | None, message: str | None) -> None:
        """Let it be seen how far the work is."""
        ...


class Call:
    """One request being answered: who asks, how long it may take, and the way back while it lasts."""

    # How it stands with every call that finishes at once; it is not worth a line of `__init__` a call.
    settled = False
    expired = False
    reference: str | None = None
    """The word by which a masked fault can be found in the log."""
    ending: Callable[[], None] | None = None
    """How to end this call with a proper answer, where it has no end of its own."""
    may_ask = False
    """Whether its method allows it to ask its user, for a client that then calls again."""
    questions: Questions | None = None
    """What it has asked and learned; see `open_questions`."""
    late_answer: Answer | None = None
    """What was answered before the code of the call had ended."""
    task: Background | None = None
    """Where the call goes on as a task; None while somebody waits for its answer."""
    begin_task: Callable[[], Awaitable[None]] | None = None
    """Answers the call with a task, which does its work anew; None if it is no time for that."""
    _task: asyncio.Task[Any] | None = None
    _timer: asyncio.TimerHandle | None = None
    _progress = float("-inf")
    _progress_due = 0.0
    """When the next progress would be due if each came at its time, on the clock of `time.monotonic`."""
    _held = 0.0
    _holders = 0

    def __init__(
        self,
        request: Request,
        line: Line,
        in_flight: InFlight,
        late: Late,
        *,
        timeout: float | None,
        until: float | None = None,
        session: Session | None = None,
        principal: Principal | None = None,
    ) -> None:
        self.request = request
        self.session = session
        self.principal = principal
        self.timeout = timeout
        self._until = until
        self.started = time.monotonic()
        self.line = line
        self.late = late
        self._in_flight = in_flight

    @property
    def deadline(self) -> float | None:
        """When the caller will be told that it took too long, on the clock of `time.monotonic`."""
        until = self._until
        if self.timeout is None:
            return until
        deadline = self.started + self._held + self.timeout
        return deadline if until is None else min(deadline, until)  # a host waits for nobody

    @property
    def allowed(self) -> float | None:
        """How many seconds the call may take: its timeout, or what its host has left if that is less."""
        if self._until is None:
            return self.timeout
        left = self._until - self.started
        return left if self.timeout is None else min(self.timeout, left)

    @property
    def open_questions(self) -> Questions | None:
        """What the call has asked and learned, begun when it is first needed; None if it may not ask."""
        if self.questions is None and self.may_ask:
            self.questions = Questions()
        return self.questions

    @property
    def transport(self) -> str:
        """The name of the way in which the call came."""
        return self.line.transport

    def run(self, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Run the call's work in the task that awaits this, and look after it should it wait for something."""
        return first_step(work, self._suspended, self._resumed)

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Tell the caller something before the answer; nothing, once the call is settled."""
        if not self.settled:
            await self.line.send(method, params, self.request)

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Tell the caller how far the work is, if it asked to be told and if that is further than before.

        A tool may report each of a million rows. Nobody reads that fast, so beyond a good start what comes too soon is
        left out; where the work ends is told by the answer.
        """
        if self.task is not None:
            self.task.say(progress, total, message)
            return
        token = self.request.progress_token
        if token is None or not progress > self._progress:
            return
        now = time.monotonic()
        due = max(self._progress_due, now)
        if due - now > (PROGRESS_AT_ONCE - 1) * _PROGRESS_EVERY:
            return
        self._progress_due = due + _PROGRESS_EVERY
        self._progress = progress
        params: dict[str, Any] = {"progressToken": token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        await self.notify("notifications/progress", params)

    async def log(self, level: str, data: Any, logger: str | None) -> None:
        """Send the caller a log message, if it wants messages of this level."""
        if not self.wants_log(level):
            return
        params: dict[str, Any] = {"level": level, "data": data}
        if logger is not None:
            params["logger"] = logger
        await self.notify("notifications/message", params)

    def wants_log(self, level: str) -> bool:
        """Whether the caller asked for messages of this level; a modern one that named no level wants none."""
        peer = self.request.peer
        wanted = peer.log_level or (None if peer.modern else _LEGACY_DEFAULT_LEVEL)
        return wanted is not None and _LEVEL[level] >= _LEVEL[wanted]

    def cancel(self) -> None:
        """The caller does not want the answer any more: stop, and say nothing."""
        if not self.settled:
            self.settled = True
            self._stop()

    def settle(self, answer: Answer) -> None:
        """Answer now, although the code of the call has not ended, and stop it."""
        self.settled = True
        self.late_answer = answer
        self.line.deliver(self, answer)
        self._stop()

    @contextmanager
    def deadline_waits(self) -> Generator[None]:
        """Let the clock stand still for a while: it is somebody else's turn."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._holders:
            self._held -= time.monotonic()
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._held += time.monotonic()
                self._set_timer()

    def end(self) -> None:
        """End the call, properly if it can be."""
        if self.ending is not None:
            self.ending()
        else:
            self.cancel()

    def _suspended(self) -> None:
        self._task = asyncio.current_task()
        self._in_flight.add(self)
        self._set_timer()
        self.line.outlasts(self)
        if self.settled:  # cancelled by its own first step, when there was no task to stop yet
            self._stop()

    def _resumed(self) -> None:
        self._in_flight.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        if self.questions is not None:
            self.questions.abandon()
        # A cancellation of ours ends with the call; the task goes on to serve others.
        if self.settled and self._task is not None:
            self._task.uncancel()

    def _expire(self) -> None:
        if not self.settled:
            self.expired = True
            self.settle(self.late.timed_out(self))

    def _set_timer(self) -> None:
        deadline = self.deadline
        if deadline is not None and self._task is not None and not self._holders:
            self._timer = asyncio.get_running_loop().call_later(deadline - time.monotonic(), self._expire)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


def new_reference() -> str:
    """A word that stands in an answer and in the log, so that one can be found from the other."""
    return secrets.token_hex(4)
