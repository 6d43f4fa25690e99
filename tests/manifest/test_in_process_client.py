"""`Server.test_client`, which the tests of every server built on this library are written with."""

from __future__ import annotations

import asyncio

import pytest
from fixture_server import fixture, paged
from wire import on_loop

from mcp_server.protocol.versions import ALL_VERSIONS, LEGACY_VERSIONS, NEWEST
from mcp_server.testing import ErrorResponse

every_version = pytest.mark.parametrize("version", ALL_VERSIONS)


@on_loop
async def test_it_speaks_the_newest_version_unless_told_otherwise() -> None:
    async with fixture().test_client() as client:
        assert (await client.call_tool("whoami")).structured["version"] == NEWEST


@every_version
@on_loop
async def test_it_speaks_the_version_that_it_is_told_to(version: str) -> None:
    async with fixture().test_client(version) as client:
        assert f'"{version}"' in (await client.call_tool("whoami")).text


@every_version
@on_loop
async def test_a_result_has_text_and_structure(version: str) -> None:
    async with fixture().test_client(version) as client:
        result = await client.call_tool("add", a=1, b=2)
        assert (result.text, result.is_error) == ('{"total":3}', False)
        assert result.structured == (None if version in LEGACY_VERSIONS[:2] else {"total": 3})


@every_version
@on_loop
async def test_an_error_in_a_tool_is_a_result(version: str) -> None:
    async with fixture().test_client(version) as client:
        result = await client.call_tool("fail")
        assert (result.text, result.is_error) == ("the shelf is empty", True)


@every_version
@on_loop
async def test_an_error_of_the_protocol_is_raised(version: str) -> None:
    async with fixture().test_client(version) as client:
        with pytest.raises(ErrorResponse, match="Unknown tool: nobody") as raised:
            await client.call_tool("nobody")
        assert raised.value.code == -32602


@every_version
@on_loop
async def test_it_lists_over_all_pages(version: str) -> None:
    async with paged().test_client(version) as client:
        listed = [
            await client.list_tools(),
            await client.list_resources(),
            await client.list_resource_templates(),
            await client.list_prompts(),
        ]
        assert [len(entries) for entries in listed] == [5, 5, 5, 5]


@every_version
@on_loop
async def test_it_reads_resources_and_gets_prompts(version: str) -> None:
    async with fixture().test_client(version) as client:
        assert (await client.read_resource("fixture://motd"))[0]["text"] == "Be kind."
        assert (await client.get_prompt("greet", name="Ada"))[0]["content"]["text"] == "Greet Ada."


@every_version
@on_loop
async def test_it_keeps_what_it_hears(version: str) -> None:
    async with fixture().test_client(version) as client:
        await client.request("tools/call", {"name": "climb", "_meta": {"progressToken": 1}})
        assert [each["params"]["progress"] for each in client.notifications] == [1, 2, 3]


@every_version
@on_loop
async def test_it_hears_the_answer_at_the_deadline(version: str) -> None:
    async with fixture().test_client(version) as client:
        assert (await client.call_tool("never")).text == "Timed out after 0.1 s"


@every_version
@on_loop
async def test_a_call_that_is_given_up_stops(version: str) -> None:
    async with fixture().test_client(version) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.call_tool("wait", name="given up")
        assert "given up" in (await client.call_tool("stopped")).text
