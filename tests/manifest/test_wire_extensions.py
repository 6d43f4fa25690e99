"""Extensions as clients hear of them."""

from __future__ import annotations

from typing import Any

import pytest
from wire import Connect, WireSession, on_loop


async def told(session: WireSession) -> dict[str, Any]:
    """The capabilities that a client hears of, in whichever way its version has."""
    answer = await session.request("server/discover") if session.modern else await session.shake_hands()
    return answer["capabilities"]


@pytest.mark.requirement("B10")
@on_loop
async def test_extensions_are_told_of_in_every_version(connect: Connect) -> None:
    async with connect("extended", shake_hands=False) as session:
        assert (await told(session))["extensions"] == {
            "io.modelcontextprotocol/ui": {},
            "io.modelcontextprotocol/skills": {"directoryRead": True},
        }


@pytest.mark.requirement("B10b")
@on_loop
async def test_a_server_that_uses_none_claims_none(connect: Connect) -> None:
    async with connect("fixture", shake_hands=False) as session:
        assert "extensions" not in await told(session)


@pytest.mark.requirement("X6b")
@on_loop
async def test_a_tool_with_an_app_has_a_result_for_everybody(connect: Connect) -> None:
    async with connect("extended") as session:
        assert (await session.call("show"))["content"] == [{"type": "text", "text": "noon"}]


@pytest.mark.requirement("X8")
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("skills/list", {}),
        ("skills/get", {"uri": "skill://acme/refunds/SKILL.md"}),
        ("resources/directory/read", {"uri": "skill://acme/refunds"}),
    ],
)
@on_loop
async def test_skills_are_there_only_if_they_were_added(connect: Connect, method: str, params: Any) -> None:
    async with connect("fixture") as session:
        assert (await session.refusal(method, params)).code == -32601
    async with connect("extended") as session:
        assert await session.request(method, params)
