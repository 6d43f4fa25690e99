"""Talking to a server with one tool, after which nothing may be left of any call."""

# Nothing public tells what a call leaves behind.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from clients import Client, turns
from fakes import FakeService, Tool

from mcp_server.engine.calls import Call
from mcp_server.protocol.results import Result, text_content

DONE: Result = {"content": [text_content("done")]}
TIMED_OUT = [{"type": "text", "text": "Timed out after 0.01 s"}]


def talk(tool: Tool, talking: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    """What comes of talking to a server with one tool; afterwards nothing may be left of any call."""

    async def main() -> Any:
        client = await Client(FakeService({"tool": tool}), **options).begin()
        async with asyncio.timeout(60):
            outcome = await talking(client)
        await turns()
        assert len(client.in_flight) == 0
        client.connection.close()
        await turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return outcome

    return asyncio.run(main())


async def waits_for_ever(arguments: dict[str, Any], call: Call) -> Result:
    await asyncio.Event().wait()
    return DONE


async def cancelled(client: Client) -> Any:
    """What is said to a client that cancels its call as soon as that waits."""
    calling = asyncio.create_task(client.call("tool", id="x"))
    await turns()
    await client.cancel("x")
    return await calling
