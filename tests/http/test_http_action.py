"""The small face for people with curl: its answers, its statuses, and that it tells no more than any other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from http_driver import Visit, serving
from http_shop import SECRET, shop

from mcp_server import Image, Server
from mcp_server.local import LocalService

LIST = {"action": "list_tools"}


def act(body: object, *, server: Server | None = None, settings: dict[str, Any] | None = None, **how: Any) -> Visit:
    """One request to a server of its own."""

    async def main() -> Visit:
        async with serving(server or shop()[0], **(settings or {})) as web:
            return await web.ask(body, **how)

    return asyncio.run(main())


def call(tool: object, **arguments: Any) -> dict[str, Any]:
    """The body that calls a tool."""
    return {"action": "call_tool", "name": tool, "arguments": arguments}


def test_the_tools_are_listed_with_both_spellings_of_their_schema() -> None:
    answer = act(LIST)
    assert answer.status == 200
    assert set(answer.json) == {"tools"}
    add = next(tool for tool in answer.json["tools"] if tool["name"] == "add")
    assert add["description"] == "Add two numbers."
    assert add["input_schema"] == add["inputSchema"]
    assert add["input_schema"]["additionalProperties"] is False


def test_a_list_of_many_pages_is_told_whole() -> None:
    server = Server("many", page_size=2, lint="off")
    for number in range(7):
        server.add_tool(lambda: "x", name=f"tool{number}", description="x")
    assert [tool["name"] for tool in act(LIST, server=server).json["tools"]] == [f"tool{n}" for n in range(7)]


def test_a_tool_answers_with_its_text_and_its_structure() -> None:
    answer = act(call("add", a=1, b=2))
    assert (answer.status, answer.json) == (
        200,
        {"output": '{"sum":3}', "structuredContent": {"sum": 3}, "isError": False},
    )


def test_text_that_needs_escaping_comes_through() -> None:
    text = 'a "quote", a \\ and a \n, größe \U0001f600'
    assert act(call("say", text=text)).json["output"] == text


def test_what_is_not_text_is_not_in_the_output() -> None:
    server = Server("pictures", lint="off")

    @server.tool
    async def picture() -> list[str | Image]:
        """Show."""
        return ["one", Image(data=b"\x89PNG", format="png"), "two"]

    assert act(call("picture"), server=server).json["output"] == "one\ntwo"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"action": "dance"}, 400, "unknown_action"),
        ({"action": None}, 400, "unknown_action"),
        ({"action": ["list_tools"]}, 400, "unknown_action"),
        ({"action": "call_tool"}, 400, "bad_request"),
        ({"action": "call_tool", "name": 7}, 400, "bad_request"),
        ({"action": "call_tool", "name": "add", "arguments": []}, 400, "bad_request"),
        ({"action": "call_tool", "name": "add", "arguments": "a=1"}, 400, "bad_request"),
        (call("nope"), 404, "unknown_tool"),
        (call("add", a=1), 400, "invalid_arguments"),
        (call("fail"), 500, "tool_failed"),
        (call("dawdle"), 504, "timed_out"),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_each_fault_has_its_status_and_its_word(path: str, body: dict[str, Any], status: int, error: str) -> None:
    server, stage = shop()
    stage.wind_down.set()
    answer = act(body, server=server, path=path)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert set(answer.json) == {"error", "detail"}


def test_an_unknown_tool_is_named() -> None:
    assert act(call("nope")).json["detail"] == "Unknown tool: nope"


def test_a_deadline_is_told_while_the_tool_winds_down() -> None:
    async def main() -> None:
        server, stage = shop()
        async with serving(server) as web:
            visit = web.open(call("dawdle"))
            await visit.until(lambda: visit.complete)
            assert (visit.status, visit.json) == (504, {"error": "timed_out", "detail": "Timed out after 0.05 s"})
            stage.wind_down.set()
            await visit.done()

    asyncio.run(main())


def test_a_tool_that_refuses_says_why() -> None:
    answer = act(call("refuse"))
    assert (answer.status, answer.json) == (200, {"output": "There is no such shelf", "isError": True})


def test_a_failure_is_masked() -> None:
    """Peers' failure 5: the text of an exception, with a password in it, reaches the client."""
    answer = act(call("fail"))
    assert answer.json["detail"].startswith("Tool execution failed [")
    assert b"hunter2" not in answer.body


def test_what_cannot_be_told_is_left_out() -> None:
    answer = act(call("odd"))
    assert (answer.status, answer.json) == (200, {"output": "x", "isError": False})


def test_a_list_that_breaks_is_a_500(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(LocalService, "list", broken)
    answer = act(LIST)
    assert (answer.status, answer.json["error"]) == (500, "error")
    assert b"hunter2" not in answer.body


def test_a_secret_is_blotted_out() -> None:
    answer = act(call("leak"), settings={"api_key": SECRET})
    assert answer.json["structuredContent"] == {"key": "[redacted]"}
    assert SECRET.encode() not in answer.body


def test_a_secret_in_a_refusal_is_blotted_out() -> None:
    answer = act(call(SECRET), settings={"api_key": SECRET})
    assert (answer.status, answer.json["detail"]) == (404, "Unknown tool: [redacted]")


def test_arguments_may_be_left_out() -> None:
    assert act({"action": "call_tool", "name": "refuse"}).status == 200


@pytest.mark.parametrize("body", [LIST, call("say", text="hi")])
def test_the_event_url_gives_the_same_as_one_event(body: dict[str, Any]) -> None:
    plain, streamed = act(body), act(body, path="/mcp/sse")
    assert streamed.is_stream
    assert streamed.body == b"data: " + plain.body + b"\n\n"


def test_a_body_that_is_both_is_refused() -> None:
    answer = act({**LIST, "jsonrpc": "2.0", "id": 4, "method": "tools/list"})
    assert (answer.status, answer.code, answer.json["id"]) == (400, -32600, 4)


def test_the_form_that_curl_sends_by_itself_is_refused() -> None:
    answer = act(LIST, headers={"content-type": "application/x-www-form-urlencoded", "accept": "*/*"})
    assert answer.status == 415
