"""Two processes of one server, side by side in memory: what a client tells one of them, the other knows."""

# pyright: reportDeprecated=false

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from http_driver import PATIENCE, OldClient, Visit, Web, rpc, serving
from pydantic import ValidationError

from mcp_server import Context, Server
from mcp_server.bus.memory import MemoryBus, Wire
from mcp_server.engine.neighbours import Neighbours
from mcp_server.protocol.versions import V2025_03_26, V2025_11_25
from mcp_server.transports import elsewhere
from mcp_server.transports.elsewhere import SessionNews
from mcp_server.transports.session_ids import digest_of

FORM = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
SECRET = "a secret that both processes have"
URI = "shop://shelf"


def shop() -> Server:
    """A server whose calls wait, ask and log."""
    server = Server("shop", lint="off")

    @server.tool
    async def ask(ctx: Context) -> str:
        """Ask for a size."""
        return str(await ctx.elicit("Which size?", FORM))

    @server.tool
    async def wait() -> str:
        """Never end."""
        await asyncio.Event().wait()
        return "never"

    @server.tool
    async def grumble(ctx: Context) -> str:
        """Log in two levels."""
        await ctx.debug("quietly")
        await ctx.error("loudly")
        return "done"

    @server.resource(URI)
    async def shelf() -> str:
        """What is on the shelf."""
        return "tea"

    return server


@dataclass
class Process:
    """One of the processes."""

    web: Web
    server: Server
    bus: MemoryBus

    def seen_by(self, client: OldClient) -> OldClient:
        """The same client, whose requests are taken here."""
        return OldClient(self.web, client.version, client.session)


class Town:
    """Processes that share a wire; a test can let another one begin."""

    def __init__(self, stack: AsyncExitStack, buses: list[MemoryBus], wire: Wire) -> None:
        self.wire = wire
        self._stack = stack
        self._buses = buses

    async def begin(self) -> Process:
        """A process that begins now."""
        server = shop()
        settings: dict[str, Any] = {"session_secret": SECRET, "event_bus_url": "redis://somewhere"}
        web = await self._stack.enter_async_context(serving(server, **settings))
        await web.app.state.lifecycle.start()
        return Process(web, server, self._buses[-1])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Town], Any]], None]:
    """Runs a test with a town."""
    wire = Wire()
    buses: list[MemoryBus] = []

    def in_memory(url: str, name: str) -> MemoryBus:
        assert (url, name) == ("redis://somewhere", "shop")
        buses.append(MemoryBus(wire))
        return buses[-1]

    monkeypatch.setattr("mcp_server.bus.open_bus", in_memory)

    def runs(test: Callable[[Town], Any]) -> None:
        async def main() -> None:
            async with AsyncExitStack() as stack:
                await test(Town(stack, buses, wire))

        asyncio.run(main())

    return runs


Run = Callable[[Callable[[Town], Any]], None]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for news that nobody is told of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)


async def settled() -> None:
    """Let everything that is on the wire arrive."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def heard(stream: Visit) -> AsyncGenerator[Visit]:
    """A stream that has begun, hung up at the end."""
    await stream.until(lambda: stream.status != 0)
    try:
        yield stream
    finally:
        stream.hang_up()
        await stream.done()


def methods(visit: Visit) -> list[str]:
    return [message["method"] for message in visit.messages if "method" in message]


def updates(visit: Visit) -> int:
    return methods(visit).count("notifications/resources/updated")


# -- changes ---------------------------------------------------------------------------------------------------------


def test_a_change_in_one_process_reaches_the_streams_of_the_other(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        old = await b.web.session(V2025_11_25)
        wanted = {"toolsListChanged": True, "resourceSubscriptions": [URI]}
        modern = b.web.open_modern("subscriptions/listen", {"notifications": wanted})
        async with heard(old.listen()) as news, heard(modern):
            await modern.hears(1)
            a.server.add_tool(_more)
            await news.until(lambda: "notifications/tools/list_changed" in methods(news))
            await modern.until(lambda: "notifications/tools/list_changed" in methods(modern))
            a.server.resource_updated(URI)
            await modern.until(lambda: updates(modern) == 1)
            a.server.resource_updated("shop://" + "x" * 10_000)
            a.server.resource_updated(URI)
            await modern.until(lambda: updates(modern) == 2)

    run(test)


def _more() -> str:
    """One more tool."""
    return "more"


def test_a_change_in_a_thread_reaches_the_other_process(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        old = await b.web.session(V2025_11_25)
        await old.ask("resources/subscribe", {"uri": URI})
        async with heard(old.listen()) as news:
            await asyncio.to_thread(a.server.resource_updated, URI)
            await news.until(lambda: updates(news) == 1)

    run(test)


def test_after_a_gap_everything_that_was_asked_for_counts_as_changed(run: Run) -> None:
    async def test(town: Town) -> None:
        b = await town.begin()
        old = await b.web.session(V2025_11_25)
        await old.ask("resources/subscribe", {"uri": URI})
        wanted = {"toolsListChanged": True}
        modern = b.web.open_modern("subscriptions/listen", {"notifications": wanted})
        idle = b.web.open_modern("subscriptions/listen", {"notifications": {}})
        async with heard(old.listen()) as news, heard(modern), heard(idle):
            await modern.hears(1)
            await idle.hears(1)
            b.bus._listeners.tell_of_gap()  # pyright: ignore[reportPrivateUsage]
            await news.until(lambda: updates(news) == 1)
            await modern.hears(2)
            assert methods(modern)[1:] == ["notifications/tools/list_changed"]
            assert set(methods(news)) == {
                "notifications/tools/list_changed",
                "notifications/resources/list_changed",
                "notifications/resources/updated",
            }
            assert len(idle.messages) == 1

    run(test)


# -- sessions --------------------------------------------------------------------------------------------------------


def test_a_subscription_holds_wherever_the_stream_is(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        at_a = await a.web.session(V2025_11_25)
        at_b = b.seen_by(at_a)
        async with heard(at_b.listen()) as news:
            await at_a.ask("resources/subscribe", {"uri": URI})
            await settled()
            b.server.resource_updated(URI)
            await news.until(lambda: updates(news) == 1)
            a.server.resource_updated(URI)
            await news.until(lambda: updates(news) == 2)
            await at_a.ask("resources/unsubscribe", {"uri": URI})
            await settled()
            b.server.resource_updated(URI)
            b.server.add_tool(_more)
            await news.until(lambda: methods(news)[-1] == "notifications/tools/list_changed")
            assert updates(news) == 2

    run(test)


def test_a_log_level_holds_everywhere(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        at_a = await a.web.session(V2025_11_25)
        at_b = b.seen_by(at_a)
        assert [m["params"]["data"] for m in (await at_b.call("grumble")).messages[:-1]] == ["loudly"]
        await at_a.ask("logging/setLevel", {"level": "debug"})
        await settled()
        assert [m["params"]["data"] for m in (await at_b.call("grumble")).messages[:-1]] == ["quietly", "loudly"]

    run(test)


def test_a_process_that_begins_later_asks_what_the_others_know(run: Run) -> None:
    async def test(town: Town) -> None:
        a = await town.begin()
        at_a = await a.web.session(V2025_11_25)
        await at_a.ask("logging/setLevel", {"level": "debug"})
        await at_a.ask("resources/subscribe", {"uri": URI})
        gone = await a.web.session(V2025_11_25)
        await gone.leave()
        b = await town.begin()
        at_b = b.seen_by(at_a)
        async with heard(at_b.listen()) as news:
            await settled()
            b.server.resource_updated(URI)
            await news.until(lambda: updates(news) == 1)
        assert len((await at_b.call("grumble")).messages) == 3
        await b.seen_by(gone).ask("ping")
        await settled()
        assert (await b.seen_by(gone).ask("ping")).status == 404

    run(test)


def test_a_process_that_has_missed_something_asks_when_a_session_is_used_again(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        at_a = await a.web.session(V2025_11_25)
        at_b = b.seen_by(at_a)
        await at_b.ask("ping")
        await b.bus.close()
        await at_a.ask("logging/setLevel", {"level": "debug"})
        await settled()
        await b.bus.open()
        assert len((await at_b.call("grumble")).messages) == 2
        b.bus._listeners.tell_of_gap()  # pyright: ignore[reportPrivateUsage]
        await at_b.ask("ping")
        await settled()
        assert len((await at_b.call("grumble")).messages) == 3

    run(test)


def test_a_session_that_has_ended_has_ended_everywhere(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        at_a = await a.web.session(V2025_11_25)
        at_b = b.seen_by(at_a)
        news = at_b.listen()
        await news.until(lambda: news.status != 0)
        call = at_b.begin("wait")
        await settled()
        assert (await at_a.leave()).status == 200
        await news.done()
        await call.done()
        assert (await at_b.ask("ping")).status == 404
        assert (await at_a.ask("ping")).status == 404

    run(test)


def test_the_end_of_a_session_is_answered_when_all_other_processes_know(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "_PATIENCE", PATIENCE)

    async def test(town: Town) -> None:
        spy, buses = Spy(), [MemoryBus(town.wire) for _ in range(2)]
        buses[0].listen("sessions", spy)
        for bus in buses:
            await bus.open()
        old = await (await town.begin()).web.session(V2025_11_25)
        leaving = asyncio.create_task(old.leave())
        await until(lambda: any(b'"ended"' in message for message in spy.messages))
        for bus in buses:
            await settled()
            assert not leaving.done()
            bus.publish("sessions", SessionNews(session=digest_of(old.session), what="gone").model_dump_json().encode())
        assert (await leaving).status == 200

    run(test)


def test_a_process_without_others_ends_its_sessions_and_waits_for_nobody(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "_PATIENCE", 10 * PATIENCE)

    async def test(town: Town) -> None:
        old = await (await town.begin()).web.session(V2025_11_25)
        async with asyncio.timeout(PATIENCE):
            assert (await old.leave()).status == 200
        assert (await old.ask("ping")).status == 404

    run(test)


def test_a_call_can_be_cancelled_through_the_other_process(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        at_a = await a.web.session(V2025_11_25)
        at_b = b.seen_by(at_a)
        call = at_b.begin("wait", id="one")
        other = at_b.begin("wait", id=1)
        await settled()
        assert (await at_a.tell("notifications/cancelled", {"requestId": "one"})).status == 202
        assert (await at_a.tell("notifications/cancelled", {"requestId": {}})).status == 202
        await call.done()
        assert not other.task.done()
        await at_a.leave()
        await other.done()

    run(test)


@pytest.mark.parametrize("batched", [False, True])
def test_an_answer_reaches_the_process_that_has_asked(run: Run, *, batched: bool) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        version = V2025_03_26 if batched else V2025_11_25
        at_a = await a.web.session(version, capabilities={"elicitation": {}})
        at_b = b.seen_by(at_a)
        call = at_b.begin("ask")
        (question,) = await call.hears(1)
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"size": 7}}}
        told = await a.web.ask([answer] if batched else answer, headers=at_a.headers())
        assert told.status == 202
        assert "7" in str((await call.done()).result)
        nameless = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "what?"}}
        assert (await a.web.ask(nameless, headers=at_a.headers())).status == 202

    run(test)


def test_a_refusal_reaches_the_process_that_has_asked(run: Run) -> None:
    async def test(town: Town) -> None:
        a, b = await town.begin(), await town.begin()
        at_a = await a.web.session(V2025_11_25, capabilities={"elicitation": {}})
        call = b.seen_by(at_a).begin("ask")
        (question,) = await call.hears(1)
        answer = {"jsonrpc": "2.0", "id": question["id"], "error": {"code": -1, "message": "not now"}}
        assert (await a.web.ask(answer, headers=at_a.headers())).status == 202
        assert "not now" in str((await call.done()).result)

    run(test)


# -- what is on the bus ----------------------------------------------------------------------------------------------


class Spy:
    """Hears everything about a topic."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def heard(self, message: bytes) -> None:
        self.messages.append(message)

    def missed(self) -> None:
        raise AssertionError


def test_no_session_id_is_on_the_bus(run: Run) -> None:
    async def test(town: Town) -> None:
        spy, bus = Spy(), MemoryBus(town.wire)
        bus.listen("sessions", spy)
        await bus.open()
        a = await town.begin()
        old = await a.web.session(V2025_11_25)
        await old.ask("resources/subscribe", {"uri": URI})
        await old.leave()
        await until(lambda: len(spy.messages) == 2)
        for message in spy.messages:
            assert old.session.partition(".")[2].encode() not in message
            assert digest_of(old.session).encode() in message

    run(test)


DIGEST = "0" * 64
GARBAGE: dict[str, list[bytes]] = {
    "changes": [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"v":2,"kind":"tools/list"}',
        b'{"v":1,"kind":"tools/eat"}',
        b'{"v":1,"uri":7}',
        b'{"v":1,"kind":"tools/list","more":1}',
        b'{"v":1,"uri":"' + b"x" * 10_000 + b'"}',
    ],
    "sessions": [
        b'{"v":1,"session":"' + DIGEST.encode() + b'","what":"eaten"}',
        b'{"v":1,"session":"' + DIGEST.encode() + b'","what":"level","value":"loud"}',
        b'{"v":1,"session":"' + DIGEST.encode() + b'\\n","what":"ended"}',
        b'{"v":1,"session":"short","what":"ended"}',
    ],
    "answers": [b'{"v":1,"id":null}', b'{"v":1,"id":"a","result":[]}'],
}


@pytest.mark.parametrize("topic", list(GARBAGE))
def test_garbage_is_ignored_and_the_log_says_so_once(run: Run, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(town: Town) -> None:
        a, bus = await town.begin(), MemoryBus(town.wire)
        await bus.open()
        old = await a.web.session(V2025_11_25)
        async with heard(old.listen()) as news:
            for garbage in GARBAGE[topic]:
                bus.publish(topic, garbage)
            bus.publish("changes", b'{"v":1,"kind":"prompts/list"}')
            await news.until(lambda: methods(news) == ["notifications/prompts/list_changed"])
        assert (await old.ask("ping")).status == 200

    with caplog.at_level(logging.WARNING):
        run(test)
    assert [record.message for record in caplog.records if record.name == "mcp_server.neighbours"] == [
        f"A message about {topic} from the event bus cannot be read, and is ignored."
    ]


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("level", None),
        ("level", "loud"),
        ("subscribed", None),
        ("unsubscribed", 7),
        ("subscribed", "x" * 10_000),
        ("cancelled", None),
        ("ended", "a"),
        ("wanted", 1),
    ],
)
def test_news_of_a_session_must_fit(what: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        SessionNews(session=DIGEST, what=what, value=value)


def test_news_of_sessions_that_nobody_knows_harm_nobody(run: Run) -> None:
    async def test(town: Town) -> None:
        a, bus, spy = await town.begin(), MemoryBus(town.wire), Spy()
        bus.listen("sessions", spy)
        await bus.open()
        for what in ('"wanted"', '"level","value":"debug"', '"cancelled","value":1', '"ended"', '"wanted"'):
            bus.publish("sessions", f'{{"v":1,"session":"{DIGEST}","what":{what}}}'.encode())
        await until(lambda: len(spy.messages) == 2)
        told = [f'{{"v":1,"session":"{DIGEST}","what":"{what}"}}'.encode() for what in ("gone", "ended")]
        assert spy.messages == told
        assert (await a.web.ask(rpc("ping", {}, 1))).status == 200

    run(test)


def test_a_server_that_does_not_run_tells_nobody() -> None:
    async def main() -> None:
        wire, spy = Wire(), Spy()
        bus, other = MemoryBus(wire), MemoryBus(wire)
        other.listen("sessions", spy)
        neighbours = Neighbours(bus)
        await other.open()
        await bus.open()
        neighbours.tell("sessions", SessionNews(session=DIGEST, what="ended"))
        await settled()
        assert spy.messages == []
        async with neighbours.lifespan():
            neighbours.tell("sessions", SessionNews(session=DIGEST, what="ended"))
            await until(lambda: len(spy.messages) == 1)

    asyncio.run(main())


def test_one_process_has_no_neighbours() -> None:
    async def main() -> None:
        server = shop()
        async with serving(server, event_bus_url="memory://") as web:
            old = await web.session(V2025_11_25)
            assert (await old.ask("resources/subscribe", {"uri": URI})).status == 200
            assert (await old.leave()).status == 200

    asyncio.run(main())
