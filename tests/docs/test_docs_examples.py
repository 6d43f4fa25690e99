"""The examples do what they are there to show."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

import pytest
from generate import ROOT
from starlette.testclient import TestClient as Browser

from mcp_server import Principal, Server
from mcp_server.testing import TestClient

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(ROOT / "examples"), str(ROOT / "examples/docs"), *sys.path])
    yield
    for name in set(sys.modules) - before:
        if str(ROOT / "examples") in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def example(name: str) -> Any:
    module: ModuleType = importlib.import_module(name)
    return module


def asked(server: Server, question: Callable[[TestClient], Awaitable[T]]) -> T:
    async def main() -> T:
        async with server.test_client() as client:
            return await question(client)

    return asyncio.run(main())


def test_the_minimal_server_adds() -> None:
    assert asked(example("minimal").server, lambda client: client.call_tool("add", a=1, b=2)).structured == 3


def test_the_argument_section_describes_the_arguments() -> None:
    (tool,) = asked(example("minimal").server, lambda client: client.list_tools())
    assert tool["inputSchema"]["properties"]["a"]["description"] == "The first number."


def test_what_the_lifespan_opens_lasts_from_call_to_call() -> None:
    async def question(client: TestClient) -> str:
        await client.call_tool("write_note", title="tea", text="buy some")
        return (await client.call_tool("read_note", title="tea")).text

    assert asked(example("lifespan").server, question) == "buy some"


def test_a_note_that_is_not_there_is_an_error_for_the_model() -> None:
    result = asked(example("lifespan").server, lambda client: client.call_tool("read_note", title="tea"))
    assert (result.is_error, result.text) == (True, "There is no note of this title.")


def test_what_is_injected_is_no_argument() -> None:
    tools = asked(example("lifespan").server, lambda client: client.list_tools())
    assert ["notes" in tool["inputSchema"]["properties"] for tool in tools] == [False, False]


def test_the_server_to_be_mounted_counts_hours() -> None:
    result = asked(example("mounted").server, lambda client: client.call_tool("hours_between", start=22, end=6))
    assert result.structured == 8


def test_a_mounted_server_is_asked_below_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCP_API_KEY", raising=False)
    body = {"action": "call_tool", "name": "hours_between", "arguments": {"start": 22, "end": 6}}
    with Browser(example("mounted").app, base_url="http://localhost", client=("127.0.0.1", 50000)) as browser:
        assert browser.get("/").text == "The tools are below /tools."
        assert browser.post("/tools/mcp", json=body).json()["structuredContent"] == 8


@pytest.mark.parametrize(
    ("tool", "arguments", "structured"),
    [
        ("area", {"width": 2, "height": 3.5}, {"square_centimetres": 7.0}),
        ("sizes", {}, [{"name": "A4", "width": 21.0}, {"name": "A5", "width": 14.8}]),
        ("fold", {"times": 3}, {"layers": 8}),
    ],
)
def test_a_result_is_structured(tool: str, arguments: dict[str, Any], structured: object) -> None:
    assert asked(example("results").server, lambda client: client.call_tool(tool, **arguments)).structured == structured


def test_a_result_is_a_picture() -> None:
    result = asked(example("results").server, lambda client: client.call_tool("picture", colour="red"))
    assert [(block["type"], block["mimeType"]) for block in result.content] == [("image", "image/svg+xml")]


def test_a_result_is_text_and_a_file() -> None:
    result = asked(example("results").server, lambda client: client.call_tool("table"))
    assert [block["type"] for block in result.content] == ["text", "resource"]


def test_a_tool_error_reaches_the_model_as_it_is() -> None:
    result = asked(example("results").server, lambda client: client.call_tool("fold", times=9))
    assert (result.is_error, result.text) == (True, "Nobody folds a sheet more than seven times.")


@pytest.mark.parametrize(("tool", "argument"), [("index", "pages"), ("count", "words")])
def test_progress_is_told_meanwhile(tool: str, argument: str) -> None:
    async def question(client: TestClient) -> list[int]:
        params = {"name": tool, "arguments": {argument: 2}, "_meta": {"progressToken": 1}}
        await client.request("tools/call", params)
        heard = [each["params"] for each in client.notifications if each["method"] == "notifications/progress"]
        return [each["progress"] for each in heard]

    assert asked(example("progress").server, question)[-1] == 2


def test_resources_are_read_by_their_uris() -> None:
    async def question(client: TestClient) -> list[str]:
        uris = ("library://books", "library://books/emma")
        return [(await client.read_resource(uri))[0]["text"] for uri in uris]

    assert asked(example("resources").server, question) == [
        '["emma","moby-dick"]',
        "Emma Woodhouse, handsome, clever, and rich",
    ]


def test_a_prompt_holds_its_arguments() -> None:
    server = example("resources").server
    (message,) = asked(server, lambda client: client.get_prompt("compare", first="emma", second="moby-dick"))
    assert "library://books/emma" in message["content"]["text"]


@pytest.mark.parametrize(
    ("reference", "argument"),
    [
        ({"type": "ref/prompt", "name": "compare"}, "second"),
        ({"type": "ref/resource", "uri": "library://books/{name}"}, "name"),
    ],
)
def test_values_are_proposed(reference: dict[str, str], argument: str) -> None:
    params = {"ref": reference, "argument": {"name": argument, "value": "m"}}
    result = asked(example("resources").server, lambda client: client.request("completion/complete", params))
    assert result["completion"]["values"] == ["moby-dick"]


def test_the_app_that_is_shown_is_found_by_its_tool() -> None:
    async def question(client: TestClient) -> tuple[str, str]:
        (tool,) = await client.list_tools()
        (page,) = await client.read_resource(tool["_meta"]["ui"]["resourceUri"])
        return page["text"][:15], (await client.call_tool("time_in", city="Oslo")).text

    assert asked(example("apps").server, question) == ("<!doctype html>", "It is noon in Oslo.")


def test_the_extension_that_is_shown_answers() -> None:
    example("extension").test_a_client_that_knows_tides_is_told()


@pytest.mark.parametrize("name", ["test_two_numbers_are_added", "test_a_text_is_no_number"])
def test_the_tests_that_are_shown_pass(name: str) -> None:
    getattr(example("testing"), name)()


@pytest.mark.parametrize(("is_open", "failed"), [(True, []), (False, ["database_answers"])])
def test_the_check_that_is_shown_follows_the_database(is_open: bool, failed: list[str]) -> None:
    ready = example("ready")
    ready.database["open"] = is_open
    assert asyncio.run(ready.server.failed_checks()) == failed


def test_a_tool_shows_itself_to_those_who_may_call_it() -> None:
    server = example("scopes").server

    async def seen(*scopes: str) -> list[str]:
        async with TestClient(server.engine(), principal=Principal("anna", frozenset(scopes), "anna")) as client:
            return [tool["name"] for tool in await client.list_tools()]

    assert asyncio.run(seen()) == []
    assert asyncio.run(seen("items:read")) == ["count"]
    assert asyncio.run(seen("admin")) == ["count", "add"]


def test_what_depends_on_an_argument_is_asked_of_the_context() -> None:
    server = example("scopes").server

    async def taken(*scopes: str) -> str:
        async with TestClient(server.engine(), principal=Principal("anna", frozenset(scopes), "anna")) as client:
            assert (await client.call_tool("count", item="tea")).structured == {"number": 3, "asked_by": "anna"}
            return (await client.call_tool("add", item="tea", number=-1)).text

    assert asyncio.run(taken("items:write")) == "Only an administrator takes something away."
    assert asyncio.run(taken("admin")) == "2"
