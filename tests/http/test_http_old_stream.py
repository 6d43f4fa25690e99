"""The transport of 2024-11-05: a stream that stays open, and messages that are posted beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from http_driver import Visit, Web, rpc, serving
from http_shop import Stage, content, shop

from mcp_server import Server
from mcp_server.transports import http_sse

KEY, OTHER_KEY = "k1-" + "a1b2c3d4" * 4, "k2-" + "e5f6a7b8" * 4


class OldStream:
    """A client of this transport."""

    def __init__(self, web: Web, stream: Visit, headers: dict[str, str | None]) -> None:
        self.web = web
        self.stream = stream
        self.headers = headers

    @property
    def address(self) -> str:
        """Where it was told to post."""
        return self.stream.events[0]["data"]

    async def post(self, body: object, **how: Any) -> Visit:
        """Post a message."""
        return await self.web.ask(body, path=self.address, headers=how.pop("headers", self.headers), **how)

    async def ask(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        id: int | str = 1,  # noqa: A002 - as on the wire
    ) -> Any:
        """Post a request and wait for its answer on the stream."""
        assert (await self.post(rpc(method, params or {}, id))).status == 202
        await self.stream.until(lambda: any(each.get("id") == id for each in self.stream.messages))
        return next(each for each in self.stream.messages if each.get("id") == id)

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any] | None = None,
        *,
        id: int | str = 1,  # noqa: A002 - as on the wire
    ) -> Any:
        """The result of a tool call."""
        return (await self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, id=id))["result"]


async def connect(web: Web, **how: Any) -> OldStream:
    """A client that has shaken hands."""
    headers = {"accept": "text/event-stream", **how.pop("headers", {})}
    stream = web.open(method="GET", path="/mcp/sse", headers=headers, **how)
    await stream.until(lambda: len(stream.events) == 1)
    client = OldStream(web, stream, headers)
    hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "o", "version": "1"}}
    assert (await client.ask("initialize", hello, id="hello"))["result"]["protocolVersion"] == "2024-11-05"
    await client.post(rpc("notifications/initialized"))
    return client


@asynccontextmanager
async def opened(**settings: Any) -> AsyncGenerator[tuple[OldStream, Server, Stage]]:
    """A client of a server of its own."""
    server, stage = shop()
    async with serving(server, **settings) as web:
        client = await connect(web)
        yield client, server, stage
        stage.release.set()
        client.stream.hang_up()
        await client.stream.done()


def test_the_stream_says_where_to_post() -> None:
    async def main() -> None:
        async with opened() as (client, _, __):
            assert client.stream.events[0]["event"] == "endpoint"
            assert client.address.startswith("/mcp/messages?session_id=")
            assert client.stream.headers["content-type"].startswith("text/event-stream")
            assert client.stream.headers["x-accel-buffering"] == "no"

    asyncio.run(main())


def test_below_a_prefix_the_address_has_it_too() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            stream = web.open(method="GET", path="/mcp/sse", root_path="/api", headers={"accept": "text/event-stream"})
            await stream.until(lambda: len(stream.events) == 1)
            assert stream.events[0]["data"].startswith("/api/mcp/messages?session_id=")
            stream.hang_up()
            await stream.done()

    asyncio.run(main())


def test_answers_come_on_the_stream() -> None:
    async def main() -> None:
        async with opened() as (client, _, __):
            assert (await client.call("add", {"a": 1, "b": 2}))["content"] == content('{"sum":3}')
            assert client.stream.events[-1]["event"] == "message"

    asyncio.run(main())


def test_progress_comes_before_its_answer_and_calls_overtake_each_other() -> None:
    async def main() -> None:
        async with opened() as (client, _, stage):
            params = {"name": "wait", "arguments": {"steps": 2}, "_meta": {"progressToken": 9}}
            await client.post(rpc("tools/call", params, "slow"))
            await stage.sees("waits")
            await client.call("add", {"a": 1, "b": 2}, id="fast")
            stage.release.set()
            await client.stream.until(lambda: client.stream.messages[-1].get("id") == "slow")
            heard = [each.get("id", each.get("method")) for each in client.stream.messages]
            assert heard == ["hello", "notifications/progress", "notifications/progress", "fast", "slow"]

    asyncio.run(main())


def test_a_cancellation_stops_the_call() -> None:
    async def main() -> None:
        async with opened() as (client, _, stage):
            await client.post(rpc("tools/call", {"name": "wait"}, "w"))
            await stage.sees("waits")
            await client.post(rpc("notifications/cancelled", {"requestId": "w"}))
            await stage.sees("cancelled")
            await client.ask("ping", id="after")
            assert not any(each.get("id") == "w" for each in client.stream.messages)

    asyncio.run(main())


def test_a_deadline_is_told_on_the_stream() -> None:
    async def main() -> None:
        async with opened() as (client, _, stage):
            result = await client.call("dawdle")
            assert result["content"] == content("Timed out after 0.05 s")
            assert "wound down" not in stage.happened
            stage.wind_down.set()

    asyncio.run(main())


def test_the_end_of_the_stream_ends_its_calls() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await connect(web)
            await client.post(rpc("tools/call", {"name": "wait"}, "w"))
            await stage.sees("waits")
            client.stream.hang_up()
            await stage.sees("cancelled")
            await client.stream.done()
            assert (await client.post(rpc("ping", {}, 1))).status == 404

    asyncio.run(main())


def test_what_is_no_message_is_told_on_the_stream() -> None:
    async def main() -> None:
        async with opened() as (client, _, __):
            assert (await client.post(b"{")).status == 202
            await client.stream.until(lambda: client.stream.messages[-1].get("error") is not None)
            assert client.stream.messages[-1]["error"]["code"] == -32700

    asyncio.run(main())


def test_lists_that_change_are_told() -> None:
    async def main() -> None:
        async with opened() as (client, server, _):
            await client.ask("ping")
            server.remove_tool("odd")
            await client.stream.until(lambda: "method" in client.stream.messages[-1])
            assert client.stream.messages[-1]["method"] == "notifications/tools/list_changed"

    asyncio.run(main())


@pytest.mark.parametrize("query", ["", "?session_id=", "?session_id=guess", "?other=1"])
def test_a_message_to_no_stream_is_a_404(query: str) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.ask(rpc("ping", {}, 1), path="/mcp/messages" + query)
            assert (answer.status, answer.code) == (404, -32600)

    asyncio.run(main())


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_messages_are_posted(method: str) -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            answer = await web.ask(method=method, path="/mcp/messages?session_id=x")
            assert (answer.status, answer.headers["allow"]) == (405, "POST")

    asyncio.run(main())


def test_a_stream_takes_messages_of_its_owner_only() -> None:
    async def main() -> None:
        async with serving(shop()[0], mcp_api_key=[KEY, OTHER_KEY]) as web:
            client = await connect(web, headers={"authorization": f"Bearer {KEY}"})
            stranger = {"authorization": f"Bearer {OTHER_KEY}"}
            assert (await client.post(rpc("ping", {}, 1), headers=stranger)).status == 404
            assert (await client.post(rpc("ping", {}, 1), headers={})).status == 401
            client.stream.hang_up()
            await client.stream.done()

    asyncio.run(main())


def test_a_client_that_leaves_everything_unread_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_sse, "_MAX_UNREAD", 10)

    async def main() -> None:
        async with serving(shop()[0]) as web:
            client = await connect(web)
            client.stream.reading.clear()
            for number in range(30):
                await client.post(rpc("ping", {}, number))
            client.stream.reading.set()
            await client.stream.done()
            assert client.stream.complete
            assert len(client.stream.messages) < 30

    asyncio.run(main())


def test_a_stream_whose_call_goes_on_is_drained_when_it_has_ended() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            client = await connect(web)
            await client.post(rpc("tools/call", {"name": "wait"}, "w"))
            await stage.sees("waits")
            web.app.state.lifecycle.drain()
            stage.release.set()
            await client.stream.done()
            assert client.stream.complete
            assert client.stream.messages[-1]["result"]["content"] == content("released")

    asyncio.run(main())


def test_silence_is_filled_with_comments() -> None:
    async def main() -> None:
        async with opened(sse_heartbeat_interval=1.0) as (client, _, __):
            await client.stream.until(lambda: any("" in event for event in client.stream.events))

    asyncio.run(main())


def test_a_newer_client_is_not_taken_for_an_old_one() -> None:
    async def main() -> None:
        async with serving(shop()[0]) as web:
            for header in ("mcp-protocol-version", "mcp-session-id"):
                answer = await web.get("/mcp/sse", headers={header: "2025-06-18"})
                assert answer.status in (404, 405)

    asyncio.run(main())


def test_a_message_that_its_client_does_not_finish_is_dropped() -> None:
    async def main() -> None:
        async with opened() as (client, _, __):

            async def receive() -> dict[str, Any]:
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                raise AssertionError(message)

            scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/mcp/messages", "scheme": "http"}
            scope |= {"query_string": client.address.encode()[14:], "headers": [(b"host", b"localhost")]}
            before = len(client.stream.messages)
            await client.web.app({**scope, "client": ("127.0.0.1", 1), "state": {}}, receive, send)
            await client.ask("ping", id="after")
            assert len(client.stream.messages) == before + 1
            assert json.loads(client.stream.events[-1]["data"])["id"] == "after"

    asyncio.run(main())
