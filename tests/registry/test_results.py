from __future__ import annotations

import dataclasses
import enum
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import mcp_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import from_json, to_json
from typing_extensions import TypedDict

from mcp_server.registry import (
    Audio,
    EmbeddedResource,
    File,
    Icon,
    Image,
    OutputMismatch,
    RegistrationError,
    ResourceLink,
    ToolResult,
    tool_from,
)
from mcp_server.registry.content import undeclared_result


class Page(BaseModel):
    items: list[dict[str, object]] = []
    at: datetime | None = None


class Node(BaseModel):
    children: list[Node] = []


@dataclasses.dataclass
class Point:
    x: int


class Row(TypedDict):
    id: int


class Colour(enum.Enum):
    RED = "red"


def returning(annotation: Any, **options: Any) -> Any:
    def function() -> Any: ...

    function.__annotations__["return"] = annotation
    return tool_from(function, **options)


def undeclared() -> Any:
    def function(): ...  # type: ignore[no-untyped-def]

    return tool_from(function)


def wire(result: dict[str, Any]) -> dict[str, Any]:
    """The result as a client reads it, checked against the official types."""
    document = {key: from_json(value) if isinstance(value, bytes) else value for key, value in result.items()}
    mcp_types.CallToolResult.model_validate(from_json(to_json(document)))
    return document


@pytest.mark.parametrize(
    ("annotation", "value", "structured"),
    [
        (Page, Page(items=[{"a": 1}]), {"items": [{"a": 1}], "at": None}),
        (Page, {"items": [], "at": "2026-01-31T00:00:00"}, {"items": [], "at": "2026-01-31T00:00:00"}),
        (Point, Point(1), {"x": 1}),
        (Point, {"x": 1}, {"x": 1}),
        (Row, {"id": 1}, {"id": 1}),
        (list[Row], [{"id": 1}, {"id": 2}], [{"id": 1}, {"id": 2}]),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (tuple[int, str], (1, "a"), [1, "a"]),
        (set[int], [1], [1]),
        (int, 5, 5),
        (float, 5, 5.0),
        (bool, True, True),
        (Colour, Colour.RED, "red"),
        (Page | None, None, None),
        (str | Page, "x", "x"),
        (Literal["a", "b"], "a", "a"),
    ],
)
def test_a_declared_value_is_checked_and_sent_twice(annotation: Any, value: Any, structured: Any) -> None:
    tool = returning(annotation)
    result = tool.result(value)
    assert tool.output_schema is not None
    assert wire(result)["structuredContent"] == structured
    (block,) = wire(result)["content"]
    assert block["text"] == (structured if isinstance(structured, str) else result["structuredContent"].decode())


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "5"),
        (int, True),
        (int, 5.0),
        (list[int], ["secret"]),
        (Page, {"items": 1}),
        (Page, object()),
        (Page, None),
        (Page, Page.model_construct(items="secret")),
        (dict[str, Any], {"a": object()}),
        (Row, {}),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_value_that_breaks_its_declaration_is_refused(annotation: Any, value: Any) -> None:
    with pytest.raises(OutputMismatch):
        returning(annotation).result(value)


@pytest.mark.parametrize(
    "annotation",
    [None, str, Any, object, NoReturn, str | None, Annotated[str, "note"], Image, list[Image], list[str | Image],
     Image | Page, mcp_types.CallToolResult, list[mcp_types.TextContent], ToolResult, Annotated[Image, "note"]],
)  # fmt: skip
def test_text_and_content_declare_no_structure(annotation: Any) -> None:
    tool = returning(annotation)
    assert tool.output_schema is None
    assert not tool.returns_object


def test_structure_may_be_switched_off() -> None:
    assert returning(Page, structured=False).output_schema is None


@pytest.mark.parametrize(
    ("annotation", "is_object"), [(Page, True), (Row, True), (list[int], False), (Page | None, False)]
)
def test_it_is_known_whether_structure_is_an_object(annotation: Any, is_object: bool) -> None:
    assert returning(annotation).returns_object is is_object


def test_a_result_that_contains_itself_has_an_object_at_its_root() -> None:
    schema = returning(Node).output_schema
    assert schema["type"] == "object"
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_a_return_type_without_a_schema_is_refused() -> None:
    class Plain: ...

    with pytest.raises(RegistrationError, match="the type of the result has no schema"):
        returning(Plain)


def test_text_is_one_block() -> None:
    assert wire(undeclared().result('a "b"')) == {"content": [{"type": "text", "text": 'a "b"'}]}


def test_nothing_is_no_block() -> None:
    assert undeclared().result(None) == {"content": []}


@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}, {"a": 2}], [], 5, 1.5, False, Point(1), Page()])
def test_an_undeclared_value_is_one_structure(value: Any) -> None:
    document = wire(undeclared().result(value))
    assert len(document["content"]) == 1
    assert document["structuredContent"] == from_json(to_json(value))


def test_what_json_cannot_hold_becomes_null() -> None:
    assert undeclared().result([float("nan")])["structuredContent"] == b"[null]"


@pytest.mark.parametrize("value", [b"raw", bytearray(b"raw")])
def test_bytes_are_refused_with_what_to_return(value: object) -> None:
    with pytest.raises(OutputMismatch, match="return Image"):
        undeclared().result(value)


@pytest.mark.parametrize("value", [object(), {"a": {1: object()}}, "\ud800"])
def test_what_has_no_form_in_json_is_refused(value: object) -> None:
    with pytest.raises(OutputMismatch, match="has no form in JSON"):
        undeclared().result(value)


def test_content_among_text_becomes_blocks() -> None:
    picture = Image(data=b"x")
    assert wire(undeclared().result(["a", picture, {"b": 1}]))["content"] == [
        {"type": "text", "text": "a"},
        picture.content(),
        {"type": "text", "text": '{"b":1}'},
    ]


def test_objects_of_the_official_types_pass_through() -> None:
    text = mcp_types.TextContent(text="a")
    assert wire(undeclared().result(text)) == {"content": [{"type": "text", "text": "a"}]}
    assert wire(undeclared().result([text, "b"]))["content"][1] == {"type": "text", "text": "b"}


def test_an_official_result_passes_through() -> None:
    given = mcp_types.CallToolResult(
        content=[mcp_types.TextContent(text="a")], structured_content={"a": None}, is_error=True
    )
    assert wire(undeclared().result(given)) == {
        "content": [{"type": "text", "text": "a"}],
        "structuredContent": {"a": None},
        "isError": True,
    }


def test_a_result_under_full_control() -> None:
    result = wire(undeclared().result(ToolResult(content="a", structured=[1], is_error=True, meta={"k": 1})))
    assert result == {
        "content": [{"type": "text", "text": "a"}],
        "structuredContent": [1],
        "isError": True,
        "_meta": {"k": 1},
    }


def test_a_controlled_result_writes_its_text_from_its_structure() -> None:
    assert wire(undeclared().result(ToolResult(structured={"a": 1})))["content"][0]["text"] == '{"a":1}'
    assert wire(undeclared().result(ToolResult())) == {"content": []}


def test_a_whole_result_still_keeps_to_the_declaration() -> None:
    tool = returning(Row)
    assert wire(tool.result(ToolResult(structured={"id": 1})))["structuredContent"] == {"id": 1}
    official = mcp_types.CallToolResult(content=[], structured_content={"id": 2})
    assert wire(tool.result(official))["structuredContent"] == {"id": 2}
    assert wire(tool.result(ToolResult(content="no", is_error=True)))["isError"] is True
    with pytest.raises(OutputMismatch):
        tool.result(ToolResult(structured={"id": "x"}))
    with pytest.raises(OutputMismatch, match="has no structured value"):
        tool.result(ToolResult(content="a"))


@pytest.mark.parametrize(
    ("value", "kind", "mime_type"),
    [
        (Image(data=b"x"), "image", "image/png"),
        (Image(data=b"x", format="WEBP"), "image", "image/webp"),
        (Image(data=b"x", mime_type="image/x-own"), "image", "image/x-own"),
        (Audio(data=b"x"), "audio", "audio/wav"),
        (Audio(data=b"x", format="mp3"), "audio", "audio/mpeg"),
    ],
)
def test_media_are_base64_with_their_type(value: Image | Audio, kind: str, mime_type: str) -> None:
    assert wire(undeclared().result(value))["content"] == [{"type": kind, "data": "eA==", "mimeType": mime_type}]


def test_a_path_is_read_when_the_result_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    picture = Image(path=path)
    path.write_bytes(b"x")
    assert picture.content() == {"type": "image", "data": "eA==", "mimeType": "image/gif"}


@pytest.mark.parametrize("kind", [Image, Audio, File])
def test_media_come_from_data_or_from_a_path(kind: type[Image]) -> None:
    neither: dict[str, Any] = {}
    both: dict[str, Any] = {"data": b"", "path": "a"}
    for arguments in (neither, both):
        with pytest.raises(ValueError, match="data="):
            kind(**arguments)


@pytest.mark.parametrize(
    ("value", "resource"),
    [
        (File(data=b"a,b", format="csv"), {"uri": "file:///file.csv", "mimeType": "text/csv", "text": "a,b"}),
        (File(data=b"{}", name="a.json"), {"uri": "file:///a.json", "mimeType": "application/json", "text": "{}"}),
        (
            File(data=b"\xff", mime_type="text/plain", uri="x:y"),
            {"uri": "x:y", "mimeType": "text/plain", "blob": "/w=="},
        ),
        (File(data=b"x"), {"uri": "file:///file.bin", "mimeType": "application/octet-stream", "blob": "eA=="}),
        (EmbeddedResource("x:y", "text"), {"uri": "x:y", "text": "text"}),
        (
            EmbeddedResource("x:y", b"x", "a/b", {"k": 1}),
            {"uri": "x:y", "mimeType": "a/b", "blob": "eA==", "_meta": {"k": 1}},
        ),
    ],
)
def test_files_are_embedded_resources(value: File | EmbeddedResource, resource: dict[str, Any]) -> None:
    assert wire(undeclared().result(value))["content"] == [{"type": "resource", "resource": resource}]


def test_a_file_from_a_path_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    assert File(path=path).content()["resource"] == {"uri": "file:///a.txt", "mimeType": "text/plain", "text": "x"}


def test_a_link_carries_what_a_list_would_show() -> None:
    link = ResourceLink(
        uri="x:y", name="n", title="t", size=1, icons=[Icon("https://x/i", "image/png", ("any",), "dark")]
    )
    assert wire(undeclared().result(link))["content"] == [
        {
            "type": "resource_link",
            "uri": "x:y",
            "name": "n",
            "title": "t",
            "size": 1,
            "icons": [{"src": "https://x/i", "mimeType": "image/png", "sizes": ["any"], "theme": "dark"}],
        }
    ]


LONG_TEXTS = st.text(st.sampled_from('abc "\\/\n\x00\x1f\x7fé\u2028😀'), max_size=40).map(lambda it: it + "x" * 5000)


@given(st.dictionaries(st.text(max_size=5), LONG_TEXTS | st.lists(st.integers(), max_size=5), min_size=1, max_size=5))
def test_the_text_of_a_long_result_is_its_structure(value: dict[str, Any]) -> None:
    result = undeclared_result(value)
    [block] = json.loads(result["content"])
    assert block["text"].encode() == result["structuredContent"]
    assert json.loads(block["text"]) == value


def test_a_result_with_many_quotes_is_quoted_all_the_same() -> None:
    value = {f"key {number}": "value" for number in range(1000)}
    [block] = json.loads(undeclared_result(value)["content"])
    assert json.loads(block["text"]) == value
