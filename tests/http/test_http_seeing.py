"""What is known of calls afterwards: a line, a number, a step; and that nothing of what was said is in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Generator, Mapping
from typing import Any

import pytest
from fakes import message, meta
from http_driver import Visit, Web, rpc, serving
from http_shop import SECRET, shop

from mcp_server.engine.calls import Call
from mcp_server.engine.connection import Connection
from mcp_server.observe.logs import NoCallLog
from mcp_server.observe.metrics import NoMetrics
from mcp_server.observe.records import CallRecord
from mcp_server.observe.traces import Span
from mcp_server.watching import Watcher

KEY = "k1-" + "a1b2c3d4" * 4


class Kept(NoCallLog):
    """A log that keeps the records."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def record(self, record: CallRecord) -> None:
        self.records.append(record)


def test_a_call_leaves_one_record_with_sizes_times_and_names() -> None:
    async def main() -> None:
        calls = Kept()
        async with serving(shop()[0], calls=calls, mcp_api_key=KEY) as web:
            said = {"clientInfo": {"name": "tester", "version": "1"}}
            headers = {"authorization": f"Bearer {KEY}"}
            await web.call("say", {"text": "sk-secret"}, meta=said, headers=headers, id="x7")
        (record,) = calls.records
        assert (record.method, record.target, record.outcome, record.transport) == ("tools/call", "say", "ok", "http")
        assert (record.version, record.client, record.request_id) == ("2026-07-28", "tester", "x7")
        assert record.argument_bytes == len('{"text":"sk-secret"}')
        assert record.result_bytes > 0
        assert record.milliseconds > 0
        assert record.key is not None
        assert len(record.key) == 8
        assert "sk-secret" not in repr(record)
        assert KEY not in repr(record)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("tool", "outcome"), [("add", "tool_error"), ("fail", "tool_error"), ("nope", "error"), ("dawdle", "timeout")]
)
def test_every_end_has_its_name(tool: str, outcome: str) -> None:
    async def main() -> None:
        calls = Kept()
        server, stage = shop()
        stage.wind_down.set()
        async with serving(server, calls=calls) as web:
            await web.call(tool)
        (record,) = calls.records
        assert (record.target, record.outcome) == (tool, outcome)
        if tool == "fail":
            assert record.reference is not None

    asyncio.run(main())


def test_a_cancelled_call_is_recorded_as_such() -> None:
    async def main() -> None:
        calls = Kept()
        server, stage = shop()
        async with serving(server, calls=calls) as web:
            call = web.begin("wait")
            await stage.sees("waits")
            call.hang_up()
            await call.done()
        assert [record.outcome for record in calls.records] == ["cancelled"]

    asyncio.run(main())


def test_the_ways_in_have_names() -> None:
    async def main() -> None:
        calls = Kept()
        async with serving(shop()[0], calls=calls) as web:
            await web.modern("tools/list")
            await web.modern("tools/list", path="/mcp/sse")
            await web.modern("prompts/get", {"name": "greet", "arguments": {"name": "A"}})
            await web.modern("resources/read", {"uri": "shop://shelf"})
        seen = [(record.method, record.target, record.transport) for record in calls.records]
        assert seen == [
            ("tools/list", None, "http"),
            ("tools/list", None, "http-events"),
            ("prompts/get", "greet", "http"),
            ("resources/read", None, "http"),
        ]

    asyncio.run(main())


def test_what_cannot_be_told_is_recorded_all_the_same() -> None:
    async def main() -> None:
        calls = Kept()
        async with serving(shop()[0], calls=calls) as web:
            assert (await web.call("odd")).status == 200
        assert [record.result_bytes for record in calls.records] == [0]

    asyncio.run(main())


def test_a_large_result_is_named_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(shop()[0], max_output_bytes=1024) as web:
            for size in (500, 2000, 3000):
                await web.call("say", {"text": "x" * size})

    asyncio.run(main())
    said = [record.getMessage() for record in caplog.records if "MAX_OUTPUT_BYTES" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("Tool say answered with 20")
    assert "xxx" not in said[0]


def test_a_failure_is_in_the_log_under_the_reference_that_the_caller_got(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> Visit:
        async with serving(shop()[0]) as web:
            return await web.call("fail")

    reference = asyncio.run(main()).result["content"][0]["text"].partition("[")[2].rstrip("]")
    assert f"Tool fail failed [{reference}]" in caplog.text


class Spans:
    """A tracer that notes what it was told."""

    def __init__(self) -> None:
        self.noted: list[Any] = []

    @contextlib.contextmanager
    def span(
        self,
        method: str,
        target: str | None,
        meta: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Span]:
        self.noted.append((method, target, dict(meta or {}).get("traceparent")))
        try:
            yield self
        finally:
            self.noted.append("closed")

    def ended(self, record: CallRecord, code: int | None = None) -> None:
        self.noted.append((record.outcome, code))


class Nowhere:
    """A pipe whose messages nobody reads."""

    async def send(self, message: bytes) -> None: ...
    def deliver(self, message: bytes) -> None: ...
    def outlasts(self, call: Call) -> None: ...


def test_a_span_is_open_as_long_as_its_call() -> None:
    async def main() -> None:
        spans = Spans()
        engine = shop()[0].engine(observer=Watcher(NoCallLog(), NoMetrics(), spans))
        async with engine.lifespan():
            trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
            params = {"name": "nope", "arguments": {}, "_meta": meta(traceparent=trace)}
            await Connection(engine, Nowhere()).receive(message("tools/call", params, 1))
        assert spans.noted == [("tools/call", "nope", trace), ("error", -32602), "closed"]

    asyncio.run(main())


# -- steps -----------------------------------------------------------------------------------------------------------


def steps_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "mcp_server.steps"]


async def _traced(web: Web) -> None:
    await web.ask(rpc("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, 7), path="/mcp/sse?key=secret")


def test_the_steps_of_a_stream_are_in_the_log_in_the_usual_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        async with serving(shop()[0], trace_requests=True) as web:
            await _traced(web)

    asyncio.run(main())
    assert steps_of(caplog) == [
        "POST /mcp/sse",
        "=== ACCEPT HEADER === application/json, text/event-stream",
        "=== MCP SSE CONNECTION START === Method: POST, Path: /mcp/sse",
        "=== SSE EVENT 1 === Sending response for request_id=7",
        "=== SSE STREAM END === Stream closed after sending 1 event",
    ]


def test_an_answer_that_is_nested_deeper_than_we_read_passes_unread(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    server = shop()[0]

    @server.tool
    async def dig() -> object:
        value: object = "the ground"
        for _ in range(230):
            value = [value]
        return value

    async def main() -> bytes:
        async with serving(server, trace_requests=True) as web:
            body = rpc("tools/call", {"name": "dig", "arguments": {}}, 7)
            return (await web.ask(body, path="/mcp/sse")).body

    assert b"the ground" in asyncio.run(main())
    assert "=== SSE STREAM END === Stream closed after sending 1 event" in steps_of(caplog)


def test_progress_and_addresses_are_counted_but_answer_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        server, stage = shop()
        stage.release.set()
        async with serving(server, trace_requests=True) as web:
            await web.call("wait", {"steps": 2}, meta={"progressToken": 1}, id="last")
            stream = web.open(method="GET", path="/mcp/sse")
            await stream.until(lambda: len(stream.events) == 1)
            stream.hang_up()
            await stream.done()

    asyncio.run(main())
    steps = steps_of(caplog)
    assert "=== SSE EVENT 3 === Sending response for request_id=last" in steps
    assert "=== SSE STREAM END === Stream closed after sending 3 events" in steps
    assert steps[-1] == "=== SSE STREAM END === Stream closed after sending 1 event"


def test_an_answer_in_json_has_no_more_steps_than_its_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        async with serving(shop()[0], trace_requests=True) as web:
            await web.get("/health", headers={"accept": f"text/html, {SECRET}"})

    asyncio.run(main())
    assert steps_of(caplog) == ["GET /health", "=== ACCEPT HEADER === text/html"]


def test_without_being_wanted_no_steps_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def main() -> None:
        async with serving(shop()[0]) as web:
            await _traced(web)

    asyncio.run(main())
    assert steps_of(caplog) == []
    assert "secret" not in caplog.text


def test_nothing_of_a_call_is_in_the_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def main() -> None:
        async with serving(shop()[0], trace_requests=True, mcp_api_key=KEY) as web:
            headers = {"authorization": f"Bearer {KEY}"}
            await web.call("say", {"text": "my-credit-card"}, headers=headers)
            await web.call("say", {"text": 7, "other": "my-credit-card"}, headers=headers)
            await web.ask(json.dumps({"x": "my-credit-card"}).encode()[:-1], headers=headers)

    asyncio.run(main())
    assert "my-credit-card" not in caplog.text
    assert KEY not in caplog.text
