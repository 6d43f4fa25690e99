"""The servers that the manifest is proved on, made of the public face alone.

`python fixture_server.py [NAME]` serves one of them over standard input and output. What is done to one lasts as long
as its lifespan, so that no test sees what another has done.
"""

# pyright: reportDeprecated=false

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, Field

from mcp_server import (
    AssistantMessage,
    Audio,
    Context,
    EmbeddedResource,
    Header,
    Icon,
    Image,
    Inject,
    ProtocolError,
    ResourceLink,
    Server,
    ToolError,
    ToolResult,
    UserMessage,
)

ICON: Final = Icon("https://example.com/icon.png", mime_type="image/png", sizes=("48x48",))
PIXEL: Final = b"\x89PNG\r\n\x1a\n"
SOUND: Final = b"RIFF\x00\x00\x00\x00WAVE"
NOTES: Final = [f"note-{number:03}" for number in range(150)]
SECRET: Final = "dsn://user:hunter2@db"
GIVEN_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"shape": {"$ref": "#/$defs/shape"}},
    "required": ["shape"],
    "additionalProperties": False,
    "$defs": {"shape": {"$anchor": "shape", "oneOf": [{"const": "round"}, {"const": "square"}]}},
}

WORD: Final[dict[str, Any]] = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}

Listed: TypeAlias = Literal["tool", "resource", "prompt"]
Count: TypeAlias = Annotated[int, Header("Count")]
Text: TypeAlias = Annotated[str, Field(max_length=2_000_000, description="Any text")]


class Sum(BaseModel):
    """What an addition comes to."""

    total: int


@dataclass(slots=True)
class Journal:
    """What has happened, the gates that calls wait at, and how to take back what was added."""

    stopped: list[str] = field(default_factory=list[str])
    gate: threading.Event = field(default_factory=threading.Event)
    speak: asyncio.Event = field(default_factory=asyncio.Event)
    background: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    extras: dict[Listed, Callable[[], None]] = field(default_factory=dict[Listed, "Callable[[], None]"])


@asynccontextmanager
async def open_journal(_: Server) -> AsyncGenerator[Journal]:
    """A journal for as long as the server runs; it leaves nobody waiting and nothing behind."""
    journal = Journal()
    try:
        yield journal
    finally:
        journal.gate.set()
        for task in journal.background:
            task.cancel()
        for take_back in journal.extras.values():
            take_back()


# -- tools -----------------------------------------------------------------------------------------------------------


async def echo(text: Text) -> str:
    """Say it again."""
    return text


async def add(a: int, b: int) -> Sum:
    """Add two numbers."""
    return Sum(total=a + b)


async def count(to: Annotated[int, Field(ge=0, le=100)]) -> list[int]:
    """Count from one."""
    return list(range(1, to + 1))


def nothing() -> None:
    """Take nothing, give nothing."""


async def shape(**given: Any) -> str:
    """Name a shape."""
    return str(given["shape"])


async def whoami(ctx: Context) -> dict[str, Any]:
    """Tell what the caller has said of itself."""
    return {
        "version": ctx.protocol_version,
        "client": ctx.client_info and ctx.client_info.get("name"),
        "capabilities": dict(ctx.client_capabilities),
        "trace": {key: ctx.meta[key] for key in ("traceparent", "tracestate", "baggage") if key in ctx.meta},
    }


async def wait(name: Text, journal: Inject[Journal]) -> str:
    """Wait for ever, and write down when that ends."""
    try:
        return await asyncio.get_running_loop().create_future()
    finally:
        journal.stopped.append(name)


async def refuse_to_stop() -> None:
    """Wait for ever, whoever wants it to end."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()


async def stopped(journal: Inject[Journal]) -> list[str]:
    """Tell which calls were stopped."""
    return journal.stopped


def hold_thread(journal: Inject[Journal]) -> bool:
    """Hold a thread until it is let go."""
    return journal.gate.wait(timeout=300)


async def let_go(journal: Inject[Journal]) -> None:
    """Let go what holds a thread."""
    journal.gate.set()


async def climb(ctx: Context) -> str:
    """Report progress that does not always increase."""
    for step in (1, 2, 2, 1.5, 3):
        await ctx.progress(step, total=3, message=f"step {step}")
    return "at the top"


async def race(ctx: Context) -> str:
    """Report progress faster than anybody can follow."""
    for step in range(1, 10_001):
        await ctx.progress(step)
    return "at the goal"


async def mutter(ctx: Context, journal: Inject[Journal]) -> str:
    """Answer, and go on to report progress afterwards."""

    async def go_on() -> None:
        await journal.speak.wait()
        await ctx.progress(2)
        await ctx.warning("too late")

    await ctx.progress(1)
    journal.background.append(asyncio.create_task(go_on()))
    return "answered"


async def let_mutter(journal: Inject[Journal]) -> None:
    """Wait until the muttering is over."""
    journal.speak.set()
    await asyncio.gather(*journal.background)


async def never(ctx: Context) -> None:
    """Report progress and never come to an end."""
    await ctx.progress(1)
    await asyncio.get_running_loop().create_future()


async def chatter(ctx: Context) -> str:
    """Log at four levels."""
    await ctx.debug("a detail")
    await ctx.info({"what": "a fact"}, logger="fixture")
    await ctx.warning("a worry")
    await ctx.error("a failure")
    return "done"


async def fail() -> str:
    """Fail, and say why."""
    raise ToolError("the shelf is empty")


async def crash() -> str:
    """Fail without meaning to."""
    raise RuntimeError(f"cannot connect to {SECRET}")


async def lie() -> Sum:
    """Return something else than promised."""
    return Sum.model_construct(total="many")


async def show() -> ToolResult:
    """Show content of every kind."""
    link = ResourceLink(uri="fixture://motd", name="motd", title="Message of the day")
    embedded = EmbeddedResource("fixture://inline", "inside", mime_type="text/plain")
    return ToolResult(content=["words", Image(data=PIXEL), Audio(data=SOUND), embedded, link])


async def be_noisy() -> str:
    """Print, and let a child process print."""
    print("this is not MCP")
    sys.stdout.flush()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('nor is this')")
    await process.wait()
    return "quiet again"


async def touch(uri: Text, ctx: Context) -> None:
    """Say that a resource has changed."""
    ctx.notify_resource_updated(uri)


async def route(region: Annotated[str, Header("Region"), Field(max_length=100)] = "", count: Count = 0) -> str:
    """Have arguments that clients repeat in headers."""
    return f"{region} {count}"


FORM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}},
    "required": ["name"],
}


async def ask_name(ctx: Context, journal: Inject[Journal]) -> str:
    """Ask the user for a name, and write down that it was asked once."""

    async def write_down() -> int:
        journal.stopped.append("asked")
        return len(journal.stopped)

    times = await ctx.once("asked", write_down)
    answer = await ctx.elicit("Your name?", FORM, key="name")
    return f"{answer.action}: {answer.data['name'] if answer.data else 'nobody'}, {times}"


async def ask_twice(ctx: Context) -> str:
    """Ask the user for two names, one after the other."""
    first = await ctx.elicit("The first name?", FORM, key="first")
    second = await ctx.elicit("The second name?", FORM, key="second")
    return f"{first.data} {second.data}"


async def ask_model(ctx: Context) -> str:
    """Ask the client's model."""
    return (await ctx.sample("Say something")).text


async def ask_roots(ctx: Context) -> list[str]:
    """Ask for the client's roots."""
    return [root["uri"] for root in await ctx.roots()]


async def ask_to_visit(ctx: Context) -> str:
    """Ask the user to visit a page."""
    return (await ctx.elicit_url("Pay here", "https://pay.example.com")).action


async def ask_to_visit_at(url: Text, ctx: Context) -> str:
    """Ask the user to visit any page."""
    return (await ctx.elicit_url("Pay here", url)).action


async def ask_before_reading(ctx: Context) -> str:
    """A resource, or a prompt, for those who say who they are."""
    answer = await ctx.elicit("Your name?", FORM, key="name")
    return f"For {answer.data}"


def _add_questions(server: Server) -> None:
    for function in (ask_name, ask_twice, ask_model, ask_roots, ask_to_visit, ask_to_visit_at):
        server.add_tool(function)


def _add_tools(server: Server) -> None:
    server.add_tool(add, title="Addition", icons=[ICON], read_only=True, meta={"com.example/kind": "sum"})
    server.add_tool(shape, input_schema=GIVEN_SCHEMA)
    server.add_tool(never, timeout=0.1)
    for function in (echo, count, nothing, whoami, wait, stopped, hold_thread, let_go, climb, race, mutter):
        server.add_tool(function)
    for function in (let_mutter, chatter, fail, crash, lie, show, be_noisy, touch):
        server.add_tool(function)
    server.add_tool(refuse_to_stop)
    server.add_tool(route)
    _add_questions(server)
    _add_changes(server)


def _add_changes(server: Server) -> None:
    """Tools that add to the server while it runs, and take away again."""

    @server.tool
    async def grow(by: Listed, journal: Inject[Journal]) -> None:
        """Offer one thing more."""
        match by:
            case "tool":
                server.add_tool(fail, name="extra")
                journal.extras[by] = lambda: server.remove_tool("extra")
            case "resource":
                server.add_resource("extra", "fixture://extra")
                journal.extras[by] = lambda: server.remove_resource("fixture://extra")
            case "prompt":
                server.add_prompt(_extra, name="extra")
                journal.extras[by] = lambda: server.remove_prompt("extra")

    @server.tool
    async def shrink(by: Listed, journal: Inject[Journal]) -> None:
        """Take that thing back."""
        journal.extras.pop(by)()


def _extra() -> str:
    return "extra"


# -- resources and prompts -------------------------------------------------------------------------------------------


async def note(name: str) -> str:
    """One of many notes."""
    return f"This is {name}."


async def greet(name: str, tone: Literal["warm", "cold"] = "warm") -> list[UserMessage | AssistantMessage]:
    """Ask for a greeting.

    Args:
        name: Whom to greet.
        tone: How to greet.
    """
    return [UserMessage(f"Greet {name}."), AssistantMessage(f"In a {tone} tone?")]


def complete_note(value: str) -> list[str]:
    """The notes whose names begin so."""
    return [each for each in NOTES if each.startswith(value)]


def complete_name(value: str, context: dict[str, str]) -> list[str]:
    """Names that fit the tone."""
    names = ["Dr Ada", "Dr Alan"] if context.get("tone") == "cold" else ["ada", "alan"]
    return [name for name in names if name.startswith(value)]


@cache
def fixture() -> Server:
    """The server that most tests ask."""
    server = Server(
        "fixture",
        version="1.2.3",
        title="Fixture",
        instructions="For tests only.",
        description="What the manifest is proved on",
        website_url="https://example.com",
        icons=[ICON],
        lifespan=open_journal,
        lint="off",
    )
    _add_tools(server)
    server.add_resource("Be kind.", "fixture://motd", title="Message of the day", icons=[ICON], mime_type="text/plain")
    server.add_resource(PIXEL, "fixture://logo", mime_type="image/png", ttl_ms=60_000, cache_scope="public")
    server.add_resource(note, "fixture://notes/{name}", mime_type="text/plain")
    server.add_prompt(greet, title="Greeting")
    server.add_completion("fixture://notes/{name}", "name", complete_note)
    server.add_completion("greet", "name", complete_name)
    return server


@cache
def bare() -> Server:
    """A server with one tool and nothing else."""
    server = Server("bare")
    server.add_tool(echo)
    return server


@cache
def paged() -> Server:
    """A server whose every list has three pages."""
    server = Server("paged", page_size=2, ttl_ms=5000, cache_scope="public")
    for number in range(5):
        server.add_tool(nothing, name=f"tool-{number}")
        server.add_resource("text", f"paged://fixed/{number}")
        server.add_resource(note, f"paged://template-{number}/{{name}}", name=f"template-{number}")
        server.add_prompt(_extra, name=f"prompt-{number}")
    return server


async def job(*, fail: bool = False) -> str:
    """Do a job, or say that it could not be done."""
    if fail:
        raise ToolError("It could not be done.")
    return "done"


async def broken_job() -> str:
    """Break the protocol."""
    raise ProtocolError(-32603, "broken")


async def endless_job() -> str:
    """Work without an end."""
    await asyncio.Event().wait()
    return "never"


async def asking_job(ctx: Context) -> str:
    """Ask two things at once, in the middle."""
    one, two = await asyncio.gather(*[ctx.elicit(f"{key}?", WORD, key=key) for key in ("one", "two")])
    return f"{one.data} {two.data}"


async def careful_job(ctx: Context) -> str:
    """Ask first."""
    word = await ctx.elicit("Which word?", WORD, key="word")
    await ctx.begin_task()
    return str(word.data)


@cache
def tasks() -> Server:
    """A server whose tools are tasks. They end with it: here nobody comes back for one."""
    os.environ["STORE_URL"] = "memory://"
    server = Server("tasks", lint="off")
    server.add_tool(echo)
    server.add_tool(job, task="optional")
    server.add_tool(broken_job, task="required")
    server.add_tool(endless_job, task="optional")
    server.add_tool(asking_job, task="required")
    server.add_tool(careful_job, task="required", task_begins="when_told")
    return server


@cache
def extended() -> Server:
    """A server with an app, with skills, and with a resource and a prompt that ask."""
    server = Server("extended")

    @server.tool(ui="ui://extended/face")
    async def show() -> str:
        """Show the time."""
        return "noon"

    server.add_app("<!doctype html>", "ui://extended/face")
    server.add_resource(ask_before_reading, "fixture://private")
    server.add_prompt(ask_before_reading, name="private")
    server.add_skills(Path(__file__).parents[1] / "conformance" / "skills")
    return server


SERVERS: Final[Mapping[str, Callable[[], Server]]] = {
    "fixture": fixture,
    "bare": bare,
    "paged": paged,
    "extended": extended,
    "tasks": tasks,
}

if __name__ == "__main__":
    SERVERS[sys.argv[1] if len(sys.argv) > 1 else "fixture"]().run()
