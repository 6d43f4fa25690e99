from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mcp_server.observe import traces
from mcp_server.observe.records import CallRecord, Vocabulary
from mcp_server.observe.traces import NoTracer, OpenTelemetryTracer, Tracer, open_tracer

VOCABULARY = Vocabulary({"tools/call", "tools/list", "prompts/get"}, {"search_items", "review"})

TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
OTHER_PARENT = f"00-{OTHER_TRACE}-00f067aa0ba902b8-01"


class Recorder:
    """A tracer over a real SDK, and what it has recorded."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = OpenTelemetryTracer(VOCABULARY, self.provider)

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def only(self) -> ReadableSpan:
        (span,) = self.spans()
        return span


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def parent_of(
    recorder: Recorder, meta: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> str | None:
    """The trace that a call joins, if it joins one."""
    with recorder.tracer.span("tools/list", None, meta, headers):
        pass
    span = recorder.spans()[-1]
    return None if span.parent is None else f"{span.parent.trace_id:032x}"


def test_a_tool_call_is_named_and_described_as_the_conventions_say(recorder: Recorder, record: CallRecord) -> None:
    with recorder.tracer.span("tools/call", "search_items") as span:
        span.ended(record)
    recorded = recorder.only()
    assert recorded.name == "tools/call search_items"
    assert recorded.kind is trace.SpanKind.SERVER
    assert recorded.status.status_code is trace.StatusCode.UNSET
    assert recorded.attributes == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search_items",
        "mcp.protocol.version": "2026-07-28",
        "jsonrpc.request.id": "1",
        "network.transport": "tcp",
        "network.protocol.name": "http",
    }


def test_a_prompt_is_named_as_one(recorder: Recorder) -> None:
    with recorder.tracer.span("prompts/get", "review"):
        pass
    recorded = recorder.only()
    assert recorded.name == "prompts/get review"
    assert recorded.attributes == {"mcp.method.name": "prompts/get", "gen_ai.prompt.name": "review"}


def test_a_call_over_a_pipe_says_so_and_nothing_of_what_it_does_not_have(
    recorder: Recorder, record: CallRecord
) -> None:
    with recorder.tracer.span("tools/list", None) as span:
        span.ended(replace(record, transport="stdio", version=None, request_id=None))
    assert recorder.only().attributes == {"mcp.method.name": "tools/list", "network.transport": "pipe"}


@pytest.mark.parametrize("outcome", ["tool_error", "timeout", "cancelled", "error"])
def test_a_call_that_failed_is_marked_with_its_outcome(recorder: Recorder, record: CallRecord, outcome: Any) -> None:
    with recorder.tracer.span("tools/call", "search_items") as span:
        span.ended(replace(record, outcome=outcome))
    recorded = recorder.only()
    assert recorded.status.status_code is trace.StatusCode.ERROR
    assert (recorded.attributes or {})["error.type"] == outcome


def test_an_error_of_the_protocol_is_marked_with_its_code(recorder: Recorder, record: CallRecord) -> None:
    with recorder.tracer.span("tools/call", "nope") as span:
        span.ended(replace(record, outcome="error"), -32602)
    attributes = recorder.only().attributes or {}
    assert attributes["error.type"] == attributes["rpc.response.status_code"] == "-32602"


def test_an_exception_is_told_by_its_type_alone(recorder: Recorder) -> None:
    with pytest.raises(KeyError), recorder.tracer.span("tools/call", "search_items"):
        raise KeyError("an argument of the caller")
    recorded = recorder.only()
    assert (recorded.attributes or {})["error.type"] == "KeyError"
    assert recorded.status.status_code is trace.StatusCode.ERROR
    assert "an argument" not in recorded.to_json()


def test_a_cancelled_task_ends_its_span(recorder: Recorder) -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def call() -> None:
            with recorder.tracer.span("tools/call", "search_items"):
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(call())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (recorder.only().attributes or {})["error.type"] == "CancelledError"


def test_names_that_a_stranger_invents_are_in_no_span_s_name(recorder: Recorder) -> None:
    with recorder.tracer.span("tools/call", "in\nvented"):
        pass
    with recorder.tracer.span("invented", None):
        pass
    assert [span.name for span in recorder.spans()] == ["tools/call unknown", "unknown"]
    assert (recorder.spans()[0].attributes or {})["gen_ai.tool.name"] == r"in\nvented"


def test_what_a_tool_traces_lies_within_its_call(recorder: Recorder) -> None:
    with recorder.tracer.span("tools/call", "search_items"):
        recorder.provider.get_tracer("a tool's own").start_span("query").end()
    inner, outer = recorder.spans()
    assert inner.parent == outer.context


def test_the_parent_is_the_one_in_the_metadata(recorder: Recorder) -> None:
    assert parent_of(recorder, meta={"traceparent": PARENT, "progressToken": 1}) == TRACE


def test_the_parent_may_be_in_the_headers(recorder: Recorder) -> None:
    assert parent_of(recorder, headers={"traceparent": PARENT}) == TRACE


def test_the_metadata_counts_before_the_headers(recorder: Recorder) -> None:
    assert parent_of(recorder, {"traceparent": PARENT}, {"traceparent": OTHER_PARENT}) == TRACE


def test_a_malformed_parent_in_the_metadata_leaves_the_headers_their_say(recorder: Recorder) -> None:
    assert parent_of(recorder, {"traceparent": "nonsense"}, {"traceparent": OTHER_PARENT}) == OTHER_TRACE


def test_a_span_we_are_in_counts_before_the_headers(recorder: Recorder) -> None:
    with recorder.provider.get_tracer("the web server").start_as_current_span("POST /mcp") as around:
        assert parent_of(recorder, headers={"traceparent": PARENT}) == f"{around.get_span_context().trace_id:032x}"
    assert recorder.spans()[0].links == ()


def test_a_span_we_are_in_is_linked_where_the_metadata_names_the_parent(recorder: Recorder) -> None:
    with recorder.provider.get_tracer("the web server").start_as_current_span("POST /mcp") as around:
        assert parent_of(recorder, {"traceparent": PARENT}) == TRACE
    (link,) = recorder.spans()[0].links
    assert link.context == around.get_span_context()


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        7,
        None,
        ["00"],
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"{PARENT}-more",
        f"{PARENT}\n",
        f" {PARENT}",
        f"01-{TRACE}-00f067aa0ba902b7-01-{'x' * 512}",
        f"é{PARENT}",
    ],
)
def test_a_malformed_parent_is_ignored(recorder: Recorder, traceparent: object) -> None:
    assert parent_of(recorder, {"traceparent": traceparent, "baggage": "a=b"}) is None


def test_a_parent_of_a_later_version_is_understood(recorder: Recorder) -> None:
    assert parent_of(recorder, {"traceparent": f"01-{TRACE}-00f067aa0ba902b7-01-more"}) == TRACE


def test_the_caller_s_state_goes_on_with_the_trace(recorder: Recorder) -> None:
    with recorder.tracer.span("tools/list", None, {"traceparent": PARENT, "tracestate": "rojo=00f067"}):
        assert trace.get_current_span().get_span_context().trace_state.get("rojo") == "00f067"


def test_the_caller_s_baggage_can_be_read_by_the_tool(recorder: Recorder) -> None:
    with recorder.tracer.span("tools/list", None, {"traceparent": PARENT, "baggage": "tenant=acme"}):
        assert baggage.get_all() == {"tenant": "acme"}
    assert baggage.get_all() == {}


@pytest.mark.parametrize("text", ["a=" + "x" * 9000, "a=é", "a=b\nforged"])
def test_baggage_that_is_too_much_or_malformed_is_ignored_without_a_word(
    recorder: Recorder, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    with recorder.tracer.span("tools/list", None, {"traceparent": PARENT, "baggage": text}):
        assert baggage.get_all() == {}
    assert not caplog.records


def test_the_span_is_current_as_long_as_the_call(recorder: Recorder) -> None:
    with recorder.tracer.span("tools/list", None, {"traceparent": PARENT}):
        assert f"{trace.get_current_span().get_span_context().trace_id:032x}" == TRACE
    assert not trace.get_current_span().get_span_context().is_valid


def test_without_a_provider_of_ours_the_process_s_own_is_used(recorder: Recorder, record: CallRecord) -> None:
    with OpenTelemetryTracer(VOCABULARY).span("tools/call", "search_items") as span:
        span.ended(record)
    assert recorder.spans() == []


def test_no_tracer_does_nothing(record: CallRecord) -> None:
    tracer: Tracer = NoTracer()
    with tracer.span("tools/call", "search_items", {"traceparent": PARENT}, {}) as span:
        span.ended(record)
        assert not trace.get_current_span().get_span_context().is_valid


def test_no_tracer_lets_exceptions_through() -> None:
    with pytest.raises(KeyError), NoTracer().span("tools/call", "search_items"):
        raise KeyError


def test_an_sdk_that_was_told_where_to_send_spans_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    assert isinstance(open_tracer(VOCABULARY), OpenTelemetryTracer)


def test_an_sdk_that_was_told_nothing_costs_nothing() -> None:
    assert isinstance(open_tracer(VOCABULARY), NoTracer)


def test_a_provider_that_the_process_has_set_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", TracerProvider)
    assert isinstance(open_tracer(VOCABULARY), OpenTelemetryTracer)


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.sdk"])
def test_without_an_sdk_nothing_is_traced(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> object | None:
        return None if name == missing else object()

    monkeypatch.setattr(traces, "find_spec", find_spec)
    assert isinstance(open_tracer(VOCABULARY), NoTracer)
