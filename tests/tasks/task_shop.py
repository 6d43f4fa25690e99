"""A server whose tools are tasks, and clients of it; nothing in it happens before a test says so."""

# pyright: reportDeprecated=false

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from mcp_server import Context, ProtocolError, Server, ToolError
from mcp_server.engine.calls import Principal
from mcp_server.engine.neighbours import Neighbours
from mcp_server.engine.task_terms import TaskTerms
from mcp_server.stores.memory import MemoryStore
from mcp_server.testing import Answers, TestClient

T = TypeVar("T")

MODERN, LEGACY = "2026-07-28", "2025-11-25"
TASKS = "io.modelcontextprotocol/tasks"
CAPABLE: dict[str, Any] = {
    "extensions": {TASKS: {}},
    "elicitation": {"form": {}, "url": {}},
    "sampling": {},
    "roots": {},
}
PATIENCE = 60.0
"""How long anything may take on a busy machine, in seconds, before it counts as hanging."""

FORM: dict[str, Any] = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}


class Shop:
    """A server, and what has happened in it."""

    def __init__(self, name: str = "shop") -> None:
        self.server = Server(name, lint="off")
        self.engine = self.server.engine()
        self.begun: list[str] = []
        self.stopped: list[str] = []
        self.done: list[str] = []
        self.open = asyncio.Event()
        """Whether `wait` may go on."""
        add = self.server.add_tool
        add(self.wait, task="optional")
        add(self.must, task="required")
        add(self.plain)
        add(self.ask, task="optional")
        add(self.ask_both, task="optional")
        add(self.ask_first, task="required", task_begins="when_told")
        add(self.fail, task="optional")
        add(self.break_, name="break", task="optional")
        add(self.refuse, task="optional")
        add(self.large, task="optional")
        add(self.deep, task="optional")
        add(self.blocks, task="optional")
        add(self.hang, task="optional", timeout=0.05)
        add(self.tell, task="optional")
        add(self.quit, task="optional")
        add(self.hurry, task="optional")
        add(self.forget, task="optional")
        add(self.scarce, task="optional", rate_limit="1/minute")

    async def wait(self, tag: str = "") -> str:
        self.begun.append(tag)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.stopped.append(tag)
            raise
        self.done.append(tag)
        return f"done {tag}"

    async def must(self) -> str:
        return "did"

    async def plain(self) -> str:
        return "plain"

    async def ask(self, ctx: Context) -> str:
        answer = await ctx.elicit("One word?", FORM)
        return f"{answer.action} {answer.data}"

    async def ask_both(self, ctx: Context) -> str:
        one, two = await asyncio.gather(ctx.elicit("One?", FORM, key="one"), ctx.elicit("Two?", FORM, key="two"))
        return f"{one.data} {two.data}"

    async def ask_first(self, ctx: Context, begin: bool = True) -> str:
        first = await ctx.elicit("First?", FORM, key="first")
        number = await ctx.once("count", self._count)
        if begin:
            await ctx.begin_task()
        self.begun.append("after")
        return f"{first.data} {number}"

    async def _count(self) -> int:
        self.begun.append("once")
        return len(self.begun)

    async def fail(self) -> str:
        raise ToolError("no luck")

    async def break_(self) -> str:
        raise RuntimeError("a secret")

    async def refuse(self) -> str:
        raise ProtocolError(-32603, "no way", {"why": "so"})

    async def large(self, size: int) -> str:
        return "x" * size

    async def deep(self, levels: int) -> object:
        value: object = "the ground"
        for _ in range(levels):
            value = [value]
        return value

    def blocks(self, ctx: Context) -> str:
        return f"thread {ctx.wait(ctx.elicit('One word?', FORM)).action}"

    async def hang(self) -> str:
        while True:
            try:
                await self.open.wait()
            except asyncio.CancelledError:
                self.stopped.append("hang")
            else:
                self.done.append("late")
                return "late"

    async def hurry(self, ctx: Context) -> str:
        await ctx.progress(1, 2)
        await self.open.wait()
        await ctx.progress(2, 2)
        return "hurried"

    async def forget(self, ctx: Context) -> str:
        asking = asyncio.ensure_future(ctx.elicit("Never mind?", FORM, key="mind"))
        await self.open.wait()
        asking.cancel()
        answer = await ctx.elicit("And now?", FORM, key="now")
        return answer.action

    async def tell(self, ctx: Context) -> str:
        await ctx.progress(1, 4)
        await ctx.progress(2, 4, "half of it")
        await ctx.info("nobody hears this")
        await self.open.wait()
        return "told"

    async def quit(self) -> str:
        current = asyncio.current_task()
        assert current is not None
        raise asyncio.CancelledError

    async def scarce(self) -> str:
        return "rare"

    def client(
        self,
        version: str = MODERN,
        *,
        who: str | None = None,
        capabilities: Mapping[str, Any] | None = None,
        answers: Answers | None = None,
        timeout: float | None = None,
        terms: TaskTerms | None = None,
        neighbours: Neighbours | None = None,
    ) -> TestClient:
        """A client that takes tasks, and a server that keeps them on such terms."""
        self.engine = self.server.engine(tasks=terms, timeout=timeout, neighbours=neighbours)
        return self.caller(who, version, capabilities=capabilities, answers=answers)

    def caller(
        self,
        who: str | None,
        version: str = MODERN,
        *,
        capabilities: Mapping[str, Any] | None = None,
        answers: Answers | None = None,
    ) -> TestClient:
        """One more client of the same server."""
        return TestClient(
            self.engine,
            version,
            capabilities=CAPABLE if capabilities is None else capabilities,
            principal=None if who is None else Principal(who),
            answers=answers,
        )

    @property
    def inside(self) -> Any:
        """The engine room of its tasks, for tests that let it suffer."""
        server: Any = self.server
        return server._service._tasks


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in an event loop of its own."""

    async def told() -> None:
        async with asyncio.timeout(PATIENCE):
            await story()

    asyncio.run(told())


async def begin(client: TestClient, tool: str, /, **arguments: Any) -> str:
    """Call a tool that is answered with a task, in the version of the client; gives the task's id."""
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if client.version == LEGACY:
        return (await client.request("tools/call", {**params, "task": {}}))["task"]["taskId"]
    answer = await client.request_once("tools/call", params)
    assert answer["resultType"] == "task", answer
    return answer["taskId"]


async def look(client: TestClient, task_id: str) -> dict[str, Any]:
    """The task as it is."""
    return await client.request_once("tasks/get", {"taskId": task_id})


async def until(client: TestClient, task_id: str, *states: str) -> dict[str, Any]:
    """The task once it is in one of these states."""
    return await until_so(lambda: look(client, task_id), lambda task: task["status"] in states)


async def until_so(ask: Callable[[], Coroutine[Any, Any, T]], so: Callable[[T], object]) -> T:
    """Ask until the answer is so."""
    while True:
        answer = await ask()
        if so(answer):
            return answer
        await asyncio.sleep(0.01)


async def happens(condition: Callable[[], object]) -> None:
    """Wait until something is so."""

    async def ask() -> object:
        return condition()

    await until_so(ask, bool)


def said(task: Mapping[str, Any]) -> str:
    """The text of a task's result."""
    return task["result"]["content"][0]["text"]


async def reply(client: TestClient, task_id: str, **answers: Any) -> dict[str, Any]:
    """Answer questions of a task, by their keys."""
    responses = {key.replace("_", "-"): value for key, value in answers.items()}
    return await client.request_once("tasks/update", {"taskId": task_id, "inputResponses": responses})


def word(text: object) -> dict[str, Any]:
    """An answer that fills in the form."""
    return {"action": "accept", "content": {"word": text}}


class SlowToWrite(MemoryStore):
    """A store in which a task is written down once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        if kind.startswith("task/"):
            self.reached.set()
            await self.go_on.wait()
        await super().put(kind, key, value, lifetime=lifetime, owner=owner)
