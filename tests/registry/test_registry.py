from __future__ import annotations

import os
import subprocess
import sys
import threading
from base64 import urlsafe_b64encode
from typing import Annotated, Any

import mcp_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from mcp_server.registry import (
    BadCursor,
    Header,
    Icon,
    Kind,
    RegistrationError,
    Registry,
    Tool,
    fixed_resource,
    prompt_from,
    template_from,
    tool_from,
)


class Page(BaseModel):
    items: list[str]


def nothing() -> None: ...
def greet(name: str) -> str: ...
def echo(value: str) -> list[str]: ...


def named(name: str) -> Tool:
    return tool_from(nothing, name=name)


def registry_of(*names: str, page_size: int = 1000) -> Registry:
    registry = Registry(page_size=page_size, lint="off")
    for name in names:
        registry.add(named(name))
    return registry


def names_from(registry: Registry, cursor: str | None = None) -> list[str]:
    page = registry.page("tools", cursor)
    names = [item["name"] for item in page.items]
    return names + names_from(registry, page.next_cursor) if page.next_cursor is not None else names


def test_a_tool_is_listed_with_all_that_is_known() -> None:
    def search(query: Annotated[str, Header("Query")]) -> Page:
        """Search."""
        return Page(items=[query])

    tool = tool_from(
        search, title="Search", read_only=True, destructive=False, idempotent=True, open_world=False,
        icons=[Icon("https://x/i")], tags=["a"], meta={"k": 1}, timeout=1.5, concurrency=2,
    )  # fmt: skip
    entry = tool.listing()
    mcp_types.Tool.model_validate(entry)
    assert list(entry) == [
        "name", "title", "description", "icons", "inputSchema", "outputSchema", "annotations", "_meta",
    ]  # fmt: skip
    assert entry["annotations"] == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }
    assert entry["_meta"] == {"k": 1, "mcp-server/tags": ["a"]}
    assert (tool.timeout, tool.concurrency, tool.hidden, tool.is_async) == (1.5, 2, (), False)


def test_a_bare_tool_lists_no_more_than_it_must() -> None:
    assert list(tool_from(nothing).listing()) == ["name", "inputSchema"]


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": float("nan")}, {"concurrency": -1}])
def test_a_limit_that_nothing_could_keep_is_refused(options: Any) -> None:
    with pytest.raises(RegistrationError, match="must be more than 0"):
        tool_from(nothing, **options)


def test_a_prompt_needs_a_name() -> None:
    class Nameless:
        __name__ = ""

        def __call__(self) -> str: ...

    with pytest.raises(RegistrationError, match="needs a name"):
        prompt_from(Nameless())


def test_everything_is_found_in_the_order_it_came() -> None:
    registry = registry_of("b", "a")
    registry.add(fixed_resource("a://b", text=""))
    registry.add(template_from(greet, "a://{name}"))
    registry.add(prompt_from(greet))
    assert (list(registry.tools), list(registry.resources), list(registry.templates), list(registry.prompts)) == (
        ["b", "a"],
        ["a://b"],
        ["a://{name}"],
        ["greet"],
    )


def test_a_second_of_the_same_name_is_refused_unless_it_replaces() -> None:
    registry = registry_of("a", "b")
    with pytest.raises(RegistrationError, match="'a' is in the tools already"):
        registry.add(named("a"))
    registry.add(tool_from(nothing, name="a", title="new"), replace=True)
    assert [tool.title for tool in registry.tools.values()] == ["new", None]


def test_what_was_removed_is_gone() -> None:
    registry = registry_of("a", "b")
    registry.remove("tools", "a")
    assert list(registry.tools) == ["b"]
    with pytest.raises(KeyError):
        registry.remove("tools", "a")


def test_a_snapshot_does_not_change() -> None:
    registry = registry_of("a")
    before = registry.tools
    registry.add(named("b"))
    assert list(before) == ["a"]


def test_changes_are_told_until_they_are_no_longer_wanted() -> None:
    registry = Registry()
    told: list[Kind] = []
    stop = registry.on_change(told.append)
    registry.add(named("a"))
    registry.add(prompt_from(nothing))
    registry.remove("tools", "a")
    stop()
    registry.add(named("b"))
    assert told == ["tools", "prompts", "tools"]


def test_a_refused_change_is_not_told() -> None:
    registry = registry_of("a")
    told: list[Kind] = []
    registry.on_change(told.append)
    with pytest.raises(RegistrationError):
        registry.add(named("a"))
    assert told == []


def test_threads_do_not_lose_each_others_changes() -> None:
    registry = Registry(lint="off")

    def add(start: int) -> None:
        for index in range(20):
            registry.add(named(f"t{start + index}"))

    threads = [threading.Thread(target=add, args=(start,)) for start in range(0, 100, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.tools) == 100


def test_a_fixed_resource_comes_before_templates_and_these_in_order() -> None:
    registry = Registry()
    registry.add(template_from(greet, "a://{name}"))
    registry.add(template_from(greet, "a://{+name}"))
    registry.add(fixed_resource("a://b", text=""))
    assert registry.find_resource("a://b") == (registry.resources["a://b"], {})
    assert registry.find_resource("a://c") == (registry.templates["a://{name}"], {"name": "c"})
    assert registry.find_resource("a://c/d") == (registry.templates["a://{+name}"], {"name": "c/d"})
    assert registry.find_resource("b://c") is None


def test_completions_are_added_to_what_is_there() -> None:
    registry = Registry()
    registry.add(prompt_from(greet))
    registry.add(template_from(greet, "a://{name}"))
    registry.complete("prompts", "greet", "name", echo)
    registry.complete("templates", "a://{name}", "name", echo)
    assert list(registry.prompts["greet"].completers) == list(registry.templates["a://{name}"].completers) == ["name"]
    with pytest.raises(RegistrationError, match="register it before"):
        registry.complete("prompts", "gone", "name", echo)


def test_arguments_that_clients_inject_are_let_through() -> None:
    registry = Registry(ignored_arguments=frozenset({"_thread", "name"}), lint="off")
    registry.add(tool_from(greet))
    assert registry.tools["greet"].arguments({"name": "a", "_thread": 1}) == {"name": "a"}


def test_the_lint_may_be_a_warning_an_error_or_nothing(caplog: pytest.LogCaptureFixture) -> None:
    Registry(lint="off").add(tool_from(greet))
    assert caplog.messages == []
    Registry().add(tool_from(greet))
    (message,) = caplog.messages
    assert message.startswith(
        "tool greet: name: give the string a length, with Field(max_length=...); name: describe it"
    )
    with pytest.raises(RegistrationError, match=r"^tool greet: name: give the string a length"):
        Registry(lint="error").add(tool_from(greet))


def test_a_careful_tool_passes_the_lint() -> None:
    def function(name: Annotated[str, Field(max_length=5, description="who")]) -> None: ...

    registry = Registry(lint="error")
    registry.add(tool_from(function))
    assert list(registry.tools) == ["function"]


def test_a_page_is_the_same_object_until_its_list_changes() -> None:
    registry = registry_of("a", "b", "c", page_size=2)
    first = registry.page("tools")
    second = registry.page("tools", first.next_cursor)
    registry.add(prompt_from(nothing))
    assert registry.page("tools") is first
    assert registry.page("tools", first.next_cursor) is second
    registry.add(named("d"))
    assert registry.page("tools") is not first


def test_an_empty_list_is_one_empty_page() -> None:
    page = Registry().page("resources")
    assert (page.items, page.next_cursor) == ((), None)


def test_a_list_that_fills_its_page_has_no_next_one() -> None:
    assert registry_of("a", "b", page_size=2).page("tools").next_cursor is None


def test_a_cursor_goes_on_behind_what_was_shown_whatever_changed() -> None:
    registry = registry_of("a", "b", "c", "d", page_size=2)
    cursor = registry.page("tools").next_cursor
    registry.remove("tools", "a")
    assert names_from(registry, cursor) == ["c", "d"]


def test_a_cursor_goes_on_from_its_place_if_its_entry_is_gone() -> None:
    registry = registry_of("a", "b", "c", "d", page_size=2)
    cursor = registry.page("tools").next_cursor
    registry.remove("tools", "b")
    assert names_from(registry, cursor) == ["c", "d"]


def test_a_cursor_beyond_the_end_shows_nothing() -> None:
    registry = registry_of("a", "b", "c", page_size=2)
    cursor = registry.page("tools").next_cursor
    for name in ("a", "b", "c"):
        registry.remove("tools", name)
    assert names_from(registry, cursor) == []


def encoded(text: bytes) -> str:
    return urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "", "!", "é", "abc", encoded(b"5"), encoded(b'["prompts",2,"b"]'), encoded(b'["tools",0,"b"]'),
        encoded(b'["tools",true,"b"]'), encoded(b'["tools", 2,"b"]'), encoded(b'["tools",2,"b"]') + "=",
    ],
)  # fmt: skip
def test_a_cursor_that_was_never_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        registry_of("a", "b", "c", page_size=2).page("tools", cursor)


@given(st.text())
def test_no_text_breaks_the_pages(cursor: str) -> None:
    with pytest.raises(BadCursor):
        registry_of("a").page("tools", cursor)


@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), unique=True), st.integers(1, 5))
def test_pages_hold_every_entry_once(names: list[str], page_size: int) -> None:
    assert names_from(registry_of(*names, page_size=page_size)) == names


def test_a_page_holds_something() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Registry(page_size=0)


def test_the_room_imports_nothing_heavy() -> None:
    code = "import sys, mcp_server.registry; print(*(name.partition('.')[0] for name in sys.modules))"
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COV")}  # coverage needs sqlite3
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain).stdout
    heavy = {
        "anyio",
        "click",
        "cryptography",
        "httpx2",
        "jsonschema",
        "mcp",
        "mcp_types",
        "sqlite3",
        "starlette",
    }
    assert heavy & set(output.split()) == set()
