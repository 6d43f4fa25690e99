"""A tool that asks two things in a row, as the official client meets it: in both eras, over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent
from pydantic import FileUrl
from served import served

ROOT = Path(__file__).parents[2]
APP = "tests.conformance.everything:server"


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with served(MCP_APP=APP, MCP_API_KEY="", RATE_LIMIT="100000/minute") as site:
        yield f"{site.url}/mcp"


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest) -> Any:
    if request.param == "http":
        return request.getfixturevalue("url")
    assert sys.__stderr__ is not None
    environment = {**os.environ, "MCP_APP": APP, "PYTHONPATH": str(ROOT)}
    command = StdioServerParameters(command=sys.executable, args=[str(ROOT / "main.py")], env=environment)
    return stdio_client(command, errlog=sys.__stderr__)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_its_user_is_asked_twice_and_the_tool_goes_on(server: Any, mode: Literal["auto", "legacy"]) -> None:
    asked: list[str] = []

    async def user(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"name": "Ada", "color": "blue"})

    async def main() -> Any:
        with anyio.fail_after(30):
            async with Client(server, mode=mode, elicitation_callback=user) as client:
                return await client.call_tool("test_input_required_result_multi_round", {})

    result = asyncio.run(main())
    assert result.content[0].text == "accept, accept"
    assert [message.partition(":")[0] for message in asked] == ["Step 1", "Step 2"]


@pytest.mark.filterwarnings(f"ignore::{MCPDeprecationWarning.__module__}.{MCPDeprecationWarning.__name__}")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_its_user_its_model_and_itself_are_asked_at_once(server: Any, mode: Literal["auto", "legacy"]) -> None:
    async def user(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"name": "Ada"})

    async def model(context: Any, params: Any) -> CreateMessageResult:
        return CreateMessageResult(role="assistant", model="none", content=TextContent(text="hello"))

    async def roots(context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=FileUrl("file:///workspace"))])

    async def main() -> Any:
        with anyio.fail_after(30):
            async with Client(
                server, mode=mode, elicitation_callback=user, sampling_callback=model, list_roots_callback=roots
            ) as client:
                return await client.call_tool("test_input_required_result_multiple_inputs", {})

    assert asyncio.run(main()).content[0].text == "accept, hello, 1 roots"
