"""Where clients learn who issues tokens for us (RFC 9728): one document for each path that a user may type.

Anybody may read them, a page in a browser too. Each is made once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_server.oauth.resource.addresses import FACES, WELL_KNOWN, Addresses

_ANYBODY: Final = {
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=300",
    "vary": "Host",
}
_PREFLIGHT: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "*",
    "access-control-max-age": "600",
    "allow": "GET, HEAD, OPTIONS",
}
_METHODS: Final = ["GET", "HEAD", "OPTIONS"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the documents say besides the address."""

    name: str
    issuers: Sequence[str]
    scopes: Sequence[str]

    def document(self, base: str, face: str) -> dict[str, Any]:
        """The metadata of the resource at one path."""
        document: dict[str, Any] = {
            "resource": base + face,
            "authorization_servers": list(self.issuers),
            "bearer_methods_supported": ["header"],
            "resource_name": self.name,
            "mcp_endpoints": [base + "/mcp", base + "/mcp/sse"],
        }
        if self.scopes:
            document["scopes_supported"] = list(self.scopes)
        return document


def routes(addresses: Addresses, metadata: Metadata) -> list[Route]:
    """The documents of all paths, and at the root that of the foremost one.

    Where the public address has a path, clients may also look for them in front of that path.
    """
    prefixes = dict.fromkeys(["", *(urlsplit(base).path for base in addresses.bases)])
    found: dict[str, str] = {WELL_KNOWN: FACES[0]}
    found |= {WELL_KNOWN + prefix + face: face for prefix in prefixes for face in FACES}
    return [Route(path, _endpoint(addresses, metadata, face), methods=_METHODS) for path, face in found.items()]


def _endpoint(addresses: Addresses, metadata: Metadata, face: str) -> Callable[[Request], Awaitable[Response]]:
    bodies = {base: to_json(metadata.document(base, face)) for base in addresses.bases}

    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        return Response(bodies[addresses.base(request.scope)], headers=_ANYBODY, media_type="application/json")

    return endpoint
