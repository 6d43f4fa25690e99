from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.registry import InvalidArguments, OutputMismatch, RegistrationError, Tool, tool_from

CONDITIONAL: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {
        "address": {
            "$anchor": "address",
            "type": "object",
            "properties": {"zip": {"type": "string", "pattern": "^[0-9]+$"}},
        }
    },
    "type": "object",
    "properties": {"kind": {"enum": ["a", "b"]}, "address": {"$ref": "#address"}, "ids": {"type": "array"}},
    "allOf": [{"required": ["kind"]}],
    "if": {"properties": {"kind": {"const": "a"}}},
    "then": {"required": ["address"]},
    "else": {"properties": {"address": {"type": "null"}}},
    "additionalProperties": False,
}


def anything(**arguments: Any) -> dict[str, Any]:
    return arguments


def from_schema(**schema: Any) -> Tool:
    return tool_from(anything, input_schema={"type": "object", **schema})


def refusal(tool: Tool, **arguments: Any) -> str:
    with pytest.raises(InvalidArguments) as refused:
        tool.arguments(arguments)
    return str(refused.value).removeprefix("Invalid arguments: ")


def test_a_ready_made_schema_is_published_verbatim() -> None:
    tool = tool_from(anything, input_schema=CONDITIONAL)
    assert tool.input_schema == CONDITIONAL
    assert list(tool.input_schema) == list(CONDITIONAL)


def test_a_ready_made_schema_is_enforced() -> None:
    tool = tool_from(anything, input_schema=CONDITIONAL)
    assert tool.arguments({"kind": "a", "address": {"zip": "1"}}) == {"kind": "a", "address": {"zip": "1"}}
    assert refusal(tool) == "kind: is required; address: is required"
    assert refusal(tool, kind="b", address={}) == "address: must be null"
    assert refusal(tool, kind="a", address={"zip": "x"}) == "address.zip: must match the pattern ^[0-9]+$"


@pytest.mark.parametrize(
    ("rule", "value", "text"),
    [
        ({"type": "integer"}, True, "must be an integer"),
        ({"type": ["string", "null"]}, 1, "must be a string or null"),
        ({"enum": [1, "a"]}, "secret", "must be 1 or 'a'"),
        ({"const": 3}, 4, "must be 3"),
        ({"maximum": 3}, 4, "must be at most 3"),
        ({"minLength": 3}, "a", "must have at least 3 characters"),
        ({"uniqueItems": True}, [1, 1], "must not repeat items"),
        ({"not": {"type": "string"}}, "secret", "breaks the rule 'not'"),
        ({"multipleOf": 0.5}, 10**400, "the arguments are nested too deep or hold too large a number"),
    ],
)
def test_each_rule_has_words_that_do_not_repeat_the_value(rule: dict[str, Any], value: Any, text: str) -> None:
    assert text in refusal(from_schema(properties={"x": rule}), x=value)


def test_missing_and_extra_names_are_told_once() -> None:
    schema: dict[str, Any] = {
        "properties": {"a": {}, "b": {}},
        "patternProperties": {"^x-": {}},
        "required": ["a", "b"],
    }
    tool = from_schema(**schema, additionalProperties=False)
    problems = refusal(tool, c=1, **{"x-d": 1}).split("; ")
    assert sorted(problems) == ["a: is required", "b: is required", "c: is not a known argument"]


def test_unevaluated_properties_are_refused() -> None:
    tool = from_schema(allOf=[{"properties": {"a": {}}}], unevaluatedProperties=False)
    assert tool.arguments({"a": 1}) == {"a": 1}
    assert refusal(tool, b=1) == "the arguments must not hold anything that is not described"


def test_a_number_that_json_cannot_hold_is_refused() -> None:
    assert refusal(from_schema(), x=[1e999]) == "x[0]: must be a finite number"


def test_a_schema_that_never_ends_is_refused_at_the_call() -> None:
    assert "nested too deep" in refusal(from_schema(**{"$ref": "#"}))


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        ({"type": "array"}, 'write `"type": "object"`'),
        ({"type": "object", "required": "a"}, "this is no JSON Schema"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/a"}}}, "a: .* is another document"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/gone"}}}, "leads nowhere"),
        ({"type": "object", "properties": {"a": {"$dynamicRef": "#gone"}}}, "leads nowhere"),
        ({"type": "object", "properties": {"a": {"pattern": r"\p{L}"}}}, "this is no JSON Schema .* at a"),
        ({"type": "object", "patternProperties": {"(": {}}}, "this is no JSON Schema"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused(schema: dict[str, Any], hint: str) -> None:
    with pytest.raises(RegistrationError, match=hint):
        tool_from(anything, input_schema=schema)


def two(a: int, b: int = 0) -> None: ...


def test_a_function_with_named_parameters_fits_its_schema() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {}, "b": {}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert tool_from(two, input_schema=schema).arguments({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        ({"type": "object", "properties": {"c": {}}}, "does not take 'c'"),
        ({"type": "object", "properties": {"a": {}}}, "lets any argument through"),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, "'a' is not required"),
    ],
)
def test_a_function_that_cannot_take_what_its_schema_allows_is_refused(schema: dict[str, Any], hint: str) -> None:
    with pytest.raises(RegistrationError, match=hint):
        tool_from(two, input_schema=schema)


def test_a_ready_made_output_schema_is_enforced() -> None:
    def function() -> dict[str, int]: ...

    tool = tool_from(function, output_schema={"type": "object", "required": ["a"]})
    assert tool.output_schema == {"type": "object", "required": ["a"]}
    assert tool.result({"a": 1})["structuredContent"] == b'{"a":1}'
    with pytest.raises(OutputMismatch, match="a: is required"):
        tool.result({})


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.floats() | st.text() | st.lists(st.booleans())))
def test_any_arguments_are_taken_or_refused(arguments: dict[str, Any]) -> None:
    try:
        assert tool_from_conditional.arguments(arguments) == arguments
    except InvalidArguments as refused:
        assert str(refused).startswith("Invalid arguments: ")  # noqa: PT017


tool_from_conditional = tool_from(anything, input_schema=CONDITIONAL)
