from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from mcp_server.registry import Header, MirroredArgument, RegistrationError, tool_from
from mcp_server.registry.hosts import lint, refusals


def open_(**arguments: Any) -> None: ...


class Where(BaseModel):
    region: Annotated[str, Header("Region")]


def test_a_marked_argument_is_published_and_known() -> None:
    def function(
        region: Annotated[str, Header("Region")], count: Annotated[int | None, Header("Count")] = None
    ) -> None: ...

    tool = tool_from(function)
    assert tool.input_schema["properties"] == {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count", "default": None},
    }
    assert tool.headers == (
        MirroredArgument(("region",), "Region", "string"),
        MirroredArgument(("count",), "Count", "integer"),
    )
    assert tool.arguments({"region": "a", "count": None}) == {"region": "a", "count": None}


def test_a_marker_may_sit_in_a_nested_object() -> None:
    def function(where: Where) -> None: ...

    assert tool_from(function).headers == (MirroredArgument(("where", "region"), "Region", "string"),)


def test_a_marker_in_a_list_is_refused() -> None:
    def function(places: list[Where]) -> None: ...

    with pytest.raises(RegistrationError, match=r"places\[\]\.region: only a named property may have a header"):
        tool_from(function)


@pytest.mark.parametrize(
    ("properties", "hint"),
    [
        ({"a": {"type": "number", "x-mcp-header": "A"}}, "only a string, an integer or a boolean"),
        ({"a": {"type": ["string"], "x-mcp-header": "A"}}, "only a string, an integer or a boolean"),
        ({"a": {"type": "string", "x-mcp-header": ""}}, "a header name is"),
        ({"a": {"type": "string", "x-mcp-header": "A\r\nB"}}, "a header name is"),
        ({"a": {"type": "string", "x-mcp-header": 1}}, "a header name is"),
        (
            {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}},
            "b: .* is taken",
        ),
        ({"a": {"anyOf": [{"type": "string", "x-mcp-header": "A"}]}}, "only a named property"),
    ],
)
def test_an_invalid_marker_is_refused(properties: dict[str, Any], hint: str) -> None:
    with pytest.raises(RegistrationError, match=hint):
        tool_from(open_, input_schema={"type": "object", "properties": properties})


def test_a_marker_on_the_root_is_refused() -> None:
    with pytest.raises(RegistrationError, match="the root: only a named property"):
        tool_from(open_, input_schema={"type": "object", "x-mcp-header": "A"})


def test_a_marked_union_of_two_types_is_refused() -> None:
    def function(a: Annotated[int | str | None, Header("A")] = None) -> None: ...

    with pytest.raises(RegistrationError, match="only a string, an integer or a boolean"):
        tool_from(function)


def test_data_that_looks_like_a_marker_is_data() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"default": {"x-mcp-header": "A"}}, "x-mcp-header": {"type": "string"}},
    }
    assert tool_from(open_, input_schema=schema).headers == ()


def test_a_schema_that_is_only_true_or_false_is_walked_over() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": True, "b": {"anyOf": [True, False], "items": False}},
    }
    assert tool_from(open_, input_schema=schema).input_schema == schema


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129, "naïve"])
def test_a_name_that_hosts_refuse_is_refused(name: str) -> None:
    assert refusals(name, {"type": "object"}) != []


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(RegistrationError, match="give `name=`"):
        tool_from(lambda: None)
    assert tool_from(lambda: None, name="nothing").name == "nothing"


@pytest.mark.parametrize("keyword", ["$ref", "allOf", "anyOf", "enum", "not", "oneOf"])
def test_a_composed_root_is_refused_unless_it_is_verbatim(keyword: str) -> None:
    schema: dict[str, Any] = {"type": "object", keyword: []}
    assert refusals("a", schema) == [f"hosts refuse `{keyword}` at the root: move it into a property"]
    assert refusals("a", schema, verbatim=True) == []


@pytest.mark.parametrize(
    ("argument", "advice"),
    [
        ({"type": "integer"}, "give the number bounds"),
        ({"type": "number", "minimum": 1}, "give the number bounds"),
        ({"type": "string"}, "give the string a length"),
        ({"type": "array", "items": {}}, "give the array a length"),
        ({"type": "array", "maxItems": 1}, "say what the array holds"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "give the string a length"),
    ],
)
def test_the_lint_tells_what_is_unbounded(argument: dict[str, Any], advice: str) -> None:
    (found,) = lint({"type": "object", "properties": {"a": {"description": "d", **argument}}})
    assert found.startswith(f"a: {advice}")


@pytest.mark.parametrize(
    "argument",
    [
        {"type": "integer", "minimum": 1, "exclusiveMaximum": 9},
        {"type": "integer", "enum": [1]},
        {"type": "string", "maxLength": 5},
        {"type": "string", "format": "date"},
        {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
    ],
)
def test_the_lint_has_nothing_against_bounds(argument: dict[str, Any]) -> None:
    assert lint({"type": "object", "properties": {"a": {"description": "d", **argument}}}) == []


def test_the_lint_tells_what_is_not_described() -> None:
    def function(flag: bool, deep: Where, known: Annotated[bool, Field(description="d")]) -> None: ...

    assert [advice for advice in lint(tool_from(function).input_schema) if "describe it" in advice] == [
        "flag: describe it, in the docstring or with Field(description=...)",
        "deep: describe it, in the docstring or with Field(description=...)",
    ]
