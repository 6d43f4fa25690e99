"""Work that goes on after its call has been answered, for as long as this process lives.

A task runs in the process that was called, once. What can be told of it is in a store that all processes share, so any
of them answers for it, cancels it and takes the answers to its questions; the one that runs it is told by the event
bus, and finds out by itself soon after where there is none.

A process gives signs of life while it runs tasks. Once it has given none for the length of its lease, each of its tasks
is ended by whoever notices, with an error that says so. Nothing is run a second time: nobody can know how far it got.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import TypeAdapter

from mcp_server.engine.calls import Call
from mcp_server.engine.engine import RUN
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.neighbours import Message
from mcp_server.engine.questions import Questions, responses_of
from mcp_server.engine.service import Change, TaskChanged
from mcp_server.engine.task_changes import LOST, STOPPED, answered, end_of, ended
from mcp_server.engine.task_records import Task, TaskRecords, new_id
from mcp_server.engine.task_run import TaskRun
from mcp_server.engine.task_tending import Tending, Ward
from mcp_server.engine.task_work import Work, answer_of
from mcp_server.protocol.errors import (
    Code,
    ProtocolError,
    Reason,
    bad_cursor,
)
from mcp_server.protocol.messages import Request
from mcp_server.protocol.results import Answer, Result, tool_error
from mcp_server.protocol.tasks import Wish, unknown_task
from mcp_server.stores import Store, StoreUnavailable, Sweeper

if TYPE_CHECKING:
    from mcp_server.engine.engine import Observer
    from mcp_server.engine.neighbours import Neighbours
    from mcp_server.engine.task_terms import TaskTerms

logger = logging.getLogger("mcp_server.tasks")

_PAGE: Final = 100
_LAST_WORDS: Final = 5.0
"""How long the ends of tasks may take to be written down when the process leaves, in seconds."""
_ANY_CALL: Final = 0.5


class _Touched(Message):
    kind: Literal["touched"] = "touched"
    task: str


_TOPIC: Final = "tasks"
_ABOUT_TASKS: Final[TypeAdapter[_Touched]] = TypeAdapter(_Touched)


@dataclass(frozen=True, slots=True)
class _Opened:
    """The store of the tasks, and what looks after it, for as long as it is open."""

    store: Store
    kept: TaskRecords
    sweeper: Sweeper
    tending: asyncio.Task[None]


class Tasks:
    """The tasks of one server for as long as one event loop lasts; a `TaskSource`.

    Args:
        terms: On which terms they are kept.
        server: Whose they are.
        publish: Is told when one has changed.
        observer: Sees each task begin and end.
        neighbours: Other processes that share the store.
    """

    def __init__(
        self,
        terms: TaskTerms,
        server: str,
        publish: Callable[[Change], None],
        *,
        observer: Observer | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._terms = terms
        self._server = server
        self._publish = publish
        self._observer = observer
        self._neighbours = neighbours
        self._me = secrets.token_hex(8)
        self._runs: dict[str, TaskRun] = {}
        self._beginning: set[str] = set()
        self._aside: set[asyncio.Task[None]] = set()
        self._works: set[asyncio.Task[None]] = set()
        """Also those that do not end although they were stopped."""
        self._opening = asyncio.Lock()
        self._admitting = asyncio.Lock()
        self._opened: _Opened | None = None
        self._tending = Tending(
            terms,
            Ward(
                runner=self._me,
                busy=lambda: bool(self._runs),
                runs=lambda task_id: task_id in self._runs or task_id in self._beginning,
                nudged=self._nudged,
                lost=self._lose,
            ),
        )
        self._until: float | None = None
        self._deaf = self._listen()

    # -- beginning and end ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Look after the tasks of processes that are gone, rather now than when the first task begins.

        A store that is away does not keep a server from starting: everything but tasks is answered.
        """
        try:
            await self._kept()
        except StoreUnavailable as problem:
            logger.warning("There are no tasks for now: %s", problem)

    def drain(self) -> None:
        """The server is about to stop: take no more tasks, and let those that run go on for a while."""
        if self._until is None:
            self._until = time.monotonic() + self._terms.grace

    async def close(self) -> None:
        """Let the tasks go on for as long as the terms allow, end the others as what they are, and close the store."""
        self._deaf()
        self.drain()
        opened = self._opened
        if opened is None:
            return
        await self._all_over((self._until or 0.0) - time.monotonic())
        for run in list(self._runs.values()):
            run.stop(STOPPED)
        await self._all_over(_LAST_WORDS)
        self._tending.leave()
        others = {opened.tending, *self._works, *self._aside}
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=_ANY_CALL)
        await opened.sweeper.stop()
        with contextlib.suppress(StoreUnavailable):
            await opened.kept.take_leave(self._me)
        await opened.store.close()

    async def _all_over(self, seconds: float) -> None:
        """Wait until no task runs any more, but no longer than this."""
        running = [run.over for run in self._runs.values()]
        if running:
            await asyncio.wait(running, timeout=max(seconds, 0.0))

    async def _kept(self) -> TaskRecords:
        """The records, whose store is opened when it is first needed; raises `StoreUnavailable`."""
        opened = self._opened
        if opened is None:
            async with self._opening:
                opened = self._opened = self._opened or await self._open()
        return opened.kept

    async def _open(self) -> _Opened:
        store = self._terms.open_store()
        try:
            await store.open()
        except BaseException:
            await store.close()
            raise
        kept, sweeper = TaskRecords(store, self._server), Sweeper(store)
        sweeper.start()
        return _Opened(store, kept, sweeper, asyncio.create_task(self._tending.run(kept), name="tasks"))

    # -- what the service asks -----------------------------------------------------------------------------------

    async def begin(
        self, call: Call, tool: str, wish: Wish, work: Work, records: Mapping[str, Any] | None = None
    ) -> Result:
        """Begin a task for a call, and give what the call is answered with; by then every process knows the task.

        Args:
            call: Whose caller gets the task.
            tool: Which tool is called.
            wish: What the caller has said about tasks.
            work: What the task does.
            records: Answers that the call has got before it became a task.

        Raises:
            ProtocolError: It could not be written down, and so has not begun.
        """
        with _reaching_the_store():
            kept = await self._kept()
            async with self._admitting:  # or many at once would all be counted before the first is written down
                refusal = await self._refusal(kept, call)
                if refusal is not None:
                    return refusal
                task = await self._created(kept, call, tool, wish)
        self._start(task, call, work, records)
        return {"resultType": "task", **task.told()}

    async def _created(self, kept: TaskRecords, call: Call, tool: str, wish: Wish) -> Task:
        now = kept.now()
        ttl = self._terms.ttl if wish.ttl_ms is None else min(self._terms.ttl, wish.ttl_ms / 1000)
        owner = owner_of(call)
        task = Task(id=new_id(), owner=owner, tool=tool, runner=self._me, created=now, updated=now, ttl=ttl)
        self._beginning.add(task.id)
        try:
            await self._tending.give_sign_of_life(kept)
            await self._create(kept, task)
        finally:
            self._beginning.discard(task.id)
        return task

    async def begin_instead(self, call: Call, begin: Callable[..., Coroutine[Any, Any, Result]]) -> None:
        """Answer a call with a task in the middle of its work, which the task does anew; so this never returns."""
        questions = call.questions = call.questions or Questions()
        answer = await begin(records=questions.state()["records"])
        asyncio.get_running_loop().call_soon(_settle, call, answer)
        await questions.stop_here()

    async def _refusal(self, kept: TaskRecords, call: Call) -> Result | None:
        if self._until is not None:
            return tool_error("The server is about to stop: try again in a moment", Reason.TOO_MANY_TASKS)
        if len(self._runs) + len(self._beginning) >= self._terms.most:
            return tool_error("Too many tasks are running: try again later", Reason.TOO_MANY_TASKS)
        most = self._terms.most_per_caller
        if await kept.running_of(owner_of(call), most) >= most:
            return tool_error(f"You have {most} tasks running: wait until one has ended", Reason.TOO_MANY_TASKS)
        return None

    async def _create(self, kept: TaskRecords, task: Task) -> None:
        creating = asyncio.ensure_future(kept.create(task))
        try:
            await asyncio.shield(creating)
        except BaseException:
            # Nobody will ever ask for it, be it there or not: the caller is gone, or gets an error.
            self._do_aside(_undo(kept, task, creating))
            raise

    def _start(self, task: Task, call: Call, work: Work, records: Mapping[str, Any] | None) -> None:
        run = self._runs[task.id] = TaskRun(task, self._sync_soon, self._conclude)
        params = {key: value for key, value in call.request.params.items() if key != "inputResponses"}
        own = Call(
            Request(call.request.id, RUN, params, call.request.peer),
            run,
            InFlight(),
            call.late,
            timeout=None,
            until=time.monotonic() + task.ttl,
            principal=call.principal,
        )
        own.may_ask = True
        own.questions = Questions({"records": dict(records or {}), "asked": {}})
        run.serve(own)
        working = asyncio.create_task(self._run(run, own, work), name=f"task {task.tool}")
        self._works.add(working)
        working.add_done_callback(self._works.discard)
        self._tending.wake()

    # -- what clients ask ----------------------------------------------------------------------------------------

    async def get(self, task_id: str, call: Call) -> Result:
        """The task as it is now, in full."""
        with _reaching_the_store():
            return (await self._found(task_id, call)).told_in_full()

    async def update(self, task_id: str, responses: object, call: Call) -> None:
        """Take answers to questions of a task; those to no question that is open are ignored."""
        given = responses_of(responses)
        with _reaching_the_store():
            await self._found(task_id, call)
            kept = await self._kept()
            change = functools.partial(answered, given=given, now=kept.now)
            await self._changed(kept, await kept.change(task_id, change))

    async def cancel(self, task_id: str, call: Call) -> None:
        """End a task that has not ended; its work is stopped as soon as its process hears of it."""
        with _reaching_the_store():
            await self._found(task_id, call)
            kept = await self._kept()
            message = "Cancelled as its client has asked"
            change = functools.partial(ended, status="cancelled", message=message, now=kept.now)
            await self._changed(kept, await kept.change(task_id, change))

    async def list(self, cursor: str | None, call: Call) -> Result:
        """A page of the caller's tasks."""
        with _reaching_the_store():
            kept = await self._kept()
            try:
                found = await kept.of(owner_of(call), cursor or "", _PAGE)
            except ValueError:
                raise bad_cursor() from None
        page: dict[str, Any] = {"tasks": [task.told_in_full() for task in found]}
        if len(found) == _PAGE:
            page["nextCursor"] = found[-1].id
        return page

    async def _found(self, task_id: str, call: Call) -> Task:
        """A task of the caller's; raises `ProtocolError` for any other."""
        kept = await self._kept()
        task = await kept.find(task_id)
        if task is None or task.owner != owner_of(call):
            raise unknown_task()
        if task.ended or task.runner == self._me or await kept.lives(task.runner):
            return task
        return await self._lose(kept, task_id) or task

    # -- the work ------------------------------------------------------------------------------------------------

    async def _run(self, run: TaskRun, call: Call, work: Work) -> None:
        answer = await answer_of(work, call, self._observer)
        if answer is not None:
            run.conclude(answer)

    def _conclude(self, run: TaskRun, answer: Answer | None) -> None:
        self._do_aside(self._finish(run, answer))

    async def _finish(self, run: TaskRun, answer: Answer | None) -> None:
        try:
            if answer is not None:
                await self._write_end(run, answer)
        finally:
            del self._runs[run.id]
            run.over.set_result(None)

    async def _write_end(self, run: TaskRun, answer: Answer) -> None:
        kept = await self._kept()
        outcome = end_of(answer, self._terms.most_bytes)
        complained = False
        while True:
            try:
                await self._changed(kept, await kept.change(run.id, functools.partial(ended, **outcome, now=kept.now)))
            except StoreUnavailable as problem:
                if not complained:
                    logger.warning("The end of a task of %s cannot be written down for now: %s", run.tool, problem)
                complained = True
                await asyncio.sleep(self._terms.poll)
            else:
                return

    # -- the record and the run ----------------------------------------------------------------------------------

    def _sync_soon(self, run: TaskRun) -> None:
        run.stale = True
        if run.syncing is None and not run.concluded:
            run.syncing = self._do_aside(self._sync(run))

    async def _sync(self, run: TaskRun) -> None:
        """Make the record say what the run says, and the run hear what the record has."""
        try:
            await asyncio.sleep(0)  # what is asked in the same moment is told together
            kept = await self._kept()
            while run.stale and not run.concluded:
                run.stale = False
                try:
                    task = await kept.change(run.id, lambda task: run.merged(task, kept.now()))
                except StoreUnavailable:
                    run.stale = True
                    await asyncio.sleep(self._terms.poll)
                    continue
                if task is None or task.ended:
                    run.stop()
                else:
                    run.take_answers()
                    self._tell(run.id)
        finally:
            run.syncing = None

    async def _changed(self, kept: TaskRecords, task: Task | None) -> None:
        """A task has been changed on its client's behalf: let its process know, and everybody who listens."""
        if task is None:
            return
        run = self._runs.get(task.id)
        if run is not None:
            self._sync_soon(run)
        elif task.runner != self._me:
            await kept.nudge(task.runner, task.id)
        self._tell(task.id)

    def _tell(self, task_id: str) -> None:
        self._publish(TaskChanged(task_id))
        if self._neighbours is not None:
            self._neighbours.tell(_TOPIC, _Touched(task=task_id))

    def _listen(self) -> Callable[[], None]:
        if self._neighbours is None:
            return lambda: None
        return self._neighbours.listen(_TOPIC, _ABOUT_TASKS, self._heard, lambda: None)

    def _heard(self, touched: _Touched) -> None:
        self._nudged(touched.task)
        self._publish(TaskChanged(touched.task))

    def _nudged(self, task_id: str) -> None:
        run = self._runs.get(task_id)
        if run is not None:
            self._sync_soon(run)

    async def _lose(self, kept: TaskRecords, task_id: str) -> Task | None:
        """End a task whose process is gone, and give what it then is."""
        task = await kept.change(
            task_id, functools.partial(ended, **end_of(LOST, self._terms.most_bytes), now=kept.now)
        )
        if task is None:
            await kept.unmark(task_id)
        await self._changed(kept, task)  # its process may live after all, and must stop
        return task

    def _do_aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        return task


def owner_of(call: Call) -> str:
    """Whose a call's tasks are; those of all callers who did not have to say who they are, are nobody's."""
    return "" if call.principal is None else call.principal.name


@contextlib.contextmanager
def _reaching_the_store() -> Generator[None]:
    """Tell a caller that the store is away, in words that say nothing of where it is."""
    try:
        yield
    except StoreUnavailable as problem:
        logger.warning("A request about tasks cannot be answered: %s", problem)
        text = "Tasks cannot be reached for now: try again in a moment"
        raise ProtocolError(Code.INTERNAL_ERROR, text, {"reason": Reason.NO_STORE}) from problem


def _settle(call: Call, answer: Result) -> None:
    if not call.settled:
        call.settle(answer)


async def _undo(kept: TaskRecords, task: Task, creating: asyncio.Future[None]) -> None:
    with contextlib.suppress(StoreUnavailable):  # then its mark is found, or the record ends by itself
        with contextlib.suppress(StoreUnavailable):
            await creating
        await kept.discard(task)
