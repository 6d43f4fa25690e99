"""Answers that any web page may read.

What is here is for programs that run in browsers, on whatever site: the metadata is public, and at the other endpoints
a request proves by what it brings, never by a cookie, who it is from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from mcp_server.oauth.server.faults import told, unavailable
from mcp_server.stores import StoreUnavailable

Endpoint = Callable[[Request], Awaitable[Response]]

_READ: Final = {"access-control-allow-origin": "*", "access-control-expose-headers": "WWW-Authenticate, Retry-After"}
_PREFLIGHT: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, Accept, MCP-Protocol-Version",
    "access-control-max-age": "86400",
}


def for_everybody(endpoint: Endpoint) -> Endpoint:
    """The endpoint, readable for every page; what cannot be answered for lack of a store is told as well."""

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        try:
            response = await endpoint(request)
        except StoreUnavailable:
            response = told(unavailable())
        response.headers.update(_READ)
        return response

    return answer
