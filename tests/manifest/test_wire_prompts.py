"""Prompts and completions."""

from __future__ import annotations

from typing import Any

import pytest
from wire import Connect, Message, WireSession, on_loop

GREET = {"type": "ref/prompt", "name": "greet"}
NOTES = {"type": "ref/resource", "uri": "fixture://notes/{name}"}


@pytest.mark.requirement("G1b")
@on_loop
async def test_a_prompt_is_listed_with_its_arguments(connect: Connect) -> None:
    async with connect() as session:
        [prompt] = (await session.request("prompts/list"))["prompts"]
        assert (prompt["name"], prompt["description"]) == ("greet", "Ask for a greeting.")
        assert prompt["arguments"] == [
            {"name": "name", "description": "Whom to greet.", "required": True},
            {"name": "tone", "description": "How to greet.", "required": False},
        ]


@pytest.mark.requirement("G1b")
@pytest.mark.parametrize(("given", "tone"), [({}, "warm"), ({"tone": "cold"}, "cold")])
@on_loop
async def test_a_prompt_is_filled_in(connect: Connect, given: dict[str, str], tone: str) -> None:
    async with connect() as session:
        result = await session.request("prompts/get", {"name": "greet", "arguments": {"name": "Ada", **given}})
        assert result["messages"] == [
            {"role": "user", "content": {"type": "text", "text": "Greet Ada."}},
            {"role": "assistant", "content": {"type": "text", "text": f"In a {tone} tone?"}},
        ]


@pytest.mark.requirement("G1c")
@on_loop
async def test_an_unknown_prompt_is_refused(connect: Connect) -> None:
    async with connect() as session:
        refused = await session.refusal("prompts/get", {"name": "nobody"})
        assert (refused.code, refused.message) == (-32602, "Unknown prompt: nobody")


@pytest.mark.requirement("G1d")
@pytest.mark.parametrize(
    "arguments", [{}, {"name": 5}, {"name": None}, {"name": "a", "extra": "b"}, {"name": "a", "tone": "loud"}, ["Ada"]]
)
@on_loop
async def test_a_prompt_with_wrong_arguments_is_refused(connect: Connect, arguments: Any) -> None:
    async with connect() as session:
        assert (await session.refusal("prompts/get", {"name": "greet", "arguments": arguments})).code == -32602


@pytest.mark.requirement("C1a")
@on_loop
async def test_the_capability_for_completions_is_declared(connect: Connect) -> None:
    async with connect(shake_hands=False) as session:
        told = await (session.request("server/discover") if session.modern else session.shake_hands())
        assert told["capabilities"]["completions"] == {}


@pytest.mark.requirement("C1b")
@on_loop
async def test_at_most_a_hundred_values_are_proposed(connect: Connect) -> None:
    async with connect() as session:
        proposed = await _complete(session, NOTES, "name", "note-")
        assert (len(proposed["values"]), proposed["total"], proposed["hasMore"]) == (100, 150, True)


@pytest.mark.requirement("C1b")
@on_loop
async def test_few_values_are_proposed_whole(connect: Connect) -> None:
    async with connect() as session:
        proposed = await _complete(session, NOTES, "name", "note-14")
        assert proposed["values"] == [f"note-14{digit}" for digit in range(10)]


@pytest.mark.requirement("C1b")
@on_loop
async def test_the_values_of_a_choice_are_proposed_unasked(connect: Connect) -> None:
    async with connect() as session:
        assert (await _complete(session, GREET, "tone", "c"))["values"] == ["cold"]


@pytest.mark.requirement("C1b")
@on_loop
async def test_nothing_is_proposed_for_an_argument_that_nobody_knows(connect: Connect) -> None:
    async with connect() as session:
        assert (await _complete(session, GREET, "weather", ""))["values"] == []


@pytest.mark.requirement("C1c")
@on_loop
async def test_a_proposal_depends_on_what_has_been_filled_in(connect: Connect) -> None:
    async with connect() as session:
        params = {"ref": GREET, "argument": {"name": "name", "value": ""}}
        cold = await session.request("completion/complete", {**params, "context": {"arguments": {"tone": "cold"}}})
        plain = await session.request("completion/complete", params)
        assert cold["completion"]["values"] == ["Dr Ada", "Dr Alan"]
        assert plain["completion"]["values"] == ["ada", "alan"]


@pytest.mark.requirement("C1d")
@pytest.mark.parametrize(
    "reference",
    [
        {"type": "ref/prompt", "name": "nobody"},
        {"type": "ref/resource", "uri": "nothing://{x}"},
        {"type": "ref/tool", "name": "echo"},
        {"type": "ref/prompt"},
        {},
        "greet",
    ],
)
@on_loop
async def test_a_reference_to_nothing_is_refused(connect: Connect, reference: Any) -> None:
    async with connect() as session:
        params = {"ref": reference, "argument": {"name": "name", "value": ""}}
        assert (await session.refusal("completion/complete", params)).code in {-32602, -32002}


@pytest.mark.requirement("C1d")
@pytest.mark.parametrize("argument", [{}, {"name": "name"}, {"name": 1, "value": ""}, None])
@on_loop
async def test_a_malformed_argument_is_refused(connect: Connect, argument: Any) -> None:
    async with connect() as session:
        assert (await session.refusal("completion/complete", {"ref": GREET, "argument": argument})).code == -32602


async def _complete(session: WireSession, reference: dict[str, str], argument: str, value: str) -> Message:
    """What is proposed."""
    params = {"ref": reference, "argument": {"name": argument, "value": value}}
    return (await session.request("completion/complete", params))["completion"]
