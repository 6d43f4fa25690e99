"""One request, and its response."""

from __future__ import annotations

import asyncio
from typing import Any

from clients import Client
from fakes import FakeService

from mcp_server.protocol.versions import V2026_07_28


def ask(
    method: str,
    params: dict[str, Any] | None = None,
    *,
    version: str = V2026_07_28,
    service: FakeService | None = None,
) -> dict[str, Any]:
    """The response to one request of a client that has introduced itself."""

    async def main() -> dict[str, Any]:
        client = await Client(service, version=version).begin()
        return await client.ask(method, params)

    return asyncio.run(main())


def code(response: dict[str, Any]) -> int:
    return response["error"]["code"]


def with_tool(tool: Any) -> FakeService:
    return FakeService({"tool": tool})
