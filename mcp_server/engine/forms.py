"""Forms that a user fills in: which schemas a form may have, and whether an answer fits its form.

A form is flat. Its fields are strings, numbers, booleans, or a choice of one or several from a list, because that is
what every client can show. Anything richer is refused when it is asked, with a text that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp_server.protocol.messages import is_list, is_object

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
}


class NotAForm(ValueError):  # noqa: N818 - it is what is wrong with the schema
    """The schema is too rich for a form; the text says what to write instead."""


def check_form(schema: Mapping[str, Any]) -> None:
    """Make sure that clients can show this schema as a form; raises `NotAForm`."""
    properties = schema.get("properties")
    if schema.get("type") != "object" or not is_object(properties):
        raise NotAForm('a form is an object: write {"type": "object", "properties": {...}}')
    for name, field in properties.items():
        kind = field.get("type") if is_object(field) else None
        if kind not in _TYPES:
            raise NotAForm(f"{name}: a field of a form is a string, number, integer, boolean, or a list of choices")
        if kind == "array" and _choices(field.get("items", {})) is None:
            raise NotAForm(f"{name}: a list in a form needs the choices it may hold, as items.enum or items.anyOf")


def fits(schema: Mapping[str, Any], content: object) -> bool:
    """Whether an answer fills in this form as it asks."""
    if not is_object(content):
        return False
    properties: Mapping[str, Any] = schema["properties"]
    if any(name not in content for name in schema.get("required", ())):
        return False
    return all(_fits_field(properties[name], value) for name, value in content.items() if name in properties)


def _fits_field(field: Mapping[str, Any], value: object) -> bool:
    kind = field["type"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    if is_list(value):
        choices = _choices(field["items"]) or []
        return _within(len(value), field, "minItems", "maxItems") and all(each in choices for each in value)
    if isinstance(value, str):
        choices = _choices(field)
        return _within(len(value), field, "minLength", "maxLength") and (choices is None or value in choices)
    return isinstance(value, bool) or _within(value, field, "minimum", "maximum")


def _within(value: Any, field: Mapping[str, Any], least: str, most: str) -> bool:
    return field.get(least, value) <= value <= field.get(most, value)


def _choices(field: Mapping[str, Any]) -> list[Any] | None:
    """What may be chosen, in whichever of the three ways a schema says it; None if anything may be written."""
    if "enum" in field:
        return field["enum"]
    titled = field.get("oneOf") or field.get("anyOf")
    return None if titled is None else [choice["const"] for choice in titled]
