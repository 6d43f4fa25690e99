"""Answers that are streams: when one begins, who keeps it alive, what a hang-up does, how it is taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from http_driver import PATIENCE, OldClient, Visit, Web, rpc, serving
from http_shop import Stage, content, shop

from mcp_server import Server
from mcp_server.protocol.versions import (
    LEGACY_VERSIONS,
    V2025_06_18,
    V2025_11_25,
)
from mcp_server.transports import exchange

PROGRESS = {"meta": {"progressToken": "p"}}
OFTEN = {"sse_heartbeat_interval": 1.0}


@asynccontextmanager
async def opened(**settings: Any) -> AsyncGenerator[tuple[Web, Server, Stage]]:
    """A server, a client and what happens on stage; whoever still waits at the end is released."""
    server, stage = shop()
    async with serving(server, **settings) as web:
        try:
            yield web, server, stage
        finally:
            stage.release.set()
            stage.wind_down.set()


# -- when a stream begins --------------------------------------------------------------------------------------------


def test_nothing_is_committed_while_nothing_has_been_said() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            call = web.begin("wait")
            await stage.sees("waits")
            await web.call("add", {"a": 1, "b": 1})
            assert call.status == 0
            stage.release.set()
            assert (await call.done()).json["result"]["content"] == content("released")

    asyncio.run(main())


def test_the_first_progress_begins_the_stream() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            call = web.begin("wait", {"steps": 2}, **PROGRESS)
            told = await call.hears(2)
            assert [each["params"]["progress"] for each in told] == [1, 2]
            assert call.is_stream
            assert not call.complete
            stage.release.set()
            assert (await call.done()).result["content"] == content("released")
            assert len(call.messages) == 3

    asyncio.run(main())


@pytest.mark.parametrize("accept", ["application/json", "*/*", None])
def test_a_client_that_reads_no_events_hears_no_progress(accept: str | None) -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            call = web.begin("wait", {"steps": 2}, headers={"accept": accept}, **PROGRESS)
            await stage.sees("waits")
            stage.release.set()
            assert (await call.done()).json["result"]["content"] == content("released")

    asyncio.run(main())


def test_an_error_after_the_stream_began_is_its_last_event() -> None:
    server = Server("s")

    @server.prompt
    async def broken(ctx: Any = None) -> str:
        raise RuntimeError("no")

    async def main() -> None:
        async with serving(server) as web:
            answer = await web.modern("prompts/get", {"name": "broken"}, path="/mcp/sse")
            assert answer.is_stream
            assert answer.code == -32603

    asyncio.run(main())


def test_events_of_the_newest_version_have_no_ids() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            stage.release.set()
            call = await web.call("wait", {"steps": 1}, **PROGRESS)
            assert [set(each) for each in call.events] == [{"event", "data"}] * 2

    asyncio.run(main())


def test_a_silent_call_is_kept_alive_with_comments() -> None:
    async def main() -> None:
        async with opened(**OFTEN) as (web, _, stage):
            call = web.begin("wait")
            await call.until(lambda: len(call.events) >= 2)
            assert call.events[:2] == [{"": "keep-alive"}] * 2
            stage.release.set()
            assert (await call.done()).result["content"] == content("released")

    asyncio.run(main())


def test_a_silent_call_of_a_client_that_reads_no_events_is_left_alone() -> None:
    async def main() -> None:
        async with opened(**OFTEN) as (web, _, stage):
            plain, other = web.begin("wait", headers={"accept": "application/json"}), web.begin("wait")
            await other.until(lambda: len(other.events) >= 2)
            assert plain.status == 0
            stage.release.set()
            assert (await plain.done()).json["result"]["content"] == content("released")
            await other.done()

    asyncio.run(main())


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_only_the_last_handshake_version_is_told_where_to_come_back_to(version: str) -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            stage.release.set()
            client = await web.session(version)
            events = (await client.call("wait", {"steps": 1}, token="t")).events
            if version == V2025_11_25:
                first = events.pop(0)
                assert first["data"] == ""
                assert first["retry"] == "1000"
                assert first["id"].endswith("-0")
            assert ["id" in each for each in events] == [True, True]
            assert not any("retry" in each for each in events)

    asyncio.run(main())


# -- deadlines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_the_deadline_is_answered_while_the_tool_winds_down(path: str) -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            call = web.begin("dawdle", path=path)
            await call.until(lambda: call.complete)
            assert "wound down" not in stage.happened
            assert call.result["content"] == content("Timed out after 0.05 s")
            assert call.result["isError"]
            stage.wind_down.set()
            await call.done()

    asyncio.run(main())


def test_the_deadline_of_a_blocking_tool_is_answered_on_time() -> None:
    """Peers' failure 6: `timeout=0.2` on a plain function answers when the function returns, after a second."""

    async def main() -> None:
        async with opened() as (web, _, __):
            began = asyncio.get_running_loop().time()
            call = await web.call("block", {"seconds": 20.0})
            assert call.result["content"] == content("Timed out after 0.2 s")
            assert asyncio.get_running_loop().time() - began < 15

    asyncio.run(main())


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_the_deadline_of_an_old_call_ends_its_stream(version: str) -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            stage.wind_down.set()
            client = await web.session(version)
            call = await client.call("dawdle", path="/mcp/sse")
            assert call.result["content"] == content("Timed out after 0.05 s")

    asyncio.run(main())


# -- hanging up ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"headers": {"accept": "application/json"}},
        {"path": "/mcp/sse"},
        PROGRESS,
    ],
)
def test_a_hang_up_cancels_a_modern_call(how: dict[str, Any]) -> None:
    """Peers' failure 4: in JSON mode the client goes away, and the handler runs on."""

    async def main() -> None:
        async with opened() as (web, _, stage):
            call = web.begin("wait", {"steps": 1}, **how)
            await stage.sees("waits")
            call.hang_up()
            await stage.sees("cancelled")
            await call.done()
            assert "ended" not in stage.happened

    asyncio.run(main())


def test_a_hang_up_cancels_no_old_call() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            client = await web.session()
            call = client.begin("wait", path="/mcp/sse")
            await stage.sees("waits")
            call.hang_up()
            other = web.begin("wait")  # by the time that this one is noticed, the one before has been
            await stage.sees("waits", 2)
            other.hang_up()
            await stage.sees("cancelled")
            stage.release.set()
            await stage.sees("ended")
            await call.done()
            assert stage.happened.count("cancelled") == 1

    asyncio.run(main())


def test_a_hang_up_cancels_the_actions_of_curl() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            call = web.open({"action": "call_tool", "name": "wait"})
            await stage.sees("waits")
            call.hang_up()
            await stage.sees("cancelled")
            await call.done()

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
@pytest.mark.parametrize("version", [V2025_06_18, V2025_11_25])
def test_an_old_client_that_lost_its_stream_fetches_the_rest(version: str, path: str) -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            client = await web.session(version)
            call = client.begin("wait", {"steps": 3}, token="t", path=path)
            await call.hears(3)
            ids = [each["id"] for each in call.events if "id" in each]
            call.hang_up()
            again = client.listen(last_event_id=ids[-2], path=path)
            missed = await again.hears(1)
            assert missed[0]["params"]["progress"] == 3
            stage.release.set()
            assert (await again.done()).result["content"] == content("released")
            assert again.complete
            await call.done()

    asyncio.run(main())


def test_the_place_before_the_first_event_is_one_to_come_back_to() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            stage.release.set()
            client = await web.session()
            call = await client.call("wait", {"steps": 1}, token="t")
            again = await client.listen(last_event_id=call.events[0]["id"]).done()
            assert [each["data"] for each in again.events] == [each["data"] for each in call.events[1:]]
            assert [each["id"] for each in again.events] == [each["id"] for each in call.events[1:]]

    asyncio.run(main())


def test_an_event_id_is_worth_nothing_to_another_session() -> None:
    """Peers' failure 3: event ids are not scoped to a session, so that B replays what A was told."""

    async def main() -> None:
        async with opened() as (web, server, stage):
            stage.release.set()
            mine, theirs = await web.session(), await web.session()
            call = await mine.call("wait", {"steps": 1}, token="t")
            spy = theirs.listen(last_event_id=call.events[0]["id"])
            await spy.until(lambda: spy.is_stream)
            server.remove_tool("odd")
            assert [each["method"] for each in await spy.hears(1)] == ["notifications/tools/list_changed"]
            spy.hang_up()
            await spy.done()
            assert b"released" not in spy.body

    asyncio.run(main())


def test_a_cancelled_stream_leaves_nobody_waiting_for_more_of_it() -> None:
    async def main() -> None:
        async with opened() as (web, _, __):
            client = await web.session()
            call = client.begin("wait", {"steps": 1}, token="t", id="c")
            await call.hears(1)
            call.hang_up()
            again = client.listen(last_event_id=call.events[0]["id"])
            await again.hears(1)
            await client.tell("notifications/cancelled", {"requestId": "c"})
            await again.done()
            await call.done()
            assert len(again.messages) == 1

    asyncio.run(main())


def test_a_cancelled_stream_that_its_client_still_reads_is_ended() -> None:
    async def main() -> None:
        async with opened() as (web, _, __):
            client = await web.session()
            call = client.begin("wait", {"steps": 1}, token="t", id="c")
            await call.hears(1)
            await client.tell("notifications/cancelled", {"requestId": "c"})
            assert (await call.done()).complete
            assert len(call.messages) == 1

    asyncio.run(main())


# -- slow readers ----------------------------------------------------------------------------------------------------


def test_a_slow_reader_stalls_nobody_else() -> None:
    """Peers' failure 2: one slow reader with more than 16 queued messages stalls its whole session."""

    async def main() -> None:
        async with opened() as (web, server, stage):
            client = await web.session()
            call = client.begin("wait", {"steps": 100}, token="t", id="slow", reading=False)
            news = client.listen(reading=False)
            await call.until(lambda: call.is_stream)
            for _ in range(100):
                server.resource_updated("shop://shelf")
            for _ in range(50):
                assert (await client.call("add", {"a": 1, "b": 1})).result["structuredContent"] == {"sum": 2}
            assert "waits" not in stage.happened
            call.reading.set()
            news.hang_up()
            await stage.sees("waits")
            stage.release.set()
            await call.done()
            assert len(call.messages) == 101
            await news.done()

    asyncio.run(main())


def test_a_modern_client_that_never_reads_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "READING_TIME", 0.05)

    async def main() -> None:
        async with opened() as (web, _, stage):
            call = web.begin("wait", {"steps": 5}, reading=False, **PROGRESS)
            await stage.sees("cancelled")
            await call.done()
            assert not call.complete

    asyncio.run(main())


def test_a_client_that_never_reads_a_large_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "READING_TIME", 0.05)

    async def main() -> None:
        async with opened() as (web, _, __):
            call = web.begin("say", {"text": "x" * 100_000}, reading=False)
            await call.done()
            assert not call.headers.get("content-type", "").startswith("text/event-stream")

    asyncio.run(main())


# -- seats -----------------------------------------------------------------------------------------------------------


def test_a_call_that_finds_no_seat_is_answered_in_json() -> None:
    async def main() -> None:
        async with opened(sse_max_connections=1) as (web, _, stage):
            first = web.begin("wait", {"steps": 1}, **PROGRESS)
            await first.hears(1)
            second = web.begin("wait", {"steps": 1}, **PROGRESS)
            await stage.sees("waits", 2)
            stage.release.set()
            assert (await second.done()).json["result"]["content"] == content("released")
            assert (await first.done()).is_stream

    asyncio.run(main())


def test_a_stream_of_news_that_finds_no_seat_is_put_off() -> None:
    async def main() -> None:
        async with opened(sse_max_connections=1) as (web, _, __):
            client = await web.session()
            first = client.listen()
            await first.until(lambda: first.is_stream)
            for refused in (
                await client.listen().done(),
                await web.get("/mcp/sse", headers={"accept": "text/event-stream"}),
            ):
                assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            listening = await web.modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
            assert listening.code == -32603
            first.hang_up()
            await first.done()
            second = client.listen()
            await second.until(lambda: second.is_stream)
            second.hang_up()
            await second.done()

    asyncio.run(main())


@pytest.mark.parametrize("count", [3])
def test_every_seat_is_given_back(count: int) -> None:
    async def main() -> None:
        async with opened(sse_max_connections=1, metrics_enabled=True, **OFTEN) as (web, _, stage):
            client = await web.session()
            for _ in range(count):
                stage.release.clear()
                done = web.begin("wait", {"steps": 1}, **PROGRESS)
                await done.hears(1)
                stage.release.set()
                await done.done()
                stage.release.clear()
                gone = web.begin("wait", {"steps": 1}, **PROGRESS)
                await gone.hears(1)
                gone.hang_up()
                await gone.done()
                cancelled = client.begin("wait", {"steps": 1}, token="t", id="x")
                await cancelled.hears(1)
                await client.tell("notifications/cancelled", {"requestId": "x"})
                await cancelled.done()
                torn = web.begin("wait", {"steps": 1}, **PROGRESS)
                await torn.hears(1)
                torn.task.cancel()
                await asyncio.wait({torn.task}, timeout=PATIENCE)
                assert torn.task.cancelled()
            assert b"mcp_open_streams 0.0" in (await web.get("/metrics")).body

    asyncio.run(main())


# -- subscriptions ---------------------------------------------------------------------------------------------------


def listen(web: Web, **how: Any) -> Visit:
    notifications = {"toolsListChanged": True, "promptsListChanged": True, "resourceSubscriptions": ["shop://shelf"]}
    return web.open_modern("subscriptions/listen", {"notifications": notifications}, **how)


@pytest.mark.parametrize("identity", [7, 0, "", "seven"])
@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
def test_a_subscription_is_acknowledged_tagged_and_selective(identity: Any, accept: str) -> None:
    async def main() -> None:
        async with opened() as (web, server, _):
            visit = listen(web, id=identity, headers={"accept": accept})
            (acknowledged,) = await visit.hears(1)
            assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
            server.resource_updated("shop://other")
            server.add_resource("new", "shop://new")
            server.resource_updated("shop://shelf")
            server.remove_tool("odd")
            told = (await visit.hears(3))[1:]
            assert [each["method"] for each in told] == [
                "notifications/resources/updated",
                "notifications/tools/list_changed",
            ]
            for each in visit.messages:
                assert each["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == identity
            visit.hang_up()
            await visit.done()

    asyncio.run(main())


def test_a_subscription_ends_with_a_result_when_its_time_is_over() -> None:
    async def main() -> None:
        async with opened(sse_stream_timeout=1.0) as (web, _, __):
            visit = await listen(web, id=3).done()
            assert visit.result["_meta"]["io.modelcontextprotocol/subscriptionId"] == 3
            assert visit.complete

    asyncio.run(main())


def test_a_stream_of_news_ends_when_its_time_is_over() -> None:
    async def main() -> None:
        async with opened(sse_stream_timeout=1.0) as (web, _, __):
            client = await web.session()
            assert (await client.listen().done()).complete

    asyncio.run(main())


def test_an_old_client_hears_of_what_it_has_subscribed_to() -> None:
    async def main() -> None:
        async with opened() as (web, server, _):
            client = await web.session()
            news = client.listen()
            await news.until(lambda: news.is_stream)
            await client.ask("resources/subscribe", {"uri": "shop://shelf"})
            server.resource_updated("shop://shelf")
            assert [each["method"] for each in await news.hears(1)] == ["notifications/resources/updated"]
            await client.ask("resources/unsubscribe", {"uri": "shop://shelf"})
            server.resource_updated("shop://shelf")
            server.remove_tool("odd")
            assert (await news.hears(2))[1]["method"] == "notifications/tools/list_changed"
            news.hang_up()
            await news.done()

    asyncio.run(main())


def test_draining_ends_what_would_last_and_lets_calls_finish() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            client = await web.session()
            subscription, news = listen(web, id="s"), client.listen()
            old = web.open(method="GET", path="/mcp/sse")
            call = web.begin("wait", {"steps": 1}, **PROGRESS)
            await subscription.hears(1)
            await news.until(lambda: news.is_stream)
            await old.until(lambda: len(old.events) == 1)
            await call.hears(1)
            web.app.state.lifecycle.drain()
            assert (await subscription.done()).result["resultType"] == "complete"
            assert (await news.done()).complete
            assert (await old.done()).complete
            assert not call.complete
            stage.release.set()
            assert (await call.done()).result["content"] == content("released")

    asyncio.run(main())


def test_a_stream_taken_up_again_outlives_draining_until_its_call_has_ended() -> None:
    async def main() -> None:
        async with opened() as (web, _, stage):
            client: OldClient = await web.session()
            call = client.begin("wait", {"steps": 1}, token="t")
            await call.hears(1)
            call.hang_up()
            again = client.listen(last_event_id=call.events[0]["id"])
            await again.hears(1)
            web.app.state.lifecycle.drain()
            stage.release.set()
            assert (await again.done()).result["content"] == content("released")
            await call.done()

    asyncio.run(main())


def test_an_initialize_can_be_answered_by_an_event() -> None:
    async def main() -> None:
        async with opened() as (web, _, __):
            hello = rpc("initialize", {"protocolVersion": V2025_11_25, "capabilities": {}}, 1)
            visit = await web.ask(hello, path="/mcp/sse")
            assert visit.result["protocolVersion"] == V2025_11_25
            assert visit.headers["mcp-session-id"]

    asyncio.run(main())
