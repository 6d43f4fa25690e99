"""A span per call, joined to the caller's own trace, as OpenTelemetry's conventions for MCP name things.

Off unless enabled: `NoTracer` is the twin that does nothing, and opentelemetry is imported by `OpenTelemetryTracer`
alone. The API is all that is used; which SDK records the spans and where they are sent is for whoever runs the
process to set up (`opentelemetry-instrument`, or a tracer provider of their own).

The parent is what the message itself names in its metadata; else the span we already are in; else what the HTTP
headers name. One message may travel in several HTTP requests, so its own word counts first, and the span we are in is
then linked. What is malformed or too long is ignored. Arguments, results and the texts of errors stay out of spans.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

from mcp_server.observe.cleaning import clean, clean_id
from mcp_server.observe.records import CallRecord, Vocabulary

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry import trace
    from opentelemetry.context import Context

_IDS: Final = "-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_TRACEPARENT: Final = re.compile(f"00{_IDS}|(?!00|ff)[0-9a-f]{{2}}{_IDS}(-.*)?")
_LONGEST: Final = {"traceparent": 512, "tracestate": 512, "baggage": 8192}

_TARGET: Final = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}


class Span(Protocol):
    """A call being traced."""

    def ended(self, record: CallRecord, code: int | None = None) -> None:
        """Say how the call went, and with which JSON-RPC error code it ended, if with one."""
        ...


class Tracer(Protocol):
    """Makes a span around each call."""

    def span(
        self,
        method: str,
        target: str | None,
        meta: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Span]:
        """A span for as long as the context lasts; header names are in lower case, or looked up regardless of it."""
        ...


class NoTracer:
    """Makes nothing."""

    def span(
        self,
        method: str,  # noqa: ARG002 - the signature is its twin's, here and below
        target: str | None,  # noqa: ARG002
        meta: Mapping[str, Any] | None = None,  # noqa: ARG002
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[Span]:
        """The same nothing each time."""
        return _NOTHING


class OpenTelemetryTracer:
    """Makes spans with the provider given, or else the process's own."""

    def __init__(self, vocabulary: Vocabulary, provider: trace.TracerProvider | None = None) -> None:
        # The import is what being enabled costs; whoever is not pays nothing.
        from opentelemetry import context, trace  # noqa: PLC0415
        from opentelemetry.baggage.propagation import W3CBaggagePropagator  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._vocabulary = vocabulary
        self._trace = trace
        self._context = context
        self._propagators = (TraceContextTextMapPropagator(), W3CBaggagePropagator())
        self._tracer = trace.get_tracer("mcp_server", tracer_provider=provider)

    @contextmanager
    def span(
        self,
        method: str,
        target: str | None,
        meta: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Span]:
        """A span that is the current one, so that what the tool traces lies within it.

        An exception that passes through is told by its type alone.
        """
        surroundings, links = self._surroundings(meta, headers)
        with (
            self._within(surroundings),
            self._tracer.start_as_current_span(
                self._name(method, target),
                kind=self._trace.SpanKind.SERVER,
                attributes=_attributes(method, target),
                links=links,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
        ):
            recorded = _RecordedSpan(span, self._trace.StatusCode.ERROR)
            try:
                yield recorded
            except BaseException as raised:
                recorded.failed(type(raised).__qualname__)
                raise

    @contextmanager
    def _within(self, surroundings: Context) -> Generator[None]:
        token = self._context.attach(surroundings)
        try:
            yield
        finally:
            self._context.detach(token)

    def _surroundings(
        self, meta: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> tuple[Context, list[trace.Link]]:
        """Where the span belongs, with the caller's baggage, and what it is linked to besides."""
        ambient = self._trace.get_current_span().get_span_context()
        named = _named_by(meta)
        if not named and not ambient.is_valid:
            named = _named_by(headers)
        surroundings = self._context.get_current()
        for propagator in self._propagators:
            surroundings = propagator.extract(named, surroundings)
        links = [self._trace.Link(ambient)] if named and ambient.is_valid else []
        return surroundings, links

    def _name(self, method: str, target: str | None) -> str:
        return f"{self._vocabulary.method(method)} {self._vocabulary.target(target)}".rstrip()


def open_tracer(vocabulary: Vocabulary) -> Tracer:
    """A tracer if there is somebody to record its spans, else the one that does nothing.

    There is if the SDK is installed and has been told what to do: by `OTEL_...` variables, or by a provider that this
    process has set. Spans that nobody collects would cost as much as the rest of a call together.
    """
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        return NoTracer()
    if any(name.startswith("OTEL_") for name in os.environ) or _provider_is_set():
        return OpenTelemetryTracer(vocabulary)
    return NoTracer()


def _provider_is_set() -> bool:
    if "opentelemetry.sdk.trace" not in sys.modules:
        return False  # whoever sets a provider has imported it; we do not make everybody's start wait for that
    from opentelemetry import trace  # noqa: PLC0415 - the API is imported only where the SDK is there
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    return isinstance(trace.get_tracer_provider(), TracerProvider)


class _RecordedSpan:
    def __init__(self, span: trace.Span, error: trace.StatusCode) -> None:
        self._span = span
        self._error = error

    def ended(self, record: CallRecord, code: int | None = None) -> None:
        """Add what is known now, and mark the span as failed unless all went well."""
        self._span.set_attributes(_attributes_known_later(record))
        if code is not None:
            self._span.set_attribute("rpc.response.status_code", str(code))
        if record.outcome != "ok":
            self.failed(record.outcome if code is None else str(code))

    def failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(self._error)


class _Nothing:
    """No span, and the context that it lasts for."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def ended(self, record: CallRecord, code: int | None = None) -> None:
        """Forget it."""


_NOTHING: Final = _Nothing()


def _attributes(method: str, target: str | None) -> dict[str, str]:
    attributes = {"mcp.method.name": clean(method)}
    if method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
    if target is not None and method in _TARGET:
        attributes[_TARGET[method]] = clean(target)
    return attributes


def _attributes_known_later(record: CallRecord) -> dict[str, str]:
    attributes = {"network.transport": "pipe"}
    if record.transport != "stdio":
        attributes = {"network.transport": "tcp", "network.protocol.name": "http"}
    if record.version is not None:
        attributes["mcp.protocol.version"] = clean(record.version)
    if record.request_id is not None:
        attributes["jsonrpc.request.id"] = str(clean_id(record.request_id))
    return attributes


def _named_by(carrier: Mapping[str, Any] | None) -> dict[str, str]:
    """What of the trace context in the carrier is well-formed; nothing, unless it names a parent."""
    if not carrier:
        return {}
    named = {field: text for field, longest in _LONGEST.items() if (text := _plain(carrier.get(field), longest))}
    return named if _TRACEPARENT.fullmatch(named.get("traceparent", "")) else {}


def _plain(text: object, longest: int) -> str | None:
    if isinstance(text, str) and len(text) <= longest and text.isascii() and text.isprintable():
        return text
    return None
