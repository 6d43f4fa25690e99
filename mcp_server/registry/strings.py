"""Arguments that the wire has only as strings: those of prompts, and the variables of templates.

A string is what it says (`"null"` stays `"null"`). For another type it is read as a form would be, `"5"` as 5 and
`"true"` as true, and failing that, if it looks like an object or an array, as JSON.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias, cast

from pydantic_core import ValidationError, from_json

from mcp_server.registry.arguments import adapter_for
from mcp_server.registry.errors import InvalidArguments
from mcp_server.registry.problems import dotted, listed, problems_in
from mcp_server.registry.signatures import Parameter
from mcp_server.registry.strictness import strict

Convert: TypeAlias = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class StringArguments:
    """The arguments of a function whose caller has only strings."""

    conversions: Mapping[str, Convert]
    required: frozenset[str]

    def validate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of the call; raises `InvalidArguments`."""
        problems = [(name, "is required") for name in self.conversions if name in self.required - given.keys()]
        values: dict[str, Any] = {}
        for name, text in given.items():
            convert = self.conversions.get(name)
            if convert is None:
                problems.append((dotted([name]), "is not a known argument"))
            elif not isinstance(text, str):
                problems.append((name, "must be a string"))
            else:
                try:
                    values[name] = convert(text)
                except ValidationError as error:
                    problems += problems_in(error, _read(text), under=(name,))
        if problems:
            raise InvalidArguments(listed(problems))
        return values


def _read(text: str) -> Any:
    """The text as JSON, to say where in it a problem is."""
    try:
        return from_json(text)
    except ValueError:
        return None


def string_arguments(parameters: Iterable[Parameter]) -> StringArguments:
    """How to read the strings for these parameters; raises `RegistrationError` for a type without a schema."""
    parameters = tuple(parameters)
    return StringArguments(
        {parameter.name: _conversion(parameter) for parameter in parameters},
        frozenset(parameter.name for parameter in parameters if parameter.required),
    )


def choices(annotation: Any) -> dict[str, Any]:
    """The strings that a literal, an enum or a boolean can be written as, with their values; of other types none."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return choices(annotation.__origin__)
    if origin in {typing.Union, types.UnionType}:
        return {text: value for argument in arguments for text, value in choices(argument).items()}
    if origin is typing.Literal:
        return {str(value): value for value in arguments}
    if annotation is bool:
        return {"true": True, "false": False}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {str(member.value): member for member in annotation}
    return {}


def _conversion(parameter: Parameter) -> Convert:
    """Reads one argument; raises pydantic's `ValidationError`."""
    validator = strict(adapter_for(parameter.annotation, f"`{parameter.name}`").core_schema).validator

    known = choices(parameter.annotation)

    def convert(text: str) -> Any:
        try:
            return validator.validate_strings(cast("Any", text))  # typed as if a mapping were needed
        except ValidationError:
            if text in known:
                return known[text]  # a number among the choices
            if not text.lstrip().startswith(("{", "[")):
                raise
        return validator.validate_json(text)

    return convert
