"""A ready-made JSON Schema (2020-12) in place of a signature.

It is published exactly as written and enforced with the `jsonschema` package, which is imported when the first such
schema is registered, because most servers have none. Nothing is ever fetched: a reference to another document is
refused at registration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from mcp_server.registry.arguments import Arguments, refuse_non_finite
from mcp_server.registry.errors import InvalidArguments, RegistrationError
from mcp_server.registry.problems import dotted, listed
from mcp_server.registry.schema_walk import everywhere, readable
from mcp_server.registry.signatures import Signature

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MOST_ERRORS: Final = 11  # one more than is told, so that "and 1 more" can be said
_CLOSED_BY: Final = ("additionalProperties", "unevaluatedProperties")
_TYPES: Final = {
    "array": "an array", "boolean": "true or false", "integer": "an integer", "null": "null", "number": "a number",
    "object": "an object", "string": "a string",
}  # fmt: skip
_RULES: Final = {
    "const": "must be {0!r}",
    "exclusiveMaximum": "must be less than {0}",
    "exclusiveMinimum": "must be more than {0}",
    "maxItems": "must have at most {0} items",
    "maxLength": "must have at most {0} characters",
    "maxProperties": "must have at most {0} properties",
    "maximum": "must be at most {0}",
    "minItems": "must have at least {0} items",
    "minLength": "must have at least {0} characters",
    "minProperties": "must have at least {0} properties",
    "minimum": "must be at least {0}",
    "multipleOf": "must be a multiple of {0}",
    "pattern": "must match the pattern {0}",
    "uniqueItems": "must not repeat items",
}


def arguments_given(schema: Mapping[str, Any], signature: Signature) -> Arguments:
    """The arguments that a ready-made schema describes; raises `RegistrationError` if the function cannot take them."""
    _refuse_mismatch(schema, signature)
    validator = validator_for(schema)

    def validate(given: Mapping[str, Any]) -> dict[str, Any]:
        refuse_non_finite(given)
        problems = problems_with(validator, given)
        if problems:
            raise InvalidArguments(listed(problems))
        return dict(given)

    return Arguments(dict(schema), validate)


def validator_for(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator for a ready-made schema; raises `RegistrationError` for one that cannot be enforced here."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - most servers have no ready-made schema
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415

    dialect = schema.get("$schema", _DIALECT)
    if dialect not in {_DIALECT, f"{_DIALECT}#"}:
        raise RegistrationError(
            f"the dialect {dialect} is not understood: write for {_DIALECT}, or leave `$schema` out"
        )
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = readable(tuple(map(str, error.absolute_path)))
        raise RegistrationError(f"this is no JSON Schema (2020-12): {error.message} at {where}") from error
    registry: Registry[Any] = Registry()
    resolver = registry.resolver_with_root(DRAFT202012.create_resource(dict(schema)))
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable as error:
            raise RegistrationError(f"the reference {reference!r} leads nowhere in this schema") from error
    return Draft202012Validator(dict(schema), registry=registry)


def problems_with(validator: Draft202012Validator, value: object) -> list[tuple[str, str]]:
    """What is wrong with a value, as fields and rules that do not repeat it."""
    errors: Iterator[ValidationError] = cast("Any", validator).iter_errors(value)
    try:
        found = [problem for error in islice(errors, _MOST_ERRORS) for problem in _problems(error)]
        return list(dict.fromkeys(found))  # each missing name has an error of its own, which tells all of them
    except (OverflowError, RecursionError):
        return [("", "are nested too deep or hold too large a number")]


def _problems(error: ValidationError) -> Iterator[tuple[str, str]]:
    path = tuple(error.absolute_path)
    rule, value = str(error.validator), cast("Any", error.validator_value)
    instance = cast("Any", error.instance)
    if rule == "required":
        yield from ((dotted((*path, name)), "is required") for name in value if name not in instance)
    elif rule == "additionalProperties":
        yield from ((dotted((*path, name)), "is not a known argument") for name in _extras(error))
    elif rule == "unevaluatedProperties":
        yield dotted(path), "must not hold anything that is not described"
    elif rule == "type":
        kinds = [value] if isinstance(value, str) else value
        yield dotted(path), "must be " + " or ".join(_TYPES[kind] for kind in kinds)
    elif rule == "enum":
        yield dotted(path), "must be " + " or ".join(repr(item) for item in value)
    elif rule in _RULES:
        yield dotted(path), _RULES[rule].format(value)
    else:
        yield dotted(path), f"breaks the rule {rule!r}"


def _extras(error: ValidationError) -> Iterator[str]:
    """The names that neither `properties` nor `patternProperties` allow."""
    schema, instance = cast("Mapping[str, Any]", error.schema), cast("Mapping[str, Any]", error.instance)
    patterns = schema.get("patternProperties", {})
    for name in instance:
        if name not in schema.get("properties", {}) and not any(re.search(each, name) for each in patterns):
            yield name


def _references(schema: Mapping[str, Any]) -> Iterator[str]:
    for place, node in everywhere(schema):
        for keyword in ("$ref", "$dynamicRef"):
            reference = node.get(keyword)
            if reference is None:
                continue
            if not reference.startswith("#"):
                raise RegistrationError(
                    f"{readable(place)}: {reference!r} is another document, and nothing is fetched: put it into `$defs`"
                )
            yield reference


def _refuse_mismatch(schema: Mapping[str, Any], signature: Signature) -> None:
    """Whatever the schema lets through has to fit into a call of the function."""
    if signature.takes_any:
        return
    known = {parameter.name for parameter in signature.parameters}
    unknown = [name for name in schema.get("properties", {}) if name not in known]
    if unknown:
        raise RegistrationError(
            f"the function does not take {unknown[0]!r}: add it as a parameter, or `**arguments: Any`"
        )
    if all(schema.get(keyword) is not False for keyword in _CLOSED_BY):
        raise RegistrationError(
            'the schema lets any argument through: write `"additionalProperties": false`, or `**arguments: Any`'
        )
    needed = [parameter.name for parameter in signature.parameters if parameter.required]
    optional = [name for name in needed if name not in schema.get("required", [])]
    if optional:
        raise RegistrationError(f"{optional[0]!r} is not required by the schema: give the parameter a default")
