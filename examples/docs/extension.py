import asyncio
from collections.abc import Mapping
from typing import Any

from mcp_server import Context, Server


class Tides:
    """An extension of the protocol, which clients know by its identifier."""

    identifier = "com.example/tides"
    settings: Mapping[str, Any] = {"harbours": ["Whitby"]}

    @property
    def methods(self) -> Mapping[str, Any]:
        return {"tides/next": self.next}

    async def next(self, params: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
        ctx.require_extension(self.identifier)
        return {"harbour": params["harbour"], "high": "2026-11-25T14:05:00Z"}


server = Server("harbour")
server.extend(Tides())


def test_a_client_that_knows_tides_is_told() -> None:
    async def main(version: str) -> str:
        known: dict[str, Any] = {"extensions": {Tides.identifier: {}}}
        async with server.test_client(version, capabilities=known) as client:
            return (await client.request("tides/next", {"harbour": "Whitby"}))["high"]

    assert asyncio.run(main("2026-07-28")) == asyncio.run(main("2025-11-25")) == "2026-11-25T14:05:00Z"
