"""From the parameters of a function to the schema of its arguments and the function that validates them.

The parameters become a `TypedDict`, so that validation yields the keyword arguments of the call and nothing is built
in between. Python's own defaults stay with the function; they are only published here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Required, TypeAlias, cast

from pydantic import Field, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, ValidationError, to_json, to_jsonable_python
from typing_extensions import TypedDict

from mcp_server.registry.errors import InvalidArguments, RegistrationError
from mcp_server.registry.problems import explained, listed, non_finite
from mcp_server.registry.publishing import input_schema
from mcp_server.registry.schema_walk import JsonSchema
from mcp_server.registry.signatures import MISSING, Parameter
from mcp_server.registry.strictness import STRICT, StrictValidator, strict

Validate: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]

_UNUSABLE = (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function takes: the schema to publish, and `validate`, which raises `InvalidArguments`."""

    schema: JsonSchema
    validate: Validate


def arguments_of(parameters: Sequence[Parameter], descriptions: Mapping[str, str]) -> Arguments:
    """The arguments for these parameters; descriptions from the docstring yield to those in annotations."""
    fields = {parameter.name: _field(parameter, descriptions.get(parameter.name)) for parameter in parameters}
    shape = cast("Any", TypedDict)("Arguments", fields)  # the functional form, with fields known at run time only
    shape.__pydantic_config__ = STRICT
    adapter = adapter_for(shape, "the parameters")
    return Arguments(input_schema(adapter), validation(strict(adapter.core_schema)))


def adapter_for(annotation: Any, where: str) -> TypeAdapter[Any]:
    """Pydantic's adapter for a type; raises `RegistrationError` where it has none."""
    try:
        return TypeAdapter(annotation)
    except _UNUSABLE as error:
        reason = str(error).partition("\n")[0]
        raise RegistrationError(
            f"the type of {where} has no schema ({reason}): write a model, a dataclass, a TypedDict or a JSON type"
        ) from error


def validation(strict_validator: StrictValidator) -> Validate:
    """The validating function of a strict validator, in the cheapest form that is still strict."""
    if strict_validator.from_json:
        return _from_json(strict_validator)
    from_values = _from_values(strict_validator)
    return _finite_only(from_values) if strict_validator.open else from_values


def _field(parameter: Parameter, description: str | None) -> Any:
    """A field of the typed dictionary; what the author wrote in the annotation comes last, and so wins."""
    annotation = parameter.annotation
    marks: list[Any] = list(getattr(annotation, "__metadata__", ()))
    bare = annotation.__origin__ if marks else annotation
    if description:
        marks.insert(0, Field(description=description))
    if parameter.default is not MISSING:
        marks.append(_published_default(parameter.default, marks))
    typed = Annotated[(bare, *marks)] if marks else bare  # pyright: ignore[reportInvalidTypeForm]
    return Required[typed] if parameter.required else NotRequired[typed]


def _published_default(default: Any, marks: Sequence[Any]) -> FieldInfo:
    """A mark that publishes the default, if JSON can express it."""
    try:
        value = to_jsonable_python(default, inf_nan_mode="strings")
    except PydanticSerializationError:
        return Field()
    extra: dict[str, Any] = {"default": value}
    for mark in marks:
        written: Any = mark.json_schema_extra if isinstance(mark, FieldInfo) else None
        if isinstance(written, dict):
            extra |= written
    return Field(json_schema_extra=extra)


def _from_values(strict_validator: StrictValidator) -> Validate:
    check = strict_validator.validator.validate_python

    def validate(given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return check(given)
        except ValidationError as error:
            raise InvalidArguments(explained(error, given)) from None

    return validate


def _finite_only(validate: Validate) -> Validate:
    def validate_finite(given: Mapping[str, Any]) -> dict[str, Any]:
        refuse_non_finite(given)
        return validate(given)

    return validate_finite


def _from_json(strict_validator: StrictValidator) -> Validate:
    check = strict_validator.validator.validate_json

    def validate(given: Mapping[str, Any]) -> dict[str, Any]:
        refuse_non_finite(given)
        try:
            return check(to_json(given))
        except ValidationError as error:
            raise InvalidArguments(explained(error, given)) from None
        except PydanticSerializationError:  # half of a surrogate pair
            raise InvalidArguments(listed([("", "must be valid Unicode")])) from None

    return validate


def refuse_non_finite(given: Mapping[str, Any]) -> None:
    """Raises `InvalidArguments` for a number that JSON cannot hold, at any depth."""
    path = non_finite(given)
    if path:
        raise InvalidArguments(listed([(path, "must be a finite number")]))
