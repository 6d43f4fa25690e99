"""From calls to what is known of them afterwards: a log line, two metrics, a span.

The engine tells us of every call, whatever the transport. We turn it into a `CallRecord`, which has sizes, times and
names and nothing that a caller has sent or received.
"""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from pydantic_core import to_json

from mcp_server.engine.calls import Call
from mcp_server.observe.logs import Calls, NoCallLog
from mcp_server.observe.metrics import Metrics, NoMetrics
from mcp_server.observe.records import CallRecord, Outcome
from mcp_server.observe.traces import NoTracer, Span, Tracer
from mcp_server.protocol.errors import Failure
from mcp_server.protocol.results import Answer, Prepared

logger = logging.getLogger("mcp_server")

_TARGET: Final = {"tools/call": "name", "prompts/get": "name", "tasks/run": "name"}


@dataclass(frozen=True, slots=True)
class _OpenSpan:
    """A span between its beginning and its end, which are two calls here."""

    context: AbstractContextManager[Span]
    span: Span


class Watcher:
    """The `Observer` of an engine: passes each call on to the log, the metrics and the tracer.

    A tool whose result is larger than `most_output` is named in the log, once: models pay for every byte.
    """

    def __init__(self, calls: Calls, metrics: Metrics, tracer: Tracer, *, most_output: int | None = None) -> None:
        self._calls = calls
        self._metrics = metrics
        self._most_output = most_output
        self._warned: set[str] = set()
        self._tracer = None if isinstance(tracer, NoTracer) else tracer
        self._unheard = (type(calls), type(metrics), type(tracer)) == (NoCallLog, NoMetrics, NoTracer)

    def begin(self, call: Call) -> _OpenSpan | None:
        """Open a span, if spans are wanted."""
        if call.task is not None:
            self._metrics.task_began()
        if self._tracer is None:
            return None
        context = self._tracer.span(call.request.method, _target(call), call.request.meta)
        return _OpenSpan(context, context.__enter__())

    def end(self, call: Call, answer: Answer | None, token: object) -> None:
        """Tell of a call that has ended."""
        if call.task is not None:
            self._metrics.task_ended()
        size = _size(answer)
        if self._unheard and (self._most_output is None or size <= self._most_output):
            return  # nobody listens, so that no record need be made
        record = _record(call, answer, size)
        if isinstance(token, _OpenSpan):
            token.span.ended(record, answer.code if isinstance(answer, Failure) else None)
            token.context.__exit__(None, None, None)
        self._calls.record(record)
        self._metrics.called(record)
        if self._most_output is not None and record.result_bytes > self._most_output:
            self._warn(record)

    def _warn(self, record: CallRecord) -> None:
        tool = record.target
        if record.method == "tools/call" and tool is not None and tool not in self._warned:
            self._warned.add(tool)
            logger.warning(
                "Tool %s answered with %d bytes, more than MAX_OUTPUT_BYTES (%d): let it answer in pages. Said once.",
                tool,
                record.result_bytes,
                self._most_output,
            )


def _record(call: Call, answer: Answer | None, size: int) -> CallRecord:
    request = call.request
    arguments = request.params.get("arguments")
    return CallRecord(
        request.method,
        _target(call),
        len(to_json(arguments)) if arguments else 0,
        size,
        (time.monotonic() - call.started) * 1000,
        _outcome(call, answer),
        call.transport,
        request.peer.version,
        request.peer.name,
        request.id,
        call.reference,
        None if call.principal is None else call.principal.fingerprint,
    )


def _target(call: Call) -> str | None:
    named_by = _TARGET.get(call.request.method)
    name = call.request.params.get(named_by) if named_by else None
    return name if isinstance(name, str) else None


def _outcome(call: Call, answer: Answer | None) -> Outcome:
    if call.expired:
        return "timeout"
    if answer is None:
        return "cancelled"
    if isinstance(answer, Failure):
        return "error"
    if not isinstance(answer, Prepared) and answer.get("isError"):
        return "tool_error"
    return "ok"


def _size(answer: Answer | None) -> int:
    """The bytes of what was answered, without the envelope; a list that everybody gets is not measured each time."""
    if answer is None or isinstance(answer, (Failure, Prepared)):
        return 0
    size = 0
    for value in answer.values():
        try:
            size += len(value if isinstance(value, bytes) else to_json(value))
        except ValueError:  # it cannot be told either, which is the engine's to deal with
            return 0
    return size
