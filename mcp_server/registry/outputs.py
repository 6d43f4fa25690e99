"""What a function declares to return: the schema to publish, and a result that keeps to it.

A value is checked strictly, as Python first, where instances of a declared model are taken at their word, and as JSON
if that fails, so that a dictionary may stand for a model and a string for a date. What is then sent is what was
checked. Text and content declare no schema.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, ValidationError, from_json

from mcp_server.registry.arguments import adapter_for
from mcp_server.registry.content import (
    as_json,
    is_content_type,
    passes_through,
    structured_result,
    undeclared_result,
)
from mcp_server.registry.errors import OutputMismatch
from mcp_server.registry.given_schema import problems_with, validator_for
from mcp_server.registry.problems import explained, listed
from mcp_server.registry.publishing import output_schema
from mcp_server.registry.schema_walk import JsonSchema
from mcp_server.registry.signatures import MISSING
from mcp_server.registry.strictness import is_checked_throughout

Verify: TypeAlias = Callable[[Any], bytes]

_SHAPELESS: Final = (MISSING, None, type(None), Any, object, str, typing.NoReturn, typing.Never)


@dataclass(frozen=True, slots=True)
class Output:
    """The schema of a result, if it has one, and `result`, which raises `OutputMismatch`."""

    schema: JsonSchema | None
    result: Callable[[Any], dict[str, Any]]


UNDECLARED: Final = Output(None, undeclared_result)
"""For functions whose value is shown as it comes."""


def output_of(annotation: Any) -> Output:
    """What a return annotation declares; raises `RegistrationError` for a type without a schema."""
    if not _has_shape(annotation):
        return UNDECLARED
    adapter = adapter_for(annotation, "the result")
    return Output(output_schema(adapter), _declared(_by_type(adapter)))


def output_given(schema: Mapping[str, Any]) -> Output:
    """What a ready-made schema declares; it is published as it is."""
    validator = validator_for(schema)

    def verify(value: Any) -> bytes:
        raw = as_json(value)
        problems = problems_with(validator, from_json(raw))
        if problems:
            raise OutputMismatch(listed(problems))
        return raw

    return Output(dict(schema), _declared(verify))


def _has_shape(annotation: Any) -> bool:
    """Whether an annotation declares structure rather than text or content."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _has_shape(annotation.__origin__)
    if annotation in _SHAPELESS:
        return False
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return any(map(_has_shape, typing.get_args(annotation))) and not _holds_content(annotation)
    return not _holds_content(annotation)


def _holds_content(annotation: Any) -> bool:
    return is_content_type(annotation) or any(map(_holds_content, typing.get_args(annotation)))


def _by_type(adapter: TypeAdapter[Any]) -> Verify:
    validator, serializer = adapter.validator, adapter.serializer
    options: dict[str, Any] = {"by_alias": True}
    if not is_checked_throughout(adapter.core_schema):
        # What is taken at its word may not be what it says. The option alone costs more than a small result.
        options["warnings"] = "error"

    def checked(value: Any) -> Any:
        try:
            return validator.validate_python(value, strict=True)
        except ValidationError:
            pass  # it may still be a plain form of what was declared
        raw = as_json(value)
        try:
            return validator.validate_json(raw, strict=True)
        except ValidationError as error:
            raise OutputMismatch(explained(error, from_json(raw))) from None

    def verify(value: Any) -> bytes:
        try:
            return serializer.to_json(checked(value), **options)
        except (PydanticSerializationError, ValueError) as error:
            raise OutputMismatch(f"the result has no form in JSON: {error}") from error

    return verify


def _declared(verify: Verify) -> Callable[[Any], dict[str, Any]]:
    def result(value: Any) -> dict[str, Any]:
        if passes_through(value):
            return _verified(undeclared_result(value), verify)
        return structured_result(verify(value))

    return result


def _verified(result: dict[str, Any], verify: Verify) -> dict[str, Any]:
    """A whole result that a function made itself, if its structure is what the function declares."""
    if result.get("isError"):
        return result
    if "structuredContent" not in result:
        raise OutputMismatch("the result has no structured value, although the tool declares one")
    structured = result["structuredContent"]
    value = from_json(structured) if isinstance(structured, bytes) else cast("object", structured)
    return {**result, "structuredContent": verify(value)}
