"""Questions to clients before 2026-07-28 over HTTP: they go out on the call's own stream, and come back as a POST."""

# pyright: reportDeprecated=false

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from http_driver import OldClient, Visit, rpc, serving
from http_shop import content

from mcp_server import Context, Server
from mcp_server.protocol.versions import V2025_03_26, V2025_06_18, V2025_11_25

FORM = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
CAN: dict[str, Any] = {"elicitation": {}, "sampling": {}}


def asker() -> Server:
    """A server that asks before it answers."""
    server = Server("asker", lint="off")

    @server.tool
    async def ask(ctx: Context) -> str:
        """Ask for a size."""
        answer = await ctx.elicit("Which size?", FORM)
        return str(answer)

    @server.tool
    async def say(ctx: Context) -> str:
        """Have the model say something."""
        return str(await ctx.sample("Say something"))

    return server


async def asked(call: Visit) -> dict[str, Any]:
    """The question that comes on the stream of a call."""
    (question,) = await call.hears(1)
    return question


async def reply(client: OldClient, question: dict[str, Any], size: int, *, batched: bool = False) -> Visit:
    """Answer a question."""
    result = {"action": "accept", "content": {"size": size}}
    if question["method"] == "sampling/createMessage":
        result = {"role": "assistant", "content": {"type": "text", "text": f"<{size}>"}, "model": "m"}
    response = {"jsonrpc": "2.0", "id": question["id"], "result": result}
    return await client.web.ask([response] if batched else response, headers=client.headers())


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
@pytest.mark.parametrize("version", [V2025_06_18, V2025_11_25])
def test_a_question_goes_out_on_the_stream_of_its_call_and_is_answered_by_a_post(version: str, path: str) -> None:
    async def main() -> None:
        async with serving(asker()) as web:
            client = await web.session(version, capabilities=CAN)
            call = client.begin("ask", path=path)
            question = await asked(call)
            assert question["method"] == "elicitation/create"
            assert (await reply(client, question, 7)).status == 202
            assert "7" in (await call.done()).result["content"][0]["text"]

    asyncio.run(main())


def test_an_answer_may_come_in_a_batch() -> None:
    async def main() -> None:
        async with serving(asker()) as web:
            client = await web.session(V2025_03_26, capabilities=CAN)
            call = client.begin("say")
            assert (await reply(client, await asked(call), 3, batched=True)).status == 202
            assert "<3>" in (await call.done()).result["content"][0]["text"]

    asyncio.run(main())


def test_a_call_in_a_batch_may_ask() -> None:
    async def main() -> None:
        async with serving(asker()) as web:
            client = await web.session(V2025_03_26, capabilities=CAN)
            call = web.open([rpc("tools/call", {"name": "say"}, "s")], headers=client.headers())
            await reply(client, await asked(call), 5)
            answers: Any = (await call.done()).messages[-1]
            assert "<5>" in answers[0]["result"]["content"][0]["text"]

    asyncio.run(main())


def test_several_calls_get_the_answers_to_their_own_questions() -> None:
    async def main() -> None:
        async with serving(asker()) as web:
            client = await web.session(capabilities=CAN)
            calls = [client.begin("ask", id=number) for number in range(5)]
            questions = [await asked(call) for call in calls]
            assert len({question["id"] for question in questions}) == 5
            for size, question in reversed(list(enumerate(questions, start=100))):
                await reply(client, question, size)
            for size, call in enumerate(calls, start=100):
                assert str(size) in (await call.done()).result["content"][0]["text"]

    asyncio.run(main())


def test_a_client_that_lost_the_stream_can_still_fetch_the_question() -> None:
    async def main() -> None:
        async with serving(asker()) as web:
            client = await web.session(capabilities=CAN)
            call = client.begin("ask")
            await asked(call)
            call.hang_up()
            again = client.listen(last_event_id=call.events[0]["id"])
            await reply(client, await asked(again), 9)
            assert "9" in (await again.done()).result["content"][0]["text"]
            await call.done()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"accept": "application/json"}, "does not take event streams"),
        ({"mcp-session-id": None}, ""),
    ],
)
def test_a_client_that_cannot_be_asked_gets_words(headers: dict[str, str | None], why: str) -> None:
    async def main() -> None:
        async with serving(asker()) as web:
            client = await web.session(capabilities=CAN)
            answer = await client.call("ask", headers=headers)
            assert answer.result["isError"] is True
            assert why in answer.result["content"][0]["text"]

    asyncio.run(main())


def test_where_everything_is_said_at_the_end_nobody_can_be_asked() -> None:
    async def main() -> None:
        async with serving(asker(), streaming=False) as web:
            client = await web.session(capabilities=CAN)
            assert (await client.call("ask")).result["isError"] is True

    asyncio.run(main())


def test_an_answer_to_no_question_changes_nothing() -> None:
    async def main() -> None:
        async with serving(asker()) as web:
            client = await web.session(capabilities=CAN)
            call = client.begin("ask")
            question = await asked(call)
            assert (await reply(client, {**question, "id": "guess"}, 1)).status == 202
            assert not call.complete
            await reply(client, question, 2)
            await reply(client, question, 3)
            answer = (await call.done()).result["content"]
            assert answer != content("")
            assert "2" in answer[0]["text"]

    asyncio.run(main())
