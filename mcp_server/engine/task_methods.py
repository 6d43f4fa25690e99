"""What clients ask about tasks: `tasks/*` in both eras, and to be told of changes.

2026-07-28 polls a task, answers its questions and cancels it; everything is in the task. 2025-11-25 waits for a result
that comes on its own (`tasks/result`), and is asked meanwhile, on the stream of that request. Here the second is made
of the first, so that a `TaskSource` need not know of it.

Loaded when somebody asks for the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from mcp_server.engine.asking import Unanswered
from mcp_server.engine.parameters import object_, text
from mcp_server.engine.subscriptions import Feed, Hub, Interest
from mcp_server.protocol.errors import (
    Code,
    ProtocolError,
    bad_cursor,
    invalid_params,
    method_not_found,
)
from mcp_server.protocol.messages import is_list
from mcp_server.protocol.results import Result
from mcp_server.protocol.tasks import ENDED, declares_tasks, related, tasks_not_declared

if TYPE_CHECKING:
    from mcp_server.engine.calls import Call
    from mcp_server.engine.service import TaskSource

MAX_WATCHED: Final = 100
"""How many tasks one client may listen to at once."""

LOOK_EVERY: Final = 2.0
"""How often a listener's tasks are looked at, in seconds, where nobody tells of their changes."""

TOLD: Final = "notifications/tasks"


class TaskMethods:
    """Answers those methods from where the tasks are; `hub` tells of their changes."""

    def __init__(self, source: TaskSource, hub: Hub) -> None:
        self._source = source
        self._hub = hub
        self._methods: dict[tuple[bool, str], Callable[[Call], Coroutine[Any, Any, Result]]] = {
            (True, "tasks/get"): self._get,
            (True, "tasks/update"): self._update,
            (True, "tasks/cancel"): self._cancel,
            (False, "tasks/get"): self._get,
            (False, "tasks/cancel"): self._cancel_and_tell,
            (False, "tasks/list"): self._list,
            (False, "tasks/result"): self._result,
        }

    async def answer(self, call: Call) -> Result:
        """The answer to a request about tasks."""
        request = call.request
        if request.peer.modern and not declares_tasks(request.peer.capabilities):
            raise tasks_not_declared()
        return await self._methods[request.peer.modern, request.method](call)

    # -- in both eras --------------------------------------------------------------------------------------------

    async def _get(self, call: Call) -> Result:
        return await self._source.get(_id(call), call)

    # -- 2026-07-28 ----------------------------------------------------------------------------------------------

    async def _update(self, call: Call) -> Result:
        task_id = _id(call)
        await self._source.update(task_id, object_(call.request.params, "inputResponses"), call)
        return {}

    async def _cancel(self, call: Call) -> Result:
        await self._source.cancel(_id(call), call)
        return {}

    # -- 2025-11-25 ----------------------------------------------------------------------------------------------

    async def _cancel_and_tell(self, call: Call) -> Result:
        task_id = _id(call)
        task = await self._source.get(task_id, call)
        if task["status"] in ENDED:
            raise invalid_params(f"The task has ended already: it is {task['status']}")
        await self._source.cancel(task_id, call)
        return await self._source.get(task_id, call)

    async def _list(self, call: Call) -> Result:
        if call.principal is None:  # a list would show everybody's tasks to everybody
            raise method_not_found(call.request.method)
        cursor = call.request.params.get("cursor")
        if cursor is not None and not isinstance(cursor, str):
            raise bad_cursor()
        return await self._source.list(cursor, call)

    async def _result(self, call: Call) -> Result:
        task_id = _id(call)
        call.timeout = None
        async with self._changes(frozenset({task_id})) as feed:
            while (task := await self._source.get(task_id, call))["status"] not in ENDED:
                if task["status"] == "input_required":
                    await self._put(task, call)
                elif not await _goes_on(feed):
                    raise ProtocolError(Code.INTERNAL_ERROR, "The server is about to stop: ask again in a moment")
        if task["status"] == "completed":
            return related(task_id, task["result"])
        if task["status"] == "failed":
            error = task["error"]
            raise ProtocolError(error["code"], error["message"], error.get("data"))
        raise ProtocolError(Code.INTERNAL_ERROR, "The task was cancelled")

    async def _put(self, task: Mapping[str, Any], call: Call) -> None:
        """Put the open questions of a task to the client that waits for its result."""
        task_id: str = task["taskId"]
        questions: Mapping[str, Mapping[str, Any]] = task["inputRequests"]
        for key, question in questions.items():
            try:
                response = await call.line.question(
                    call, question["method"], related(task_id, question.get("params", {}))
                )
            except Unanswered as error:
                raise ProtocolError(Code.INTERNAL_ERROR, str(error)) from error
            await self._source.update(task_id, {key: dict(response)}, call)

    # -- listening -----------------------------------------------------------------------------------------------

    async def watched(self, call: Call) -> frozenset[str]:
        """The tasks that a `subscriptions/listen` asks for, as far as they are its caller's.

        Raises:
            ProtocolError: They are asked for in the wrong way, or by a client that does not declare the extension.
        """
        wanted = object_(call.request.params, "notifications").get("taskIds")
        if not _are_ids(wanted):
            raise invalid_params("notifications.taskIds must be a list of task ids")
        if not declares_tasks(call.request.peer.capabilities):
            raise tasks_not_declared()
        if len(wanted) > MAX_WATCHED:
            raise invalid_params(f"At most {MAX_WATCHED} tasks can be listened to at once")
        found: set[str] = set()
        for task_id in wanted:
            if await self._state(task_id, call) is not None:
                found.add(task_id)
        return frozenset(found)

    async def tell(self, feed: Feed, task_ids: frozenset[str], call: Call, mark: Mapping[str, Any]) -> None:
        """Tell a listener how its tasks are, now and at each change, among everything else that it wants to hear.

        Changes may be made by a process that has no way of telling us, so tasks that have not ended are looked at now
        and then.
        """
        told: dict[str, Result] = {}
        left, due = task_ids, task_ids
        while True:
            for task_id in due & left:
                state = await self._state(task_id, call)
                if state is not None and state != told.get(task_id):
                    told[task_id] = state
                    await call.notify(TOLD, {**state, **mark})
                if state is None or state["status"] in ENDED:
                    left -= {task_id}
            try:
                async with asyncio.timeout(LOOK_EVERY if left else None):
                    news = await feed.next()
            except TimeoutError:
                due = left
                continue
            if news is None:
                return
            due = frozenset[str]() if news.task is None else frozenset({news.task})
            if news.task is None:
                await call.notify(news.method, {**news.params, **mark})

    async def _state(self, task_id: str, call: Call) -> Result | None:
        """How a task is; None if there is none, or none that can be told of."""
        try:
            return await self._source.get(task_id, call)
        except ProtocolError:
            return None

    @asynccontextmanager
    async def _changes(self, task_ids: frozenset[str]) -> AsyncGenerator[Feed]:
        interest = Interest(frozenset(), tasks=task_ids)
        feed = self._hub.open(lambda: interest, lambda _: False)  # it hears of tasks, and of no resource
        try:
            yield feed
        finally:
            self._hub.close(feed)


async def _goes_on(feed: Feed) -> bool:
    """Wait for a change, or until it is time to look for one; False if there will be none."""
    try:
        return await asyncio.wait_for(feed.next(), LOOK_EVERY) is not None
    except TimeoutError:
        return True


def _are_ids(value: object) -> TypeGuard[list[str]]:
    return is_list(value) and all(isinstance(each, str) for each in value)


def _id(call: Call) -> str:
    return text(call.request.params, "taskId")
