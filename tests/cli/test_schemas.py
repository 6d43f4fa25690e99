"""Reading schemas of any origin."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_server.cli.schemas import Argument, NothingFits, arguments_of, rules_of, smallest_arguments


def one(node: dict[str, Any], **root: Any) -> Argument:
    """The argument that this schema describes."""
    return arguments_of({"type": "object", "properties": {"it": node}, **root})[0]


@pytest.mark.parametrize(
    ("node", "kinds"),
    [
        ({"type": "string"}, ("string",)),
        ({"type": ["string", "null"]}, ("string", "null")),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ("integer", "null")),
        ({"oneOf": [{"type": "integer"}, {"type": "integer"}]}, ("integer",)),
        ({"enum": ["a", 1, None, 0.5, True]}, ("string", "integer", "null", "number", "boolean")),
        ({"const": [1]}, ("array",)),
        ({"$ref": "#/$defs/Deep"}, ("object",)),
        ({"$ref": "#/$defs/Round"}, ()),
        ({"$ref": "#/$defs/Nested"}, ("string", "null")),
        ({"$ref": "#/nowhere"}, ()),
        ({"type": 5}, ()),
        ({}, ()),
    ],
)
def test_kinds_are_found_wherever_they_stand(node: dict[str, Any], kinds: tuple[str, ...]) -> None:
    definitions = {
        "Deep": {"$ref": "#/$defs/Deeper"},
        "Deeper": {"type": "object"},
        "Round": {"$ref": "#/$defs/Round"},
        "Nested": {"anyOf": [{"$ref": "#/$defs/Text"}, {"type": "null"}]},
        "Text": {"type": "string"},
    }
    assert one(node, **{"$defs": definitions}).kinds == kinds


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"properties": {}, "required": "x"}])
def test_a_schema_without_properties_has_no_arguments(schema: dict[str, Any]) -> None:
    assert arguments_of(schema) == []


def test_what_is_no_schema_is_an_argument_of_any_kind() -> None:
    assert one(True).kinds == ()  # pyright: ignore[reportArgumentType] - JSON Schema allows it


@pytest.mark.parametrize(
    ("schema", "rules"),
    [
        ({"minimum": 1, "maximum": 50}, "1..50"),
        ({"minLength": 1}, "1.. characters"),
        ({"maxItems": 3}, "..3 items"),
        ({"enum": ["a", 1]}, "one of a, 1"),
        ({"format": "date", "pattern": "x"}, "pattern x; format date"),
        ({"anyOf": [{"type": "null"}, {"maxLength": 9}]}, "..9 characters"),
        ({"anyOf": [{"type": "null"}]}, ""),
        ({}, ""),
    ],
)
def test_rules_are_told_in_a_few_words(schema: dict[str, Any], rules: str) -> None:
    assert rules_of(schema) == rules


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"type": "string", "minLength": 3}, "aaa"),
        ({"type": "string"}, "a"),
        ({"type": "integer", "minimum": 4}, 4),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer"}, 0),
        ({"type": "number", "maximum": 9}, 0),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
        ({"type": "array"}, []),
        ({"type": "object", "properties": {"a": {"const": 1}, "b": {}}, "required": ["a"]}, {"a": 1}),
        ({"default": "d"}, "d"),
        ({"examples": ["e"], "type": "string", "format": "date"}, "e"),
        ({"enum": ["x", "y"]}, "x"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, False),
        ({"$ref": "#/$defs/Flag"}, False),
    ],
)
def test_the_smallest_value_is_made_up(node: dict[str, Any], value: object) -> None:
    schema = {"properties": {"it": node}, "required": ["it"], "$defs": {"Flag": {"type": "boolean"}}}
    assert smallest_arguments(schema) == {"it": value}


@pytest.mark.parametrize(
    "node",
    [
        {"type": "string", "pattern": "x"},
        {"type": "string", "format": "uri"},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "items": {"type": "null"}, "minItems": "many"},
        {},
        {"$ref": "#/$defs/Endless"},
        {"anyOf": [{"type": "string", "format": "uri"}]},
    ],
)
def test_nothing_is_made_up_that_might_not_fit(node: dict[str, Any]) -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Endless"}}, "required": ["next"]}
    with pytest.raises(NothingFits):
        smallest_arguments({"properties": {"it": node}, "required": ["it"], "$defs": {"Endless": endless}})
