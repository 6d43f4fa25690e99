"""Prompts: a function whose strings come in and whose messages go out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, cast

from typing_extensions import Unpack

from mcp_server.registry.completions import Completer, completer_from, completer_of
from mcp_server.registry.content import blocks, dumped, is_content, is_foreign
from mcp_server.registry.docstrings import Docstring, parse
from mcp_server.registry.errors import OutputMismatch, RegistrationError
from mcp_server.registry.listing import Item, Labels, named, positive, without_none
from mcp_server.registry.signatures import Hidden, Parameter, read
from mcp_server.registry.strings import StringArguments, choices, string_arguments


@dataclass(frozen=True, slots=True)
class _Message:
    """One message; its content is a string or anything else that is one content block."""

    content: Any

    role: ClassVar[Literal["user", "assistant"]] = "user"

    def listing(self) -> dict[str, Any]:
        """The message as the wire has it."""
        return {"role": self.role, "content": blocks([self.content])[0]}


@dataclass(frozen=True, slots=True)
class UserMessage(_Message):
    """What the user says."""


@dataclass(frozen=True, slots=True)
class AssistantMessage(_Message):
    """What the model is to have said."""

    role: ClassVar[Literal["user", "assistant"]] = "assistant"


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """An argument as the list shows it."""

    name: str
    description: str | None
    required: bool

    def listing(self) -> dict[str, Any]:
        """The entry in a prompt's `arguments`."""
        return without_none({"name": self.name, "description": self.description, "required": self.required})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompt(Item):
    """A prompt, ready to be listed and made."""

    function: Callable[..., Any]
    is_async: bool
    hidden: tuple[Hidden, ...]
    inputs: StringArguments
    published: tuple[PromptArgument, ...]
    completers: Mapping[str, Completer] = field(default_factory=dict[str, Completer])
    timeout: float | None = None

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of the call; raises `InvalidArguments`."""
        return self.inputs.validate(given)

    def result(self, value: Any) -> dict[str, Any]:
        """The description and messages for what the function returned; raises `OutputMismatch`."""
        if is_foreign(value, "GetPromptResult"):
            fields = dumped(value)
            return {key: fields[key] for key in ("description", "messages", "_meta") if key in fields}
        items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else [value]
        return without_none({"description": self.description, "messages": [_message(item) for item in items]})

    def with_completer(self, argument: str, function: Callable[..., Any]) -> Prompt:
        """The same prompt, completing this argument; raises `RegistrationError` if there is none of the name."""
        if argument not in self.inputs.conversions:
            raise RegistrationError(f"prompt {self.name} has no argument {argument!r}")
        return replace(self, completers={**self.completers, argument: completer_from(function)})

    def listing(self) -> dict[str, Any]:
        """The entry in `prompts/list`, in the form of the newest version."""
        entry = Item.listing(self)
        meta = entry.pop("_meta", None)
        arguments = [argument.listing() for argument in self.published] or None
        return entry | without_none({"arguments": arguments, "_meta": meta})


class PromptOptions(Labels, total=False):
    """How a prompt may be described beyond its function."""

    name: str | None
    description: str | None
    timeout: float | None


def prompt_from(
    function: Callable[..., Any], *, context_type: type | None = None, **options: Unpack[PromptOptions]
) -> Prompt:
    """A prompt from a function; raises `RegistrationError` with what to write instead."""
    signature = read(function, context_type=context_type)
    doc = parse(signature.doc)
    known = {parameter.name: choices(parameter.annotation) for parameter in signature.parameters}
    return Prompt(
        **named(options.get("name") or signature.name, options.get("description") or doc.description, options),
        function=function,
        is_async=signature.is_async,
        hidden=signature.hidden,
        inputs=string_arguments(signature.parameters),
        published=tuple(_published(parameter, doc) for parameter in signature.parameters),
        completers={name: completer_of(texts) for name, texts in known.items() if texts},
        timeout=positive("timeout", options.get("timeout")),
    )


def _published(parameter: Parameter, doc: Docstring) -> PromptArgument:
    marks = getattr(parameter.annotation, "__metadata__", ())
    written = [mark.description for mark in marks if getattr(mark, "description", None)]
    description = written[-1] if written else doc.parameters.get(parameter.name)
    return PromptArgument(parameter.name, description, parameter.required)


def _message(value: Any) -> dict[str, Any]:
    if isinstance(value, _Message):
        return value.listing()
    if is_foreign(value, "PromptMessage"):
        return dumped(value)
    if isinstance(value, dict):
        return _from_dict(cast("dict[str, Any]", value))
    if isinstance(value, str) or is_content(value):
        return UserMessage(value).listing()
    raise OutputMismatch(f"a prompt returns strings, messages or content, not {type(value).__name__}")


def _from_dict(value: dict[str, Any]) -> dict[str, Any]:
    """A message that is written as the wire has it, or with a string for its content."""
    role, content = value.get("role"), value.get("content")
    if role not in {"user", "assistant"} or content is None:
        raise OutputMismatch('a message is {"role": "user" or "assistant", "content": ...}')
    return {"role": role, "content": content if isinstance(content, dict) else blocks([content])[0]}
