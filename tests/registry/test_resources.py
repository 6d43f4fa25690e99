from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import mcp_types
import pytest
from pydantic import BaseModel, TypeAdapter

from mcp_server.registry import (
    EmbeddedResource,
    File,
    Icon,
    Image,
    InvalidArguments,
    OutputMismatch,
    RegistrationError,
    ResourceLink,
    fixed_resource,
    resource_from,
    template_from,
)

CONTENTS = TypeAdapter(list[mcp_types.TextResourceContents | mcp_types.BlobResourceContents])
URI = "catalog://items"


class Context: ...


class Page(BaseModel):
    items: list[int]


def items() -> str:
    """All items."""
    return ""


def item(item_id: int, detail: Literal["low", "high"] = "low") -> str:
    """One item."""
    return ""


def echo(value: str) -> list[str]: ...


RESOURCE = resource_from(items, URI)


def test_a_resource_is_listed_with_what_is_known() -> None:
    resource = resource_from(
        items, URI, title="Items", mime_type="text/plain", size=3, tags={"b", "a"}, meta={"k": 1}, icons=[Icon("https://x/i")],
        audience=["user"], priority=0.5, last_modified="2026-01-31T00:00:00Z",
    )  # fmt: skip
    entry = resource.listing()
    assert entry == {
        "uri": URI,
        "name": "items",
        "title": "Items",
        "description": "All items.",
        "icons": [{"src": "https://x/i"}],
        "mimeType": "text/plain",
        "annotations": {"audience": ["user"], "priority": 0.5, "lastModified": "2026-01-31T00:00:00Z"},
        "_meta": {"k": 1, "mcp-server/tags": ["a", "b"]},
        "size": 3,
    }
    mcp_types.Resource.model_validate(entry)


def test_a_resource_keeps_how_long_it_may_be_cached() -> None:
    resource = resource_from(items, URI, ttl_ms=0, cache_scope="public", timeout=2.5)
    assert (resource.ttl_ms, resource.cache_scope, resource.timeout) == (0, "public", 2.5)


@pytest.mark.parametrize(
    ("uri", "options", "hint"),
    [
        ("items", {}, "begin with a scheme"),
        ("a://{b}", {}, "register it as a template"),
        (URI, {"ttl_ms": -1}, "`ttl_ms` must be at least 0"),
        (URI, {"timeout": 0}, "`timeout` must be more than 0"),
        (URI, {"priority": 2}, "from 0 to 1"),
        (URI, {"tags": "one"}, r"write `tags=\['one'\]`"),
    ],
)
def test_what_cannot_be_served_is_refused(uri: str, options: Any, hint: str) -> None:
    with pytest.raises(RegistrationError, match=hint):
        resource_from(items, uri, **options)


def test_a_fixed_resource_has_nobody_to_give_it_arguments() -> None:
    with pytest.raises(RegistrationError, match=r"put {item_id} into the URI"):
        resource_from(item, URI)


def test_a_resource_may_ask_for_the_context() -> None:
    def function(ctx: Context) -> str: ...

    assert [hidden.name for hidden in resource_from(function, URI, context_type=Context).hidden] == ["ctx"]


@pytest.mark.parametrize(
    ("value", "contents"),
    [
        ("a", [{"uri": URI, "mimeType": "text/plain", "text": "a"}]),
        (b"x", [{"uri": URI, "mimeType": "application/octet-stream", "blob": "eA=="}]),
        ({"a": 1}, [{"uri": URI, "mimeType": "application/json", "text": '{"a":1}'}]),
        ([1, 2], [{"uri": URI, "mimeType": "application/json", "text": "[1,2]"}]),
        ([], [{"uri": URI, "mimeType": "application/json", "text": "[]"}]),
        (Page(items=[1]), [{"uri": URI, "mimeType": "application/json", "text": '{"items":[1]}'}]),
        (File(data=b"a,b", format="csv"), [{"uri": URI, "mimeType": "text/csv", "text": "a,b"}]),
        (File(data=b"a", name="a.txt", uri="x:a"), [{"uri": "x:a", "mimeType": "text/plain", "text": "a"}]),
        (Image(data=b"x"), [{"uri": URI, "mimeType": "image/png", "blob": "eA=="}]),
        (
            [EmbeddedResource("x:a", "a"), EmbeddedResource("x:b", b"x")],
            [{"uri": "x:a", "text": "a"}, {"uri": "x:b", "blob": "eA=="}],
        ),
        (mcp_types.TextResourceContents(uri="x:a", text="a"), [{"uri": "x:a", "text": "a"}]),
        ([mcp_types.BlobResourceContents(uri="x:a", blob="eA==")], [{"uri": "x:a", "blob": "eA=="}]),
        (
            mcp_types.ReadResourceResult(
                contents=[mcp_types.TextResourceContents(uri="x:a", text="a")], ttl_ms=0, cache_scope="private"
            ),
            [{"uri": "x:a", "text": "a"}],
        ),
    ],
)  # fmt: skip
def test_a_value_becomes_contents(value: Any, contents: list[dict[str, Any]]) -> None:
    made = RESOURCE.contents(value, URI)
    CONTENTS.validate_python(made)
    assert made == contents


def test_the_declared_media_type_wins() -> None:
    resource = resource_from(items, URI, mime_type="text/markdown")
    assert resource.contents("# a", URI)[0]["mimeType"] == "text/markdown"


@pytest.mark.parametrize("value", [None, ResourceLink(uri="x:a", name="a"), object()])
def test_what_is_no_content_of_a_resource_is_refused(value: object) -> None:
    with pytest.raises(OutputMismatch):
        RESOURCE.contents(value, URI)


def test_a_text_may_be_served_without_a_function() -> None:
    resource = fixed_resource("a://b/readme", text="hé", description="Read me.")
    assert resource.listing() == {"uri": "a://b/readme", "name": "readme", "description": "Read me.", "size": 3}
    assert resource.contents(resource.function(), resource.uri)[0]["text"] == "hé"


def test_bytes_may_be_served_without_a_function() -> None:
    resource = fixed_resource("a://b", data=b"", name="nothing")
    assert (resource.name, resource.size) == ("nothing", 0)
    assert resource.contents(resource.function(), resource.uri)[0]["blob"] == ""


def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    resource = fixed_resource("a://b/", path=path)
    path.write_text("# a")
    assert resource.name == "a://b/"
    assert resource.contents(resource.function(), resource.uri) == [
        {"uri": "a://b/", "mimeType": "text/markdown", "text": "# a"}
    ]


def test_a_fixed_resource_comes_from_one_place() -> None:
    with pytest.raises(RegistrationError, match="give one of"):
        fixed_resource(URI)


def test_a_template_is_listed_with_its_text() -> None:
    template = template_from(item, "catalog://items/{item_id}{?detail}", mime_type="text/plain")
    entry = template.listing()
    assert entry == {
        "uriTemplate": "catalog://items/{item_id}{?detail}",
        "name": "item",
        "description": "One item.",
        "mimeType": "text/plain",
    }
    mcp_types.ResourceTemplate.model_validate(entry)


def test_variables_become_arguments_of_the_right_type() -> None:
    template = template_from(item, "catalog://items/{item_id}{?detail}")
    values = template.template.match("catalog://items/5?detail=high")
    assert values is not None
    assert template.arguments(values) == {"item_id": 5, "detail": "high"}
    with pytest.raises(
        InvalidArguments, match=r"^Invalid arguments: item_id: must be an integer; detail: must be 'low' or 'high'$"
    ):
        template.arguments({"item_id": "x", "detail": "secret"})


@pytest.mark.parametrize(
    ("uri_template", "hint"),
    [
        ("a://{item_id}/{other}{?detail}", "add `other: str`"),
        ("a://{item_id}", "add {\\?detail}"),
        ("a://{detail}{?item_id}", "give it a default"),
        ("{item_id}{?detail}", "begin with a scheme"),
    ],
)
def test_variables_and_parameters_have_to_agree(uri_template: str, hint: str) -> None:
    with pytest.raises(RegistrationError, match=hint):
        template_from(item, uri_template)


def test_a_choice_completes_itself_and_others_may_be_taught() -> None:
    template = template_from(item, "a://{item_id}{?detail}")
    assert list(template.completers) == ["detail"]
    taught = template.with_completer("item_id", echo)
    assert list(taught.completers) == ["detail", "item_id"]
    with pytest.raises(RegistrationError, match="no variable 'gone'"):
        template.with_completer("gone", echo)
