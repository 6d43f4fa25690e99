"""A server asked once, by a client in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mcp_server import Server
from mcp_server.testing import ErrorResponse


def ask(
    server: Server,
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    version: str | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result of one request of a client that declares these extensions; raises `ErrorResponse`."""

    async def main() -> dict[str, Any]:
        async with server.test_client(version, capabilities={"extensions": extensions or {}}) as client:
            return await client.request(method, params)

    return asyncio.run(main())


def refusal(server: Server, method: str, params: Mapping[str, Any] | None = None, version: str | None = None) -> int:
    """The code of the error that one request gets."""
    try:
        result = ask(server, method, params, version=version)
    except ErrorResponse as error:
        return error.code
    raise AssertionError(f"{method} was answered with {result}")
