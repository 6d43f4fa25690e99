"""Questions to the user, the client's model and its roots: in rounds, or on the call's own stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from wire import PREFIX, Connect, Message, WireSession, on_loop

EVERYTHING: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
ADA: dict[str, Any] = {"action": "accept", "content": {"name": "Ada"}}
ANSWERS: dict[str, Any] = {
    "elicitation/create": ADA,
    "sampling/createMessage": {"role": "assistant", "model": "none", "content": {"type": "text", "text": "hello"}},
    "roots/list": {"roots": [{"uri": "file:///workspace"}]},
}


async def called(session: WireSession, tool: str, capabilities: Mapping[str, Any] = EVERYTHING, **more: Any) -> Message:
    """The result of one round."""
    params: Message = {"name": tool, "arguments": {}, **more}
    return await session.request("tools/call", params, meta={PREFIX + "clientCapabilities": capabilities})


async def refused(session: WireSession, tool: str, capabilities: Mapping[str, Any] = EVERYTHING, **more: Any) -> Any:
    """The error of one round."""
    params: Message = {"name": tool, "arguments": {}, **more}
    return await session.refusal("tools/call", params, meta={PREFIX + "clientCapabilities": capabilities})


def text_of(result: Message) -> str:
    """What a result says."""
    return result["content"][0]["text"]


@asynccontextmanager
async def connected(connect: Connect) -> AsyncGenerator[WireSession]:
    """A session whose client can answer everything."""
    async with connect(shake_hands=False) as session:
        if not session.modern:
            await session.shake_hands(capabilities=EVERYTHING)
        yield session


async def answered(session: WireSession, tool: str, answers: Mapping[str, Any] = ANSWERS) -> Message:
    """The result of a call whose questions are answered, in whichever way the version has."""
    if session.modern:
        result = await called(session, tool)
        while result["resultType"] == "input_required":
            responses = {key: answers[asked["method"]] for key, asked in result["inputRequests"].items()}
            result = await called(session, tool, inputResponses=responses, requestState=result["requestState"])
        return result
    asked = await session.begin(tool)
    question = await session.wait_for(lambda each: "method" in each and "id" in each)
    result = answers[question["method"]]
    await session.send(json.dumps({"jsonrpc": "2.0", "id": question["id"], "result": result}).encode())
    return (await session.response(asked))["result"]


@pytest.mark.requirement("B6", "P2")
@pytest.mark.parametrize(
    ("tool", "declared", "lacking"),
    [
        ("ask_name", {}, {"elicitation": {}}),
        ("ask_name", {"sampling": {}, "elicitation": {"url": {}}}, {"elicitation": {}}),
        ("ask_model", {"elicitation": {}}, {"sampling": {}}),
        ("ask_roots", {}, {"roots": {}}),
        ("ask_to_visit", {"elicitation": {}}, {"elicitation": {"url": {}}}),
    ],
)
@on_loop
async def test_what_a_client_has_not_declared_is_not_asked(
    connect: Connect, tool: str, declared: Any, lacking: Any
) -> None:
    async with connect() as session:
        error = await refused(session, tool, declared)
        assert error.code == -32021
        assert error.data == {"requiredCapabilities": lacking}


@pytest.mark.requirement("P2")
@on_loop
async def test_what_an_earlier_request_allowed_allows_nothing_now(connect: Connect) -> None:
    async with connect() as session:
        await called(session, "ask_name", {"elicitation": {}})
        assert (await refused(session, "ask_name", {})).code == -32021


@pytest.mark.requirement("P1a", "E1")
@on_loop
async def test_a_call_that_asks_ends_and_goes_on_when_it_is_made_again(connect: Connect) -> None:
    async with connect() as session:
        first = await called(session, "ask_name")
        assert first["resultType"] == "input_required"
        [asked] = first["inputRequests"].values()
        assert asked["method"] == "elicitation/create"
        fields = asked["params"]["requestedSchema"]["properties"].values()
        assert {field["type"] for field in fields} <= {"string", "number", "integer", "boolean", "array"}
        assert not {"ttlMs", "cacheScope"} & set(first)
        second = await called(session, "ask_name", inputResponses={"name": ADA}, requestState=first["requestState"])
        assert text_of(second).startswith("accept: Ada")


@pytest.mark.requirement("P1b")
@pytest.mark.parametrize(
    ("method", "params"),
    [("resources/read", {"uri": "fixture://private"}), ("prompts/get", {"name": "private"})],
)
@on_loop
async def test_resources_and_prompts_may_ask(connect: Connect, method: str, params: Message) -> None:
    async with connect("extended") as session:
        meta = {PREFIX + "clientCapabilities": EVERYTHING}
        first = await session.request(method, params, meta=meta)
        assert first["resultType"] == "input_required"
        again = {**params, "inputResponses": {"name": ADA}, "requestState": first["requestState"]}
        assert "Ada" in str(await session.request(method, again, meta=meta))


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("how", ["cut", "grown", "empty", "made up"])
@on_loop
async def test_a_state_that_was_changed_is_refused(connect: Connect, how: str) -> None:
    async with connect() as session:
        given = (await called(session, "ask_name"))["requestState"]
        state = {"cut": given[:-1], "grown": given + "x", "empty": "", "made up": "AAAA"}[how]
        assert (await refused(session, "ask_name", inputResponses={"name": ADA}, requestState=state)).code == -32602


@pytest.mark.requirement("P4")
@on_loop
async def test_a_state_is_worth_nothing_for_another_request(connect: Connect) -> None:
    async with connect() as session:
        state = (await called(session, "ask_name"))["requestState"]
        assert (await refused(session, "ask_twice", requestState=state)).code == -32602


@pytest.mark.requirement("P5a")
@pytest.mark.parametrize("responses", [{}, {"another": ADA}])
@on_loop
async def test_what_was_not_answered_is_asked_again(connect: Connect, responses: Any) -> None:
    async with connect() as session:
        state = (await called(session, "ask_name"))["requestState"]
        again = await called(session, "ask_name", inputResponses=responses, requestState=state)
        assert set(again["inputRequests"]) == {"name"}


@pytest.mark.requirement("P5b")
@on_loop
async def test_an_answer_that_nobody_asked_for_is_passed_over(connect: Connect) -> None:
    async with connect() as session:
        state = (await called(session, "ask_name"))["requestState"]
        responses = {"name": ADA, "another": {"action": "accept", "content": {"name": "Eve"}}}
        assert "Ada" in text_of(await called(session, "ask_name", inputResponses=responses, requestState=state))


@pytest.mark.requirement("P5c")
@pytest.mark.parametrize("content", [{}, {"name": 5}, {"name": ""}, None, "Ada"])
@on_loop
async def test_an_answer_that_does_not_fit_is_asked_for_again(connect: Connect, content: Any) -> None:
    async with connect() as session:
        state = (await called(session, "ask_name"))["requestState"]
        responses = {"name": {"action": "accept", "content": content}}
        again = await called(session, "ask_name", inputResponses=responses, requestState=state)
        assert set(again["inputRequests"]) == {"name"}


@pytest.mark.requirement("P5d")
@pytest.mark.parametrize("responses", [[], "Ada", {"name": "Ada"}, {"name": None}])
@on_loop
async def test_answers_of_the_wrong_shape_are_refused(connect: Connect, responses: Any) -> None:
    async with connect() as session:
        state = (await called(session, "ask_name"))["requestState"]
        error = await refused(session, "ask_name", inputResponses=responses, requestState=state)
        assert error.code == -32602


@pytest.mark.requirement("P6")
@pytest.mark.parametrize("action", ["decline", "cancel"])
@on_loop
async def test_a_user_may_decline(connect: Connect, action: str) -> None:
    async with connected(connect) as session:
        result = await answered(session, "ask_name", {"elicitation/create": {"action": action}})
        assert text_of(result).startswith(f"{action}: nobody")


@pytest.mark.requirement("E3")
@on_loop
async def test_a_page_to_visit_has_no_id_of_its_own(connect: Connect) -> None:
    async with connect() as session:
        [asked] = (await called(session, "ask_to_visit"))["inputRequests"].values()
        assert asked["params"] == {"mode": "url", "message": "Pay here", "url": "https://pay.example.com"}


@pytest.mark.requirement("E2")
@pytest.mark.parametrize(
    "url",
    [
        "http://pay.example.com",
        "http://localhost.example.com/",
        "https://ada:secret@pay.example.com/",
        "https://pay.example.com\\@evil.example.com/",
        "https://",
        "pay.example.com",
        "javascript:alert(1)",
        "https://pay.example.com/ x",
    ],
)
@on_loop
async def test_no_page_is_asked_for_that_is_not_safe_to_visit(connect: Connect, url: str) -> None:
    async with connected(connect) as session:
        params: Message = {"name": "ask_to_visit_at", "arguments": {"url": url}}
        meta = {PREFIX + "clientCapabilities": EVERYTHING} if session.modern else None
        result = await session.request("tools/call", params, meta=meta)
        assert result["isError"]
        assert "Pay here" not in str(session.received)


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("url", ["https://pay.example.com/@ada?x=1#y", "http://localhost:8000/pay", "HTTP://[::1]"])
@on_loop
async def test_a_page_that_is_safe_to_visit_is_asked_for(connect: Connect, url: str) -> None:
    async with connected(connect) as session:
        params: Message = {"name": "ask_to_visit_at", "arguments": {"url": url}}
        meta = {PREFIX + "clientCapabilities": EVERYTHING} if session.modern else None
        asked = await session.ask("tools/call", params, meta=meta)
        await session.wait_for(lambda each: url in json.dumps(each))
        await session.cancel(asked)


@pytest.mark.requirement("D1a")
@on_loop
async def test_an_older_client_is_asked_in_the_course_of_the_call(connect: Connect) -> None:
    async with connected(connect) as session:
        assert text_of(await answered(session, "ask_name")) == "accept: Ada, 1"
        [question] = [each for each in session.received if "method" in each and "id" in each]
        assert question["method"] == "elicitation/create"


@pytest.mark.requirement("D1b")
@pytest.mark.parametrize("tool", ["ask_name", "ask_model", "ask_roots"])
@on_loop
async def test_an_older_client_that_cannot_answer_is_told_so(connect: Connect, tool: str) -> None:
    async with connect() as session:
        result = await session.call(tool)
        assert result["isError"]
        assert "Client capability required" in text_of(result)


@pytest.mark.requirement("D1c")
@pytest.mark.parametrize(("tool", "said"), [("ask_model", "hello"), ("ask_roots", "file:///workspace")])
@on_loop
async def test_the_clients_model_and_its_roots_can_be_asked(connect: Connect, tool: str, said: str) -> None:
    async with connected(connect) as session:
        assert said in text_of(await answered(session, tool))


@pytest.mark.requirement("D1d")
@on_loop
async def test_what_is_done_once_is_done_once(connect: Connect) -> None:
    async with connected(connect) as session:
        assert text_of(await answered(session, "ask_name")) == "accept: Ada, 1"
        assert json.loads(text_of(await session.call("stopped"))) == ["asked"]
