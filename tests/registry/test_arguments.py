from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from mcp_server.registry import InvalidArguments, RegistrationError, Tool, tool_from

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Colour(enum.Enum):
    RED = "red"


class Closed(BaseModel):
    number: int = 0
    ratio: float = 0.0


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    number: int = 0
    inner: Closed | None = None


class Node(BaseModel):
    name: str
    children: list[Node] = []


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Row(TypedDict):
    id: int


class Pair(NamedTuple):
    a: int
    b: str


def plain(
    query: Annotated[str, Field(min_length=1, max_length=5)], limit: Annotated[int, Field(ge=1, le=50)] = 10
) -> None: ...
def rich(
    *,
    when: datetime | None = None,
    day: date | None = None,
    key: UUID | None = None,
    closed: Closed | None = None,
    open: Open | None = None,  # noqa: A002
    tags: set[str] | None = None,
    pair: tuple[int, str] | None = None,
    named: Pair | None = None,
    point: Point | None = None,
    row: Row | None = None,
    level: Level | None = None,
    colour: Colour | None = None,
    choice: Literal[1, 2, "a"] | None = None,
    raw: bytes | None = None,
    either: int | str | None = None,
    anything: Any = None,
    table: dict[int, float] | None = None,
) -> None: ...
def simple(
    *,
    row: Row | None = None,
    numbers: list[float] = [],  # noqa: B006
    choice: Literal[1] | None = None,
    anything: Any = None,
    flag: bool = False,
    table: dict[str, int] | None = None,
) -> None: ...


PLAIN, RICH, SIMPLE = tool_from(plain), tool_from(rich), tool_from(simple)


def refusal(tool: Tool, **arguments: Any) -> str:
    with pytest.raises(InvalidArguments) as refused:
        tool.arguments(arguments)
    return str(refused.value).removeprefix("Invalid arguments: ")


def test_right_arguments_are_passed_on_without_defaults() -> None:
    assert PLAIN.arguments({"query": "x"}) == {"query": "x"}


@pytest.mark.parametrize("limit", ["5", True, 5.0, 5.5, None, [5], {}])
def test_an_integer_is_an_integer(limit: object) -> None:
    assert refusal(PLAIN, query="x", limit=limit) == "limit: must be an integer"


def test_every_problem_is_named_with_its_rule() -> None:
    assert refusal(PLAIN, limit=51, colour=1) == (
        "query: is required; limit: must be at most 50; colour: is not a known argument"
    )


def test_no_value_is_repeated() -> None:
    assert "hunter2" not in refusal(PLAIN, query="hunter2-hunter2", limit="hunter2")


def test_a_long_list_of_problems_is_cut() -> None:
    text = refusal(PLAIN, query="x", **{f"extra{index}": 1 for index in range(30)})
    assert text.endswith("; and 20 more")


def test_a_long_or_unprintable_name_is_made_harmless() -> None:
    text = refusal(PLAIN, query="x", **{"k" * 5000: 1, "a\nb": 2})
    assert len(text) < 200
    assert "a?b: is not a known argument" in text


def test_a_long_path_is_cut() -> None:
    nested: Any = 1e999
    for _ in range(100):
        nested = {"keykey": nested}
    assert len(refusal(SIMPLE, anything=nested)) < 200


@pytest.mark.parametrize("tool", [SIMPLE, RICH])
def test_an_extra_key_is_refused_at_depth(tool: Tool) -> None:
    assert refusal(tool, row={"id": 1, "x": 1}) == "row.x: is not a known argument"


def test_an_extra_key_of_a_model_is_refused() -> None:
    assert refusal(RICH, closed={"number": 1, "x": 2}) == "closed.x: is not a known argument"
    assert refusal(RICH, point={"x": 1, "z": 2}) == "point.z: is not a known argument"


def test_a_model_that_allows_extras_gets_them_and_its_own_models_do_not() -> None:
    assert RICH.arguments({"open": {"more": 1}})["open"].more == 1
    assert refusal(RICH, open={"inner": {"more": 1}}) == "open.inner.more: is not a known argument"


@pytest.mark.parametrize("number", ["1", True, 1.0])
def test_a_model_is_as_strict_as_an_argument(number: object) -> None:
    assert refusal(RICH, closed={"number": number}) == "closed.number: must be an integer"
    assert refusal(RICH, row={"id": number}) == "row.id: must be an integer"
    assert refusal(RICH, point={"x": number}) == "point.x: must be an integer"


def test_an_author_may_relax_a_field() -> None:
    def function(limit: Annotated[int, Field(strict=False)]) -> None: ...

    assert tool_from(function).arguments({"limit": "5"}) == {"limit": 5}


def test_what_json_lacks_is_written_as_strings_and_lists() -> None:
    key = UUID("4ca6e1bd-5fd6-4c7f-8e91-9417fed3e7f9")
    given = {
        "when": "2026-01-31T13:45:00", "day": "2026-01-31", "key": str(key), "closed": {}, "tags": ["a", "a"],
        "pair": [1, "a"], "named": [1, "a"], "point": {"x": 1}, "level": 2, "colour": "red", "raw": "abc",
        "table": {"1": 2},
    }  # fmt: skip
    assert RICH.arguments(given) == {
        "when": datetime(2026, 1, 31, 13, 45),  # noqa: DTZ001 - none was sent
        "day": date(2026, 1, 31), "key": key, "closed": Closed(), "tags": {"a"}, "pair": (1, "a"),
        "named": Pair(1, "a"), "point": Point(1), "level": Level.HIGH, "colour": Colour.RED, "raw": b"abc",
        "table": {1: 2.0},
    }  # fmt: skip


def test_a_missing_member_of_a_tuple_is_named() -> None:
    assert refusal(RICH, pair=[1]) == "pair[1]: is required"


@pytest.mark.parametrize("tool", [SIMPLE, RICH])
@pytest.mark.parametrize("lookalike", [True, 1.0])
def test_a_literal_refuses_lookalikes(tool: Tool, lookalike: object) -> None:
    assert refusal(tool, choice=lookalike).startswith("choice: must be 1")
    assert tool.arguments({"choice": 1}) == {"choice": 1}


def test_an_enum_refuses_lookalikes() -> None:
    assert refusal(RICH, level=True) == refusal(RICH, level=2.0) == "level: must be 1 or 2"


def test_a_union_names_all_its_rules_once_and_no_branch() -> None:
    assert refusal(RICH, either=1.5) == "either: must be an integer or must be a string"


@pytest.mark.parametrize("tool", [SIMPLE, RICH])
def test_a_number_that_json_cannot_hold_is_refused_at_any_depth(tool: Tool) -> None:
    assert refusal(tool, anything={"a": [0.5, {"b": float("inf")}]}) == "anything.a[1].b: must be a finite number"
    assert refusal(RICH, closed={"ratio": float("nan")}) == "closed.ratio: must be a finite number"


def test_a_number_that_json_cannot_hold_is_refused_where_a_number_is_due() -> None:
    def function(numbers: list[float]) -> None: ...

    assert refusal(tool_from(function), numbers=[float("inf")]) == "numbers[0]: must be a finite number"


def test_half_a_surrogate_pair_is_refused() -> None:
    assert refusal(PLAIN, query="\ud800") == "query: must be valid Unicode"
    assert refusal(RICH, anything="\ud800") == "the arguments must be valid Unicode"


def test_the_string_null_is_a_string() -> None:
    def function(name: str | None = None) -> None: ...

    assert tool_from(function).arguments({"name": "null"}) == {"name": "null"}


def test_the_words_of_an_exception_are_not_passed_on() -> None:
    def check(value: str) -> str:
        raise ValueError(f"no {value}")

    def function(name: Annotated[str, AfterValidator(check)]) -> None: ...

    assert refusal(tool_from(function), name="secret") == "name: is not acceptable"


def test_the_words_that_an_author_chose_are_passed_on() -> None:
    def check(value: str) -> str:
        raise PydanticCustomError("taken", "is taken")

    def function(name: Annotated[str, AfterValidator(check)]) -> None: ...

    assert refusal(tool_from(function), name="secret") == "name: is taken"


def test_a_rule_without_words_of_its_own_is_still_a_refusal() -> None:
    def function(number: complex) -> None: ...

    assert refusal(tool_from(function), number="secret") == "number: is not valid"


def test_a_tagged_union_says_which_tags_there_are() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]
        age: int

    def function(pet: Annotated[Cat | Dog, Field(discriminator="kind")]) -> None: ...

    tool = tool_from(function)
    assert refusal(tool, pet={"kind": "cow"}) == "pet: must have one of these under 'kind': 'cat', 'dog'"
    assert refusal(tool, pet={"kind": "dog"}) == "pet.age: is required"


def test_a_labelled_union_is_as_strict_as_a_plain_one() -> None:
    def function(either: Annotated[Literal[1], Tag("one")] | Annotated[str, Tag("text")]) -> None: ...

    tool = tool_from(function)
    assert tool.arguments({"either": 1}) == {"either": 1}
    assert refusal(tool, either=True) == "either: must be 1 or must be a string"


def test_a_title_that_an_author_chose_is_published() -> None:
    class Titled(BaseModel):
        model_config = ConfigDict(title="Chosen")

    def function(a: Titled) -> None: ...

    assert tool_from(function).input_schema["properties"]["a"]["title"] == "Chosen"


def test_an_alias_is_the_name_on_the_wire() -> None:
    def function(from_: Annotated[str, Field(alias="from")]) -> None: ...

    tool = tool_from(function)
    assert tool.arguments({"from": "a"}) == {"from_": "a"}
    assert list(tool.input_schema["properties"]) == ["from"]


def test_a_default_in_a_field_is_filled_in_and_published() -> None:
    def function(limit: int = Field(10, ge=1), size: Annotated[int, Field(default=3)] = ...) -> None: ...  # type: ignore[assignment]

    def only_annotated(size: Annotated[int, Field(default=3)]) -> None: ...

    assert tool_from(only_annotated).arguments({}) == {"size": 3}
    with pytest.raises(RegistrationError, match="two defaults"):
        tool_from(function)


def test_the_schema_is_closed_at_every_depth_that_is_not_opened() -> None:
    properties = RICH.input_schema["properties"]
    assert RICH.input_schema["additionalProperties"] is False
    assert properties["closed"]["anyOf"][0]["additionalProperties"] is False
    assert properties["open"]["anyOf"][0]["additionalProperties"] is True
    assert properties["row"]["anyOf"][0]["additionalProperties"] is False


def test_references_are_written_out_and_titles_left_away() -> None:
    def function(point: Point, colour: Colour) -> None: ...

    assert tool_from(function).input_schema == {
        "type": "object",
        "properties": {
            "point": {
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                "required": ["x"],
                "additionalProperties": False,
            },
            "colour": {"enum": ["red"], "type": "string"},
        },
        "required": ["point", "colour"],
        "additionalProperties": False,
    }


def test_a_type_that_contains_itself_keeps_its_definition() -> None:
    def function(node: Node) -> None: ...

    schema = tool_from(function).input_schema
    assert schema["properties"]["node"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_a_tuple_is_published_with_items() -> None:
    def function(pair: tuple[int, str], same: tuple[int, int]) -> None: ...

    properties = tool_from(function).input_schema["properties"]
    assert properties["pair"]["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert properties["same"]["items"] == {"type": "integer"}


def test_a_tool_without_parameters_publishes_an_empty_object() -> None:
    def function() -> None: ...

    assert tool_from(function).input_schema == {"type": "object", "properties": {}, "additionalProperties": False}


def test_docstrings_describe_arguments_and_annotations_win() -> None:
    def function(a: int, b: Annotated[int, Field(description="own", json_schema_extra={"examples": [1]})] = 1) -> None:
        """Do.

        Args:
            a: from the docstring
            b: from the docstring
        """

    properties = tool_from(function).input_schema["properties"]
    assert properties["a"]["description"] == "from the docstring"
    assert properties["b"] == {"default": 1, "description": "own", "examples": [1], "type": "integer"}


def test_a_default_that_json_cannot_express_is_not_published() -> None:
    def function(a: Any = object()) -> None: ...  # noqa: B008

    assert "default" not in tool_from(function).input_schema["properties"]["a"]


@pytest.mark.parametrize("annotation", [object, type, Any])
def test_a_type_that_takes_anything_is_published_as_such(annotation: Any) -> None:
    def function(a: Any) -> None: ...

    function.__annotations__["a"] = annotation
    if annotation is type:
        with pytest.raises(RegistrationError, match="write a type that JSON has"):
            tool_from(function)
    else:
        assert tool_from(function).input_schema["properties"]["a"] == {}


def test_a_class_without_a_schema_is_refused() -> None:
    class Plain: ...

    def function(a: Plain) -> None: ...

    with pytest.raises(RegistrationError, match="tool function: the type of the parameters has no schema"):
        tool_from(function)


def test_an_array_without_items_is_refused() -> None:
    def function(a: Annotated[list[Any], WithJsonSchema({"type": "array"})]) -> None: ...

    with pytest.raises(RegistrationError, match="a: hosts refuse an array without `items`"):
        tool_from(function)


@given(st.dictionaries(st.sampled_from(["query", "limit", "x"]) | st.text(), JSON))
def test_plain_arguments_are_taken_or_refused(arguments: dict[str, Any]) -> None:
    _taken_or_refused(PLAIN, arguments)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(list(RICH.input_schema["properties"])) | st.text(), JSON))
def test_rich_arguments_are_taken_or_refused(arguments: dict[str, Any]) -> None:
    _taken_or_refused(RICH, arguments)
    _taken_or_refused(SIMPLE, arguments)


def _taken_or_refused(tool: Tool, arguments: dict[str, Any]) -> None:
    try:
        assert tool.arguments(arguments).keys() == arguments.keys()
    except InvalidArguments as refused:
        assert len(str(refused)) < 5000  # noqa: PT017
