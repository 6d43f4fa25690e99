"""`rate_limit` of a tool: counted for each caller, refused in words, shared with whoever counts in the same place."""

from __future__ import annotations

import asyncio

import pytest

from mcp_server import Principal, RegistrationError, Server
from mcp_server.guards.windows import MemoryWindows
from mcp_server.testing import CallResult, TestClient


def shop(limit: str = "2/minute") -> Server:
    server = Server("shop", lint="off")

    @server.tool(rate_limit=limit)
    async def order() -> str:
        """Order something."""
        return "ordered"

    @server.tool
    async def look() -> str:
        """Look around."""
        return "nice"

    return server


def calls(
    server: Server, *names: str, principal: str | None = None, windows: MemoryWindows | None = None
) -> list[CallResult]:
    async def main() -> list[CallResult]:
        who = Principal(principal) if principal else None
        async with TestClient(server.engine(windows=windows), principal=who) as client:
            return [await client.call_tool(name) for name in names]

    return asyncio.run(main())


def test_a_tool_that_is_called_too_often_says_when_to_come_back() -> None:
    *allowed, refused = calls(shop(), "order", "order", "order")
    assert [result.text for result in allowed] == ["ordered", "ordered"]
    assert refused.is_error
    assert refused.text.startswith("This tool has been called too often: try again in ")
    assert refused.raw["_meta"]["mcp-server/reason"] == "rate_limited"


def test_the_limit_of_one_tool_is_not_that_of_another() -> None:
    assert calls(shop("1/minute"), "order", "order", "look")[-1].text == "nice"


def test_each_caller_has_a_count_of_its_own() -> None:
    server, windows = shop("1/minute"), MemoryWindows()
    outcomes = [calls(server, "order", principal=name, windows=windows)[0].is_error for name in ("ada", "eve", "ada")]
    assert outcomes == [False, False, True]


def test_servers_that_count_in_one_place_share_a_limit() -> None:
    windows = MemoryWindows()
    outcomes = [calls(shop("1/minute"), "order", windows=windows)[0].is_error for _ in range(2)]
    assert outcomes == [False, True]


def test_a_limit_that_is_no_rate_is_refused_at_registration() -> None:
    with pytest.raises(RegistrationError, match="tool order: rate_limit: not a rate"):
        shop("often")
