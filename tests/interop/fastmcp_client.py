"""FastMCP's client, driven through what a client needs; prints what it saw as JSON.

It runs in a Python of its own: `python fastmcp_client.py auto|legacy URL TOKEN`, or with `- COMMAND ARG...` instead of
the last two.
"""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport


async def main(mode: Any, target: str, *rest: str) -> dict[str, Any]:
    """Connect, and do one of each."""
    asked: list[str] = []
    progress: list[float] = []

    async def elicited(message: str, *_: Any) -> dict[str, Any]:
        asked.append(message)
        return {"username": "ada", "response": "yes", "email": "ada@example.com"}

    async def sampled(*_: Any) -> str:
        asked.append("sampling")
        return "forty-two"

    async def told(done: float, *_: Any) -> None:
        progress.append(done)

    if target == "-":
        transport = StdioTransport(rest[0], list(rest[1:]), env=dict(os.environ))
    else:
        transport = StreamableHttpTransport(target, headers={"Authorization": f"Bearer {rest[0]}"})
    handlers = {"elicitation_handler": elicited, "sampling_handler": sampled, "roots": ["file:///workspace"]}
    async with Client(transport, mode=mode, **handlers) as client:

        async def call(name: str, arguments: dict[str, Any] | None = None, **how: Any) -> Any:
            return await client.call_tool(name, arguments or {}, raise_on_error=False, **how)

        async def cancelled() -> list[str]:
            """Give up a call, once it has reached the server: how it ended here, and how it ended there."""
            tag = f"fastmcp-{os.getpid()}"
            for attempt in range(1, 20):
                running = asyncio.ensure_future(call("slow", {"seconds": 60, "tag": tag}))
                await asyncio.sleep(0.05 * attempt)
                running.cancel()
                await asyncio.wait([running])
                for _ in range(20):
                    log = json.loads((await call("cancel_log")).content[0].text)
                    if ended := [each["ended"] for each in log if each["tag"] == tag]:
                        return ["aborted" if running.cancelled() else "answered", *ended]
            return ["never", "reached the server"]

        return {
            "tools": [tool.name for tool in await client.list_tools()],
            "sum": (await call("add", {"a": 2, "b": 3})).content[0].text,
            "progressed": {
                "said": (await call("test_tool_with_progress", progress_handler=told)).content[0].text,
                "progress": progress,
            },
            "elicited": (await call("test_elicitation", {"message": "Who are you?"})).content[0].text,
            "sampled": (await call("test_sampling", {"prompt": "six by nine"})).content[0].text,
            "roots": (await call("test_input_required_result_list_roots")).content[0].text,
            "asked": asked,
            "read": (await client.read_resource("test://static-text"))[0].text,
            "prompt": len((await client.get_prompt("test_simple_prompt")).messages),
            "wrong": (await call("add", {"a": "2", "b": 3})).is_error,
            "cancelled": await cancelled(),
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
