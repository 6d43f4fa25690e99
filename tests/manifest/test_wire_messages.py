"""Ids, malformed messages, batches, and calls at the same time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire import Connect, Id, on_loop

NOT_MESSAGES: list[Any] = [
    {},
    [],
    1,
    "text",
    None,
    {"id": "m", "method": "tools/list"},
    {"jsonrpc": "1.0", "id": "m", "method": "tools/list"},
    {"jsonrpc": "2.0", "id": "m", "method": 5},
    {"jsonrpc": "2.0", "id": "m", "method": "tools/list", "params": []},
    {"jsonrpc": "2.0", "id": "m"},
]


@pytest.mark.requirement("M1")
@pytest.mark.parametrize("identity", [0, -1, 2**60, "", "7", "né", "a\nb"])
@on_loop
async def test_an_answer_bears_the_id_of_its_request(connect: Connect, identity: Id) -> None:
    async with connect() as session:
        await session.ask("tools/list", identity=identity)
        assert "result" in await session.response(identity)


@pytest.mark.requirement("M1")
@on_loop
async def test_the_number_and_the_text_are_two_ids(connect: Connect) -> None:
    async with connect() as session:
        await session.begin("echo", identity=7, text="number")
        await session.begin("echo", identity="7", text="text")
        assert (await session.response("7"))["result"]["content"][0]["text"] == "text"


@pytest.mark.requirement("M1")
@on_loop
async def test_an_error_bears_the_id_of_its_request(connect: Connect) -> None:
    async with connect() as session:
        await session.ask("nothing/known", identity="q")
        assert "error" in await session.response("q")


@pytest.mark.requirement("M2")
@pytest.mark.parametrize("identity", [None, 1.5, True, [1], {"a": 1}])
@on_loop
async def test_an_id_of_another_type_is_refused(connect: Connect, identity: Any) -> None:
    async with connect() as session:
        await session.send(json.dumps({"jsonrpc": "2.0", "id": identity, "method": "tools/list"}).encode())
        assert (await session.response(None))["error"]["code"] == -32600


@pytest.mark.requirement("M3")
@pytest.mark.parametrize("garbage", [b"{", b"hello", b"\xff\xfe", b'{"a": NaN}', b'{"jsonrpc":"2.0"}}', b'"\\ud800"'])
@on_loop
async def test_what_is_not_json_is_refused_and_the_connection_lives_on(connect: Connect, garbage: bytes) -> None:
    async with connect() as session:
        await session.send(garbage)
        assert (await session.response(None))["error"]["code"] == -32700
        await session.settle()


@pytest.mark.requirement("M3b")
@pytest.mark.parametrize(
    "deep", [b"[" * 100_000, b'{"jsonrpc":"2.0","id":1,"method":' + b"[" * 300 + b"]" * 300 + b"}"]
)
@on_loop
async def test_what_is_nested_too_deep_is_refused_and_the_connection_lives_on(connect: Connect, deep: bytes) -> None:
    async with connect() as session:
        await session.send(deep)
        error = (await session.response(None))["error"]
        assert (error["code"], error["data"]) == (-32600, {"reason": "nested_too_deep"})
        await session.settle()


@pytest.mark.requirement("M3c")
@on_loop
async def test_the_mark_of_utf_8_is_ignored(connect: Connect) -> None:
    async with connect() as session:
        await session.send(b"\xef\xbb\xbf[]")
        assert (await session.wait_for(lambda each: "error" in each))["error"]["code"] == -32600
        await session.settle()


@pytest.mark.requirement("M4")
@pytest.mark.parametrize("body", NOT_MESSAGES, ids=json.dumps)
@on_loop
async def test_what_is_not_a_message_is_refused_and_the_connection_lives_on(connect: Connect, body: Any) -> None:
    async with connect() as session:
        await session.send(json.dumps(body).encode())
        assert (await session.wait_for(lambda each: "error" in each))["error"]["code"] == -32600
        await session.settle()


@pytest.mark.requirement("M5a")
@on_loop
async def test_an_array_of_requests_gets_an_array_of_answers(connect: Connect) -> None:
    async with connect() as session:
        await session.batch(("ping", {}, "a"), ("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, "b"))
        assert (await session.response("a"))["result"] == {}
        assert "3" in (await session.response("b"))["result"]["content"][0]["text"]
        assert session.lines[-1].startswith(b"[")


@pytest.mark.requirement("M5a")
@on_loop
async def test_an_array_of_notifications_gets_nothing(connect: Connect) -> None:
    async with connect() as session:
        count = len(session.received)
        await session.send(b'[{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}]')
        await session.settle()
        assert len(session.received) == count + 1


@pytest.mark.requirement("M5b")
@on_loop
async def test_an_array_of_requests_is_refused(connect: Connect) -> None:
    async with connect() as session:
        await session.batch(("tools/list", {}, "a"))
        assert (await session.response(None))["error"]["code"] == -32600
        assert not session.answered("a")


@pytest.mark.requirement("M6")
@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/nothing", "tools/list"])
@on_loop
async def test_a_notification_is_never_answered(connect: Connect, method: str) -> None:
    async with connect() as session:
        count = len(session.received)
        await session.notify(method)
        await session.settle()
        assert len(session.received) == count + 1


@pytest.mark.requirement("M7")
@on_loop
async def test_an_id_in_flight_may_not_be_used_again(connect: Connect) -> None:
    async with connect() as session:
        await session.begin("hold_thread", identity="same")
        await session.begin("echo", identity="same", text="")
        assert (await session.response("same"))["error"]["code"] == -32600


@pytest.mark.requirement("M7")
@on_loop
async def test_a_call_outlives_another_one_that_wanted_its_id(connect: Connect) -> None:
    async with connect() as session:
        await session.begin("hold_thread", identity="same")
        await session.begin("echo", identity="same", text="")
        await session.response("same")
        await session.call("let_go")
        answer = await session.wait_for(lambda each: each.get("id") == "same" and "result" in each)
        assert answer["result"]["content"][0]["text"] == "true"


@pytest.mark.requirement("M7")
@on_loop
async def test_an_id_may_be_used_again_once_it_has_been_answered(connect: Connect) -> None:
    async with connect() as session:
        for text in ("first", "second"):
            await session.begin("echo", identity="again", text=text)
            await session.wait_for(lambda each, text=text: text in json.dumps(each.get("result")))


@pytest.mark.requirement("M8")
@pytest.mark.parametrize("answer", [{"result": {}}, {"error": {"code": 1, "message": "no"}}])
@on_loop
async def test_a_response_that_nobody_waits_for_is_passed_over(connect: Connect, answer: dict[str, Any]) -> None:
    async with connect() as session:
        count = len(session.received)
        await session.send(json.dumps({"jsonrpc": "2.0", "id": 42, **answer}).encode())
        await session.settle()
        assert len(session.received) == count + 1


@pytest.mark.requirement("M9")
@pytest.mark.parametrize(("tool", "arguments"), [("wait", {"name": "w"}), ("hold_thread", {})])
@on_loop
async def test_a_call_that_waits_delays_no_other(connect: Connect, tool: str, arguments: dict[str, Any]) -> None:
    async with connect() as session:
        waiting = [await session.begin(tool, **arguments) for _ in range(20)]
        await session.settle()
        assert not any(session.answered(identity) for identity in waiting)
        await session.call("let_go")


@pytest.mark.requirement("M9")
@on_loop
async def test_many_calls_sent_at_once_are_all_answered(connect: Connect) -> None:
    async with connect() as session:
        ids = [await session.begin("add", a=number, b=0) for number in range(200)]
        for number, identity in enumerate(ids):
            assert f"{number}" in (await session.response(identity))["result"]["content"][0]["text"]
