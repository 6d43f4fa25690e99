"""A server for the tests of HTTP, and a stage on which what its tools do can be watched and told when to go on."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from types import FrameType
from typing import Annotated, Any

from pydantic import Field

from mcp_server import Context, Header, Server, ToolError, ToolResult

SECRET = "sk-live-4711-do-not-tell"
PATIENCE = 60.0
Width = Annotated[int, Field(ge=0, le=1_000_000)]


class Stage:
    """What has happened in the tools, and what they wait for; a label keeps apart what happens at the same time."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.release = asyncio.Event()
        self.wind_down = asyncio.Event()
        self._something = asyncio.Event()
        self._releases = {"": self.release}

    def release_of(self, label: str) -> asyncio.Event:
        """What those with this label wait for."""
        return self._releases.setdefault(label, asyncio.Event())

    def note(self, word: str) -> None:
        """Something has happened."""
        self.happened.append(word)
        self._something.set()

    async def sees(self, word: str, count: int = 1) -> None:
        """Wait until this has happened so often."""
        async with asyncio.timeout(PATIENCE):
            while self.happened.count(word) < count:
                self._something.clear()
                await self._something.wait()


def _serves(server: Server, stage: Stage) -> None:
    """What answers at once."""

    @server.tool(read_only=True)
    async def add(a: Annotated[int, Field(ge=0, le=50)], b: Annotated[int, Field(ge=0, le=50)]) -> dict[str, int]:
        """Add two numbers."""
        stage.note("added")
        return {"sum": a + b}

    @server.tool
    async def say(text: Annotated[str, Field(min_length=1, max_length=100_000)], times: int = 1) -> str:
        """Say it again."""
        return text * times

    @server.tool
    async def route(region: Annotated[str, Header("Region"), Field(max_length=40)], count: int = 1) -> str:
        """Say where to."""
        return region * count

    @server.tool
    async def capabilities(ctx: Context) -> str:
        """Say what the client can do."""
        return json.dumps(ctx.client_capabilities)

    @server.resource("shop://shelf")
    async def shelf() -> str:
        """What is on the shelf."""
        return "tea"

    @server.prompt
    def greet(name: str) -> str:
        """Greet somebody."""
        return f"Say hello to {name}"


def _waits(server: Server, stage: Stage) -> None:
    """What takes its time."""

    @server.tool
    async def wait(
        ctx: Context, steps: Annotated[int, Field(ge=0, le=100)] = 0, label: str = "", width: Width = 100
    ) -> str:
        """Tell of some steps, each in so many characters, then wait to be released."""
        stage.note("began" + label)
        try:
            for step in range(steps):
                await ctx.progress(step + 1, steps, "x" * width)
            stage.note("waits" + label)
            await stage.release_of(label).wait()
        except asyncio.CancelledError:
            stage.note("cancelled" + label)
            raise
        stage.note("ended" + label)
        return "released"

    @server.tool(timeout=0.05)
    async def dawdle() -> str:
        """Take too long, and take leave slowly."""
        stage.note("began")
        try:
            await asyncio.Event().wait()
        finally:
            stage.note("late")
            await stage.wind_down.wait()
            stage.note("wound down")
        return "never"

    @server.tool(timeout=0.2)
    def block(seconds: Annotated[float, Field(ge=0, le=60)]) -> str:
        """Block a thread."""
        time.sleep(seconds)
        return "blocked"

    @server.tool
    async def let_go(label: str) -> str:
        """Release whoever waits under this label."""
        stage.release_of(label).set()
        return "done"

    @server.tool
    async def sees(word: str) -> str:
        """Answer once this has happened."""
        await stage.sees(word)
        return "seen"

    @server.tool
    async def slow_exit() -> str:
        """Finish only after the process has been asked to stop, and release the others then."""
        usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        asked, loop = asyncio.Event(), asyncio.get_running_loop()

        def hears(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(asked.set)
            handler = usual[signal.Signals(number)]
            assert callable(handler)
            handler(number, frame)

        for number in usual:
            signal.signal(number, hears)
        stage.note("waits for a signal")
        await asked.wait()
        await asyncio.sleep(1)  # long enough for every stream to have ended before
        stage.release_of("c").set()
        return "finished after all"


def _fails(server: Server, stage: Stage) -> None:
    """What goes wrong, or says too much."""

    @server.tool
    async def fail() -> str:
        """Break, and say too much about it."""
        raise RuntimeError("postgres://shop:hunter2@db.internal/shop")

    @server.tool
    async def refuse() -> str:
        """Say what is wrong."""
        raise ToolError("There is no such shelf")

    @server.tool
    async def leak() -> dict[str, str]:
        """Tell a secret."""
        return {"key": SECRET}

    @server.tool
    async def odd() -> ToolResult:
        """Answer what cannot be told."""
        return ToolResult(content="x", meta={"com.example/thing": object()})


def _tells(server: Server, stage: Stage) -> None:
    """What tells of the server itself."""

    @server.tool
    async def announce(ctx: Context) -> str:
        """Say that the tools have changed."""
        ctx.notify_tools_changed()
        return "said"

    @server.tool
    async def mark(word: str) -> str:
        """Note a word."""
        await asyncio.sleep(0)
        stage.note(word)
        return word

    @server.tool
    async def marks() -> list[str]:
        """Say which words have been noted."""
        return stage.happened

    @server.tool
    async def tasks() -> int:
        """Say how many tasks there are."""
        return len(asyncio.all_tasks())


def shop() -> tuple[Server, Stage]:
    """A server, and its stage."""
    server = Server("shop", version="2.0.0", description="Sells <things>", timeout=PATIENCE, lint="off")
    stage = Stage()

    for adds in (_serves, _waits, _fails, _tells):
        adds(server, stage)
    return server, stage


def content(text: str) -> list[dict[str, Any]]:
    """The content of a tool's result that is one text."""
    return [{"type": "text", "text": text}]


server, _ = shop()
