from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import mcp_types
import pytest
from pydantic import BaseModel, Field

from mcp_server.registry import (
    AssistantMessage,
    Completion,
    Image,
    InvalidArguments,
    OutputMismatch,
    RegistrationError,
    UserMessage,
    completer_from,
    prompt_from,
)


class Filter(BaseModel):
    tag: str
    limit: int = 1


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def review(
    *,
    item_id: Annotated[str, Field(description="which item", max_length=5)],
    count: int = 1,
    deep: bool = False,
    ids: list[int] = [],  # noqa: B006
    where: Filter | None = None,
    level: Annotated[Level | None, "note"] = None,
    tone: Literal["kind", "harsh"] = "kind",
) -> str:
    """Review an item.

    Args:
        item_id: hidden by the annotation
        count: how often
    """
    return ""


PROMPT = prompt_from(review)


def say() -> str: ...


def messages(value: Any) -> list[dict[str, Any]]:
    result = prompt_from(say).result(value)
    mcp_types.GetPromptResult.model_validate(result)
    return result["messages"]


def test_a_prompt_is_listed_with_its_arguments() -> None:
    entry = PROMPT.listing()
    mcp_types.Prompt.model_validate(entry)
    assert entry["name"] == "review"
    assert entry["description"] == "Review an item."
    assert entry["arguments"][:3] == [
        {"name": "item_id", "description": "which item", "required": True},
        {"name": "count", "description": "how often", "required": False},
        {"name": "deep", "required": False},
    ]


def test_a_prompt_without_arguments_lists_none() -> None:
    assert prompt_from(say, title="Say", tags=["a"]).listing() == {
        "name": "say",
        "title": "Say",
        "_meta": {"mcp-server/tags": ["a"]},
    }


def test_strings_become_what_the_function_takes() -> None:
    given = {
        "item_id": "null", "count": "5", "deep": "true", "ids": "[1, 2]", "where": '{"tag": "a"}', "level": "2",
        "tone": "harsh",
    }  # fmt: skip
    assert PROMPT.arguments(given) == {
        "item_id": "null", "count": 5, "deep": True, "ids": [1, 2], "where": Filter(tag="a"), "level": Level.HIGH,
        "tone": "harsh",
    }  # fmt: skip


def test_every_problem_is_named_without_its_value() -> None:
    given = {"count": "secret", "ids": "[1", "where": '{"tag": 1, "x": 1}', "level": "9", "gone": "a", "tone": 1}
    with pytest.raises(InvalidArguments) as refused:
        PROMPT.arguments(given)
    assert str(refused.value).removeprefix("Invalid arguments: ").split("; ") == [
        "item_id: is required",
        "count: must be an integer",
        "ids: must be valid JSON",
        "where.tag: must be a string",
        "where.x: is not a known argument",
        "level: must be 1 or 2",
        "gone: is not a known argument",
        "tone: must be a string",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "hello",
        UserMessage("hello"),
        ["hello"],
        {"role": "user", "content": "hello"},
        {"role": "user", "content": {"type": "text", "text": "hello"}},
        mcp_types.PromptMessage(role="user", content=mcp_types.TextContent(text="hello")),
        mcp_types.TextContent(text="hello"),
        mcp_types.GetPromptResult(
            messages=[mcp_types.PromptMessage(role="user", content=mcp_types.TextContent(text="hello"))]
        ),
    ],
)
def test_a_value_becomes_a_message(value: Any) -> None:
    assert messages(value) == [{"role": "user", "content": {"type": "text", "text": "hello"}}]


def test_a_conversation_keeps_its_roles() -> None:
    made = messages(["a", AssistantMessage("b"), UserMessage(Image(data=b"x"))])
    assert [message["role"] for message in made] == ["user", "assistant", "user"]
    assert made[2]["content"]["type"] == "image"


def test_the_description_comes_from_the_function_or_from_an_official_result() -> None:
    assert PROMPT.result("a")["description"] == "Review an item."
    assert PROMPT.result(mcp_types.GetPromptResult(description="own", messages=[])) == {
        "description": "own",
        "messages": [],
    }


@pytest.mark.parametrize("value", [None, 5, b"x", {"role": "system", "content": "a"}, {"role": "user"}])
def test_what_is_no_message_is_refused(value: Any) -> None:
    with pytest.raises(OutputMismatch):
        messages(value)


def test_choices_complete_themselves() -> None:
    assert list(PROMPT.completers) == ["deep", "level", "tone"]
    completer = PROMPT.completers["tone"]
    assert completer.result(completer.function(*completer.arguments("K", {}))) == {"values": ["kind"]}


def test_an_argument_may_be_taught_to_complete() -> None:
    async def complete(value: str, context: dict[str, str]) -> list[str]:
        return [value, *context]

    completer = PROMPT.with_completer("item_id", complete).completers["item_id"]
    assert (completer.is_async, completer.arguments("a", {"b": "c"})) == (True, ("a", {"b": "c"}))
    with pytest.raises(RegistrationError, match="no argument 'gone'"):
        PROMPT.with_completer("gone", complete)


def suggest(value: str) -> list[str]: ...


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (["a"], {"values": ["a"]}),
        (("a",), {"values": ["a"]}),
        (None, {"values": []}),
        (Completion(["a"], total=5, has_more=True), {"values": ["a"], "total": 5, "hasMore": True}),
        (["a"] * 101, {"values": ["a"] * 100, "total": 101, "hasMore": True}),
        (Completion(["a"] * 101, total=500), {"values": ["a"] * 100, "total": 500, "hasMore": True}),
    ],
)
def test_a_completion_is_cut_to_what_is_allowed(value: Any, answer: dict[str, Any]) -> None:
    mcp_types.Completion.model_validate(answer)
    assert completer_from(suggest).result(value) == answer


@pytest.mark.parametrize("value", ["abc", [1], 5])
def test_what_is_no_completion_is_refused(value: Any) -> None:
    with pytest.raises(OutputMismatch, match="list of strings"):
        completer_from(suggest).result(value)


def nothing() -> list[str]: ...
def three(a: str, b: str, c: str = "") -> list[str]: ...
def keyword(a: str, *, b: str) -> list[str]: ...


@pytest.mark.parametrize("function", [nothing, three, keyword])
def test_a_completer_takes_the_value_and_perhaps_the_others(function: Any) -> None:
    with pytest.raises(RegistrationError, match="takes the value so far"):
        completer_from(function)
