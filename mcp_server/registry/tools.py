"""Tools: a function with everything about it decided, so that a call only validates, runs and renders.

Who may call it, on which thread it runs and how its deadline is kept is for others; a tool only says what it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from typing_extensions import Unpack

from mcp_server.registry import hosts
from mcp_server.registry.arguments import Arguments, arguments_of
from mcp_server.registry.docstrings import parse
from mcp_server.registry.errors import RegistrationError
from mcp_server.registry.given_schema import arguments_given
from mcp_server.registry.headers import MirroredArgument, mirrored
from mcp_server.registry.listing import Item, Labels, named, positive, without_none
from mcp_server.registry.outputs import UNDECLARED, Output, output_given, output_of
from mcp_server.registry.schema_walk import JsonSchema
from mcp_server.registry.signatures import Hidden, function_name, read

TaskSupport: TypeAlias = Literal["optional", "required"]
TaskBegins: TypeAlias = Literal["at_once", "when_told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What a tool does to the world; `None` leaves the protocol's default."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None

    def listing(self) -> dict[str, Any]:
        """The hints under the names of the wire."""
        return without_none(
            {
                "readOnlyHint": self.read_only,
                "destructiveHint": self.destructive,
                "idempotentHint": self.idempotent,
                "openWorldHint": self.open_world,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tool(Item):
    """A tool, ready to be listed and called."""

    function: Callable[..., Any]
    is_async: bool
    hidden: tuple[Hidden, ...]
    inputs: Arguments
    output: Output
    hints: Hints
    headers: tuple[MirroredArgument, ...] = ()
    timeout: float | None = None
    concurrency: int | None = None
    rate_limit: str | None = None
    task: TaskSupport | None = None
    """Whether a call may go on as a task, or must."""
    task_begins: TaskBegins = "at_once"
    ignored: frozenset[str] = frozenset()

    @property
    def input_schema(self) -> JsonSchema:
        """The schema that is published for the arguments."""
        return self.inputs.schema

    @property
    def output_schema(self) -> JsonSchema | None:
        """The schema that is published for the structured value, if any."""
        return self.output.schema

    @property
    def returns_object(self) -> bool:
        """Whether every structured value is an object, which versions before 2026-07-28 require of a schema."""
        return self.output.schema is not None and self.output.schema.get("type") == "object"

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of the call; raises `InvalidArguments`."""
        if self.ignored:
            given = {name: value for name, value in given.items() if name not in self.ignored}
        return self.inputs.validate(given)

    def result(self, value: Any) -> dict[str, Any]:
        """The result for what the function returned; raises `OutputMismatch`.

        A value of this dictionary that is `bytes` is JSON already made.
        """
        return self.output.result(value)

    def listing(self) -> dict[str, Any]:
        """The entry in `tools/list`, in the form of the newest version."""
        entry = Item.listing(self)
        meta = entry.pop("_meta", None)
        return entry | without_none(
            {
                "inputSchema": self.input_schema,
                "outputSchema": self.output_schema,
                "annotations": self.hints.listing() or None,
                "execution": self.task and {"taskSupport": self.task},
                "_meta": meta,
            }
        )


class ToolOptions(Labels, total=False):
    """How a tool may be described beyond its function."""

    name: str | None
    description: str | None
    read_only: bool | None
    destructive: bool | None
    idempotent: bool | None
    open_world: bool | None
    input_schema: Mapping[str, Any] | None
    output_schema: Mapping[str, Any] | None
    structured: bool
    timeout: float | None
    concurrency: int | None
    rate_limit: str | None
    task: TaskSupport | None
    task_begins: TaskBegins


def tool_from(
    function: Callable[..., Any], *, context_type: type | None = None, **options: Unpack[ToolOptions]
) -> Tool:
    """A tool from a function; raises `RegistrationError` with what to write instead.

    `input_schema` and `output_schema` take the place of annotations and are published verbatim; `structured=False`
    publishes no output schema; `context_type` is the type of the parameters that receive the request's context.
    """
    name = options.get("name")
    try:
        return _built(function, context_type, options)
    except RegistrationError as error:
        raise RegistrationError(f"tool {name or function_name(function)}: {error}") from error


def _built(function: Callable[..., Any], context_type: type | None, options: ToolOptions) -> Tool:
    given = options.get("input_schema")
    signature = read(function, context_type=context_type, schema_given=given is not None)
    name = options.get("name") or signature.name
    doc = parse(signature.doc)
    inputs = arguments_of(signature.parameters, doc.parameters) if given is None else arguments_given(given, signature)
    headers, wrong = mirrored(inputs.schema)
    refused = hosts.refusals(name, inputs.schema, verbatim=given is not None) + wrong
    if refused:
        raise RegistrationError("; ".join(refused))
    return Tool(
        **named(name, options.get("description") or doc.description, options),
        function=function,
        is_async=signature.is_async,
        hidden=signature.hidden,
        inputs=inputs,
        output=_output(signature.returns, options),
        hints=Hints(
            read_only=options.get("read_only"),
            destructive=options.get("destructive"),
            idempotent=options.get("idempotent"),
            open_world=options.get("open_world"),
        ),
        headers=headers,
        timeout=positive("timeout", options.get("timeout")),
        concurrency=positive("concurrency", options.get("concurrency")),
        rate_limit=options.get("rate_limit"),
        task=_task(options),
        task_begins=options.get("task_begins", "at_once"),
    )


def _task(options: ToolOptions) -> TaskSupport | None:
    task: object = options.get("task")
    begins: object = options.get("task_begins", "at_once")
    if task not in {None, "optional", "required"}:
        raise RegistrationError('`task` is "optional" or "required", or left away')
    if begins not in {"at_once", "when_told"}:
        raise RegistrationError('`task_begins` is "at_once" or "when_told"')
    if task is None and begins != "at_once":
        raise RegistrationError('only a task can begin: write `task="optional"` or `task="required"` too')
    return options.get("task")


def _output(returns: Any, options: ToolOptions) -> Output:
    given = options.get("output_schema")
    if given is not None:
        return output_given(given)
    return output_of(returns) if options.get("structured", True) else UNDECLARED
