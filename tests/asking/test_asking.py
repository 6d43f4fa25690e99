"""Questions to the user: one straight line of awaits for every version, and what a client may do to the rounds."""

# pyright: reportDeprecated=false

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from mcp_server import Context, Server, Unanswered
from mcp_server.engine import asking
from mcp_server.engine.asking import declares
from mcp_server.engine.calls import Call
from mcp_server.engine.forms import NotAForm, check_form, fits
from mcp_server.engine.in_flight import InFlight
from mcp_server.engine.questions import MAX_RECORDS, Questions
from mcp_server.engine.sealing import MAX_STATE, Seal, digest
from mcp_server.protocol.errors import ProtocolError
from mcp_server.protocol.messages import Peer, Request
from mcp_server.testing import ErrorResponse, TestClient

NOBODY: Any = None
MODERN, LEGACY = "2026-07-28", "2025-11-25"
CAPABLE: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}


class Name(BaseModel):
    name: str = Field(min_length=1)


class Size(BaseModel):
    size: Literal["s", "m", "l"]
    gift: bool = False


class Shop:
    """A server whose tool orders something, and what has happened in it."""

    def __init__(self) -> None:
        self.started = 0
        self.placed: list[str] = []
        self.server = Server("shop", lint="off")
        self.server.add_tool(self.order)

    async def order(self, item: str, ctx: Context) -> str:
        """Order something."""
        self.started += 1
        name = await ctx.elicit("Your name?", Name)
        size = await ctx.elicit("Which size?", Size)

        async def place() -> str:
            self.placed.append(item)
            return f"order {len(self.placed)}"

        number = await ctx.once("place", place)
        sure = await ctx.elicit("Shall we send it?", {"type": "object", "properties": {"yes": {"type": "boolean"}}})
        if not (name.data and size.data and sure.accepted):
            return f"{name.action}, {size.action}, {sure.action}"
        return f"{number}: {item} in {size.data.size} for {name.data.name}"


def user(**by_message: Mapping[str, Any]) -> Callable[[str, Mapping[str, Any]], Mapping[str, Any]]:
    """A user who fills in each form by a word in its message; a form without one is declined."""

    def answer(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        found = [content for word, content in by_message.items() if word in params["message"]]
        return {"action": "accept", "content": found[0]} if found else {"action": "decline"}

    return answer


WILLING = user(name={"name": "Ada"}, size={"size": "m"}, send={"yes": True})


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await work()

    return asyncio.run(main())


@pytest.mark.parametrize("version", [MODERN, LEGACY, "2025-06-18"])
def test_three_questions_are_three_awaits_in_every_version(version: str) -> None:
    shop = Shop()

    async def work() -> str:
        async with shop.server.test_client(version, answers=WILLING) as client:
            return (await client.call_tool("order", item="hat")).text

    assert run(work) == "order 1: hat in m for Ada"
    assert shop.placed == ["hat"]


def test_a_function_runs_anew_for_each_round_but_what_it_does_once_is_done_once() -> None:
    shop = Shop()

    async def work() -> None:
        async with shop.server.test_client(answers=WILLING) as client:
            await client.call_tool("order", item="hat")

    run(work)
    assert (shop.started, shop.placed) == (4, ["hat"])


@pytest.mark.parametrize("version", [MODERN, LEGACY])
def test_a_refusal_is_an_answer_and_goes_on(version: str) -> None:
    async def work() -> str:
        async with Shop().server.test_client(version, answers=user(name={"name": "Ada"})) as client:
            return (await client.call_tool("order", item="hat")).text

    assert run(work) == "accept, decline, decline"


def test_rounds_may_go_to_different_processes_and_survive_a_restart() -> None:
    key = [b"shared by all workers"]
    shops = [Shop() for _ in range(4)]

    async def work() -> str:
        params: dict[str, Any] = {"name": "order", "arguments": {"item": "hat"}}
        result: dict[str, Any] = {}
        for shop in shops:
            engine = shop.server.engine(seal=Seal(key))
            async with TestClient(engine, capabilities=CAPABLE) as client:
                result = await client.request_once("tools/call", params)
            if result["resultType"] == "input_required":
                asked = result["inputRequests"]
                params["requestState"] = result["requestState"]
                params["inputResponses"] = {
                    name: WILLING(each["method"], each["params"]) for name, each in asked.items()
                }
        return result["content"][0]["text"]

    assert run(work) == "order 1: hat in m for Ada"
    assert [shop.placed for shop in shops] == [[], [], ["hat"], []]


async def _first_round(client: TestClient) -> tuple[dict[str, Any], dict[str, Any]]:
    params: dict[str, Any] = {"name": "order", "arguments": {"item": "hat"}}
    result = await client.request_once("tools/call", params)
    assert result["resultType"] == "input_required"
    (question,) = result["inputRequests"]
    responses = {question: {"action": "accept", "content": {"name": "Ada"}}}
    return {**params, "requestState": result["requestState"], "inputResponses": responses}, result


def _retry(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    async def work() -> dict[str, Any]:
        async with TestClient(Shop().server.engine(), capabilities=CAPABLE) as client:
            retry, _ = await _first_round(client)
            changed = {**retry, **change(retry)}
            return await client.request_once("tools/call", {k: v for k, v in changed.items() if v is not None})

    return run(work)


Retry = dict[str, Any]

TAMPERED: list[Callable[[Retry], Retry]] = [
    lambda retry: {"requestState": retry["requestState"] + "-TAMPERED"},
    lambda retry: {"requestState": retry["requestState"][:-4] + "AAAA"},
    lambda _: {"requestState": "AAAA"},
    lambda _: {"requestState": "é"},
    lambda _: {"requestState": "A" * (MAX_STATE + 1)},
    lambda _: {"requestState": 7},
    lambda _: {"arguments": {"item": "diamond"}},
    lambda _: {"inputResponses": "yes"},
    lambda _: {"inputResponses": {"question-1": "yes"}},
]


@pytest.mark.parametrize("change", TAMPERED)
def test_a_retry_that_was_tampered_with_is_refused(change: Callable[[Retry], Retry]) -> None:
    with pytest.raises(ErrorResponse) as refused:
        _retry(change)
    assert refused.value.code == -32602


def test_a_missing_answer_is_asked_for_again() -> None:
    result = _retry(lambda _: {"inputResponses": {}})
    assert list(result["inputRequests"]) == ["question-1"]


def test_an_answer_that_does_not_fit_its_form_is_asked_for_again() -> None:
    wrong = {"question-1": {"action": "accept", "content": {"name": ""}}}
    assert list(_retry(lambda _: {"inputResponses": wrong})["inputRequests"]) == ["question-1"]


def test_answers_to_questions_that_nobody_asked_are_ignored() -> None:
    result = _retry(lambda retry: {"inputResponses": {**retry["inputResponses"], "q-99": {"action": "accept"}}})
    assert list(result["inputRequests"]) == ["question-2"]


def test_a_client_that_knows_the_question_may_answer_at_once() -> None:
    result = _retry(lambda _: {"requestState": None})
    assert list(result["inputRequests"]) == ["question-2"]


def test_a_state_is_bound_to_its_principal_its_request_and_its_time() -> None:
    now = [1000.0]
    seal = Seal([b"k"], lifetime=60, clock=lambda: now[0])
    state = seal.close({"a": 1}, principal="ada", request=b"r")
    assert seal.open(state, principal="ada", request=b"r") == {"a": 1}
    for principal, request in [("eve", b"r"), (None, b"r"), ("ada", b"q")]:
        with pytest.raises(ProtocolError):
            seal.open(state, principal=principal, request=request)
    now[0] += 61
    with pytest.raises(ProtocolError):
        seal.open(state, principal="ada", request=b"r")


def test_keys_can_be_changed_while_clients_hold_states() -> None:
    state = Seal([b"old"]).close({"a": 1}, principal=None, request=b"r")
    assert Seal([b"new", b"old"]).open(state, principal=None, request=b"r") == {"a": 1}
    with pytest.raises(ProtocolError):
        Seal([b"new"]).open(state, principal=None, request=b"r")


def test_a_request_is_known_by_what_it_asks_and_not_by_its_metadata() -> None:
    asked = {"name": "t", "arguments": {"a": 1}}
    assert digest("tools/call", asked) == digest("tools/call", {**asked, "_meta": {}, "requestState": "s"})
    assert digest("tools/call", asked) != digest("tools/call", {"name": "t", "arguments": {"a": 2}})


def test_several_questions_asked_together_come_together() -> None:
    server = Server("s", lint="off")

    @server.tool
    async def gather(ctx: Context) -> str:
        """Ask three things at once."""
        name, said, roots = await asyncio.gather(ctx.elicit("name?", Name, key="n"), ctx.sample("hi"), ctx.roots())
        return f"{name.action} {said.text} {len(roots)}"

    async def work() -> tuple[list[str], str]:
        answers = {"elicitation/create": {"action": "cancel"}, "roots/list": {"roots": [{"uri": "file:///a"}]}}
        said = {"role": "assistant", "model": "m", "content": {"type": "text", "text": "hello"}}
        rounds: list[str] = []

        def answer(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
            rounds.append(method)
            return answers.get(method, said)

        async with server.test_client(answers=answer) as client:
            return rounds, (await client.call_tool("gather")).text

    rounds, text = run(work)
    assert rounds == ["elicitation/create", "sampling/createMessage", "roots/list"]
    assert text == "cancel hello 1"


def _asker(ask: Callable[[Context], Awaitable[Any]]) -> Server:
    server = Server("s", lint="off")

    @server.tool
    async def ask_it(ctx: Context) -> str:
        """Ask."""
        return str(await ask(ctx))

    return server


def test_a_modern_client_without_the_capability_is_told_which_one() -> None:
    async def work() -> None:
        async with _asker(lambda ctx: ctx.sample("x")).test_client() as client:
            await client.call_tool("ask_it")

    with pytest.raises(ErrorResponse) as refused:
        run(work)
    assert (refused.value.code, refused.value.data) == (-32021, {"requiredCapabilities": {"sampling": {}}})


def test_an_older_client_without_the_capability_gets_words() -> None:
    async def work() -> Any:
        async with _asker(lambda ctx: ctx.sample("x")).test_client(LEGACY) as client:
            return await client.call_tool("ask_it")

    result = run(work)
    assert (result.is_error, result.text) == (True, "Client capability required: sampling")


@pytest.mark.parametrize(
    ("capabilities", "needs", "declared"),
    [
        ({"elicitation": {}}, {"elicitation": {}}, True),
        ({"elicitation": {"form": {}}}, {"elicitation": {}}, True),
        ({"elicitation": {"url": {}}}, {"elicitation": {}}, False),
        ({"elicitation": {"url": {}}}, {"elicitation": {"url": {}}}, True),
        ({"elicitation": {}}, {"elicitation": {"url": {}}}, False),
        ({"elicitation": None}, {"elicitation": {}}, False),
        ({}, {"sampling": {}}, False),
    ],
)
def test_what_a_client_has_declared(capabilities: Any, needs: Any, declared: bool) -> None:
    assert declares(capabilities, needs) is declared


@pytest.mark.parametrize("version", [MODERN, LEGACY])
def test_a_page_can_be_visited(version: str) -> None:
    async def work() -> str:
        seen: list[Mapping[str, Any]] = []

        def answer(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
            seen.append(params)
            return {"action": "accept"}

        server = _asker(lambda ctx: ctx.elicit_url("Pay here", "https://example.com/pay", key="pay"))
        async with server.test_client(version, answers=answer) as client:
            await client.call_tool("ask_it")
        assert (seen[0]["mode"], "elicitationId" in seen[0]) == ("url", version == LEGACY)
        return seen[0]["url"]

    assert run(work) == "https://example.com/pay"


Ask = Callable[[Context], Awaitable[Any]]

NONSENSE: list[tuple[Ask, Mapping[str, Any]]] = [
    (lambda ctx: ctx.elicit("name?", Name), {"action": "accept", "content": {"name": 7}}),
    (lambda ctx: ctx.elicit_url("x", "https://example.com"), {"action": "perhaps"}),
    (lambda ctx: ctx.sample("x"), {}),
    (lambda ctx: ctx.roots(), {"roots": 7}),
]


def always(answer: Mapping[str, Any]) -> Callable[[str, Mapping[str, Any]], Mapping[str, Any]]:
    return lambda method, params: answer


@pytest.mark.parametrize(("ask", "nonsense"), NONSENSE)
def test_an_older_client_that_answers_nonsense_fails_the_call_in_words(ask: Ask, nonsense: Mapping[str, Any]) -> None:
    async def work() -> Any:
        async with _asker(ask).test_client(LEGACY, answers=always(nonsense)) as client:
            return await client.call_tool("ask_it")

    assert run(work).text == "The client's answer does not fit the question"


def test_a_question_with_no_way_to_ask_it_is_unanswered() -> None:
    server = Server("s", lint="off")

    @server.prompt
    async def stuck(ctx: Context) -> str:
        """Ask in a prompt."""
        return (await ctx.sample("x")).text

    async def work() -> Any:
        def answer(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"role": "assistant", "model": "m", "content": [{"type": "text", "text": "in a prompt"}]}

        async with server.test_client(answers=answer) as client:
            return await client.get_prompt("stuck")

    assert run(work)[0]["content"]["text"] == "in a prompt"


def test_two_questions_with_one_key_are_a_mistake_of_the_author() -> None:
    async def ask(ctx: Context) -> Any:
        return await asyncio.gather(ctx.roots(key="k"), ctx.sample("x", key="k"))

    async def work() -> Any:
        async with TestClient(_asker(ask).engine(), capabilities=CAPABLE) as client:
            return await client.call_tool("ask_it")

    assert run(work).text.startswith("Tool execution failed")


def test_a_call_collects_a_bounded_number_of_records() -> None:
    questions = Questions()
    for number in range(MAX_RECORDS):
        questions.record_outcome(str(number), number)
    with pytest.raises(ValueError, match="at most"):
        questions.record_outcome("one too many", 0)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}},
        {"type": "object", "properties": {"a": 7}},
    ],
)
def test_a_schema_that_no_client_can_show_is_no_form(schema: dict[str, Any]) -> None:
    with pytest.raises(NotAForm):
        check_form(schema)


FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "word": {"type": "string", "minLength": 2, "maxLength": 3},
        "count": {"type": "integer", "minimum": 1, "maximum": 5},
        "score": {"type": "number"},
        "yes": {"type": "boolean"},
        "one": {"type": "string", "oneOf": [{"const": "a", "title": "A"}]},
        "some": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "maxItems": 1},
    },
    "required": ["word"],
}


@pytest.mark.parametrize(
    ("content", "fitting"),
    [
        ({"word": "ab", "count": 5, "score": 1.5, "yes": False, "one": "a", "some": ["b"], "more": object()}, True),
        ({}, False),
        (None, False),
        ({"word": "a"}, False),
        ({"word": "abcd"}, False),
        ({"word": 7}, False),
        ({"word": "ab", "count": 0}, False),
        ({"word": "ab", "count": True}, False),
        ({"word": "ab", "count": 1.5}, False),
        ({"word": "ab", "yes": 1}, False),
        ({"word": "ab", "one": "b"}, False),
        ({"word": "ab", "some": ["c"]}, False),
        ({"word": "ab", "some": ["a", "b"]}, False),
    ],
)
def test_whether_an_answer_fits_its_form(content: Any, fitting: bool) -> None:
    check_form(FORM)
    assert fits(FORM, content) is fitting


def test_unanswered_is_an_exception_that_an_author_can_catch() -> None:
    async def ask(ctx: Context) -> str:
        try:
            await ctx.sample("x")
        except Unanswered as error:
            return f"so be it: {error}"
        return "answered"

    async def work() -> Any:
        async with _asker(ask).test_client(LEGACY, answers=always({})) as client:
            return await client.call_tool("ask_it")

    assert run(work).text == "so be it: The client's answer does not fit the question"


def _legacy_answer(server: Server, response: dict[str, Any]) -> Any:
    """What a tool answers whose question is answered with this response, at a version before 2026-07-28."""

    class Stubborn(TestClient):
        async def send(self, message: bytes) -> None:
            question = from_json(message)
            answer = {"jsonrpc": "2.0", "id": question["id"], **response}
            await self._connection.receive(to_json({**answer, "id": "of nobody"}))
            await self._connection.receive(to_json(answer))
            await self._connection.receive(to_json(answer))

    async def work() -> Any:
        async with Stubborn(server.engine(), LEGACY, capabilities=CAPABLE) as client:
            return await client.call_tool("ask_it")

    return run(work)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": -1, "message": "User rejected sampling request"}, "User rejected sampling request"),
        ({"code": -1, "message": 7}, "no reason given"),
        ({}, "no reason given"),
    ],
)
def test_a_client_that_answers_with_an_error_fails_the_call_in_its_words(error: dict[str, Any], said: str) -> None:
    server = _asker(lambda ctx: ctx.sample("x"))
    assert _legacy_answer(server, {"error": error}).text == f"The client did not answer: {said}"


def test_a_user_who_never_answers_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ASK_TIMEOUT", 0.01)

    class Silent(TestClient):
        async def send(self, message: bytes) -> None:
            """Ask nobody."""

    async def work() -> Any:
        server = _asker(lambda ctx: ctx.sample("x"))
        async with Silent(server.engine(), LEGACY, capabilities=CAPABLE) as client:
            return await client.call_tool("ask_it")

    assert run(work).text == "The client did not answer within 0.01 s"


def test_two_questions_at_once_hold_the_deadline_until_both_are_answered() -> None:
    server = Server("s", lint="off", timeout=1.0)

    @server.tool
    async def ask_it(ctx: Context) -> str:
        """Ask twice at once."""
        first, second = await asyncio.gather(ctx.sample("a"), ctx.sample("b"))
        return first.text + second.text

    class Thoughtful(TestClient):
        async def send(self, message: bytes) -> None:
            question = from_json(message)
            text = question["params"]["messages"][0]["content"]["text"]
            result = {"role": "assistant", "model": "m", "content": {"type": "text", "text": text}}
            answer = to_json({"jsonrpc": "2.0", "id": question["id"], "result": result})
            loop = asyncio.get_running_loop()
            loop.call_later(1.2 if text == "a" else 1.5, lambda: loop.create_task(self._connection.receive(answer)))

    async def work() -> Any:
        async with Thoughtful(server.engine(), LEGACY, capabilities=CAPABLE) as client:
            return await client.call_tool("ask_it")

    assert run(work).text == "ab"


def test_a_completion_has_no_way_to_ask() -> None:
    async def work() -> str:
        call = Call(
            Request(1, "completion/complete", {}, Peer(MODERN, CAPABLE)), NOBODY, InFlight(), NOBODY, timeout=None
        )
        try:
            await asking.ask(call, "roots/list", {}, {"roots": {}}, dict)
        except Unanswered as error:
            return str(error)
        return "asked"

    assert run(work) == "completion/complete has no way to ask anything"


def test_a_host_that_ends_waits_for_no_question() -> None:
    async def work() -> tuple[float | None, float | None, float | None]:
        request = Request(1, "tools/call", {}, Peer(LEGACY, CAPABLE))
        both = Call(request, NOBODY, InFlight(), NOBODY, timeout=10, until=1.0)
        host = Call(request, NOBODY, InFlight(), NOBODY, timeout=None, until=1.0)
        neither = Call(request, NOBODY, InFlight(), NOBODY, timeout=None)
        with both.deadline_waits():
            await asyncio.sleep(0.01)
        return both.deadline, host.deadline, neither.deadline

    assert run(work) == (1.0, 1.0, None)
