"""The official client against our server, over Streamable HTTP in both of its modes and over the older transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from http_children import PATIENCE, Child, started
from http_shop import content
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ToolsListChanged

from mcp_server.protocol.versions import NEWEST, NEWEST_LEGACY

WAYS = ["auto", "legacy", "sse"]
KEY = "k1-" + "a1b2c3d4" * 4


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with started(tmp_path_factory.mktemp("official"), MCP_API_KEY=KEY) as child:
        child.http.headers["authorization"] = f"Bearer {KEY}"
        yield child


@asynccontextmanager
async def connected(child: Child, way: str) -> AsyncGenerator[Client]:
    """The official client, connected in this way."""
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE, trust_env=False) as http:
        if way == "sse":
            transport: Any = sse_client(child.url + "/mcp/sse", headers=headers)
        else:
            transport = streamable_http_client(child.url + "/mcp", http_client=http)
        with anyio.fail_after(PATIENCE):
            async with Client(transport, mode="auto" if way == "auto" else "legacy") as client:
                yield client


@pytest.mark.parametrize("way", WAYS)
def test_it_negotiates_lists_and_calls(child: Child, way: str) -> None:
    async def main() -> None:
        async with connected(child, way) as client:
            assert client.protocol_version == (NEWEST if way == "auto" else NEWEST_LEGACY)
            assert "add" in [tool.name for tool in (await client.list_tools()).tools]
            result = await client.call_tool("add", {"a": 1, "b": 2})
            assert result.structured_content == {"sum": 3}
            refused = await client.call_tool("add", {"a": "1", "b": 2})
            assert refused.is_error

    asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_it_hears_of_progress(child: Child, way: str) -> None:
    heard: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async def main() -> None:
        label = f"official{way}"
        child.call("let_go", {"label": label})
        async with connected(child, way) as client:
            result = await client.call_tool("wait", {"steps": 3, "label": label}, progress_callback=on_progress)
            assert [block.model_dump(exclude_none=True) for block in result.content] == content("released")

    asyncio.run(main())
    assert heard == [1, 2, 3]


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_it_gives_up_is_cancelled(child: Child, way: str) -> None:
    async def main() -> None:
        label = f"given-up-{way}"
        async with connected(child, way) as client:
            async with asyncio.TaskGroup() as tasks:
                with anyio.CancelScope() as scope:

                    async def give_up() -> None:
                        await asyncio.to_thread(child.sees, "waits" + label)
                        scope.cancel()

                    tasks.create_task(give_up())
                    await client.call_tool("wait", {"label": label})
            await asyncio.to_thread(child.sees, "cancelled" + label)
            assert (await client.call_tool("add", {"a": 1, "b": 1})).structured_content == {"sum": 2}

    asyncio.run(main())


def test_it_listens_to_changes(child: Child) -> None:
    async def main() -> None:
        async with connected(child, "auto") as client, client.listen(tools_list_changed=True) as subscription:
            child.call("announce")
            async for event in subscription:
                assert isinstance(event, ToolsListChanged)
                break

    asyncio.run(main())
