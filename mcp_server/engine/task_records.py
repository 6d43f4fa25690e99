"""What is kept of a task, and every change of it: one record a task, each change a single atomic `swap`.

Four kinds of records, which are written in an order that makes a kill between any two of them harmless:

    the task       everything that can be told of it; the one truth
    its mark       says that it has not ended, and which process runs it: written before it, removed after its end
    a sign of life one for each process that runs tasks; while there is none, its marks are those of lost tasks
    a nudge        tells the process that runs a task that somebody else has changed it

A task that has ended never changes again, whoever tries. Its id is its key: whoever can read the store can read the
results too, so there would be nothing to hide.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import from_json, to_json

from mcp_server.protocol.tasks import ENDED
from mcp_server.stores import Record, Store

_ID: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
_PAGE: Final = 200
_MARGIN: Final = 60.0
"""How much longer than it may run a task's record lasts, so that its end can still be written down."""
_YOUNG: Final = 60.0
_POLL_MS: Final = 1000
_POLL_OLD_MS: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Everything that is known of a task; times are seconds since the epoch."""

    id: str
    owner: str
    tool: str
    runner: str
    created: float
    updated: float
    ttl: float
    status: str = "working"
    message: str | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    requests: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What its client is to answer."""
    answers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What its client has answered, until its process has fetched it."""

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ENDED

    @property
    def kept_until(self) -> float:
        """When it may be forgotten."""
        return self.updated + self.ttl if self.ended else self.created + self.ttl + _MARGIN

    def told(self) -> dict[str, Any]:
        """The task without what belongs to its state, as in the answer that creates it."""
        ttl = self.ttl + (self.updated - self.created if self.ended else 0.0)
        told: dict[str, Any] = {
            "taskId": self.id,
            "status": self.status,
            "createdAt": _moment(self.created),
            "lastUpdatedAt": _moment(self.updated),
            "ttlMs": int(ttl * 1000),
            "pollIntervalMs": _POLL_MS if self.updated - self.created < _YOUNG else _POLL_OLD_MS,
        }
        if self.message is not None:
            told["statusMessage"] = self.message
        return told

    def told_in_full(self) -> dict[str, Any]:
        """The task with its result, its error or its questions."""
        told = self.told()
        match self.status:
            case "completed":
                told["result"] = self.result
            case "failed":
                told["error"] = self.error
            case "input_required":
                told["inputRequests"] = self.requests
            case _:
                pass
        return told


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_urlsafe(24)


class TaskRecords:
    """The tasks of one server in a store; every method may raise `StoreUnavailable`.

    Args:
        store: Where they are; opened and closed by somebody else.
        server: The name of the server, since others may use the same store.
        clock: What time it is.
    """

    def __init__(self, store: Store, server: str, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self.now = clock
        space = hashlib.sha256(server.encode()).hexdigest()[:12]
        self._tasks, self._marks = f"task/{space}", f"task-mark/{space}"
        self._lives, self._nudges = f"task-life/{space}", f"task-nudge/{space}"

    async def create(self, task: Task) -> None:
        """Write down a task that is about to begin; when this returns, everybody can find it."""
        lifetime = task.kept_until - self.now()
        await self._store.put(self._marks, task.id, task.runner.encode(), lifetime=lifetime, owner=task.owner)
        await self._store.put(self._tasks, task.id, _encoded(task), lifetime=lifetime, owner=task.owner)

    async def discard(self, task: Task) -> None:
        """Forget a task of which nobody has been told."""
        await self._store.delete(self._tasks, task.id)
        await self._store.delete(self._marks, task.id)

    async def find(self, task_id: str) -> Task | None:
        """The task of this id."""
        if not _ID.fullmatch(task_id):
            return None
        record = await self._store.get(self._tasks, task_id)
        return None if record is None else _decoded(record)

    async def change(self, task_id: str, change: Callable[[Task], Task | None]) -> Task | None:
        """Change a task that has not ended; gives what it then is, and None if there is none.

        `change` is called anew with what the task is by then as long as others come in between. It gives None to leave
        it as it is.
        """
        while (record := await self._store.get(self._tasks, task_id)) is not None:
            task = _decoded(record)
            after = None if task.ended else change(task)
            if after is None:
                return task
            lifetime = after.kept_until - self.now()
            if await self._store.swap(self._tasks, task_id, record.value, _encoded(after), lifetime=lifetime):
                if after.ended:
                    await self._store.delete(self._marks, task_id)
                return after
        return None

    async def of(self, owner: str, after: str, limit: int) -> Sequence[Task]:
        """A page of somebody's tasks."""
        return [_decoded(each) for each in await self._store.find(self._tasks, owner=owner, after=after, limit=limit)]

    async def running_of(self, owner: str, limit: int) -> int:
        """How many of somebody's tasks have not ended, counted up to a limit."""
        return len(await self._store.find(self._marks, owner=owner, limit=limit))

    async def marks(self) -> AsyncIterator[tuple[str, str]]:
        """The id of each task that has not ended, and the process that runs it."""
        after = ""
        while page := await self._store.find(self._marks, after=after, limit=_PAGE):
            for record in page:
                yield record.key, record.value.decode()
            after = page[-1].key

    async def unmark(self, task_id: str) -> None:
        """Remove the mark of a task that is not there any more."""
        await self._store.delete(self._marks, task_id)

    async def give_sign_of_life(self, runner: str, lease: float) -> None:
        """This process lives, and will say so again within this time."""
        await self._store.put(self._lives, runner, b"", lifetime=lease)

    async def take_leave(self, runner: str) -> None:
        """This process will run no more tasks."""
        await self._store.delete(self._lives, runner)

    async def lives(self, runner: str) -> bool:
        """Whether a process has given a sign of life in time."""
        return await self._store.get(self._lives, runner) is not None

    async def nudge(self, runner: str, task_id: str) -> None:
        """Tell the process that runs a task to look at it."""
        await self._store.put(self._nudges, f"{runner}.{task_id}", task_id.encode(), lifetime=_MARGIN, owner=runner)

    async def nudges(self, runner: str) -> Sequence[str]:
        """The tasks that this process was told to look at, each once."""
        found = await self._store.find(self._nudges, owner=runner, limit=_PAGE)
        for record in found:
            await self._store.delete(self._nudges, record.key)
        return [record.value.decode() for record in found]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _encoded(task: Task) -> bytes:
    return to_json({"v": 1, **asdict(task)}, inf_nan_mode="null")


def _decoded(record: Record) -> Task:
    fields = from_json(record.value)
    del fields["v"]
    return Task(**fields)
