"""Extensions of the protocol: told to clients of every version, and what an app is made of."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_server import RegistrationError, Server

UI = "io.modelcontextprotocol/ui"


def clock() -> Server:
    server = Server("clock", lint="off", extensions={UI: {"mimeTypes": ["text/html;profile=mcp-app"]}})

    @server.tool(meta={"ui": {"resourceUri": "ui://clock/face"}})
    def time_now() -> str:
        """What time it is."""
        return "noon"

    @server.resource("ui://clock/face", mime_type="text/html;profile=mcp-app")
    def face() -> str:
        """The face of the clock."""
        return "<!doctype html><p id=time>"

    return server


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
def test_an_older_client_hears_of_extensions_in_its_handshake(version: str) -> None:
    async def main() -> Any:
        async with clock().test_client(version) as client:
            introduction: dict[str, Any] = {"protocolVersion": version, "capabilities": {}}
            return (await client.request("initialize", introduction))["capabilities"]["extensions"]

    assert asyncio.run(main()) == {UI: {"mimeTypes": ["text/html;profile=mcp-app"]}}


def test_a_modern_client_discovers_extensions_and_finds_the_app_of_a_tool() -> None:
    async def main() -> tuple[Any, Any, Any]:
        async with clock().test_client() as client:
            found = (await client.request("server/discover"))["capabilities"]["extensions"]
            (tool,) = await client.list_tools()
            page = await client.read_resource(tool["_meta"]["ui"]["resourceUri"])
            return found, page[0]["mimeType"], page[0]["text"]

    assert asyncio.run(main()) == (
        {UI: {"mimeTypes": ["text/html;profile=mcp-app"]}},
        "text/html;profile=mcp-app",
        "<!doctype html><p id=time>",
    )


def test_a_server_without_extensions_claims_none() -> None:
    async def main() -> Any:
        async with Server("plain").test_client() as client:
            return (await client.request("server/discover"))["capabilities"]

    assert "extensions" not in asyncio.run(main())


def test_an_extension_without_a_prefix_is_refused() -> None:
    with pytest.raises(RegistrationError, match=r"write com\.example/clock"):
        Server("clock", extensions={"clock": {}})
