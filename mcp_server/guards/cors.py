"""Which web pages may read our answers, and the preflights they ask first.

Starlette's middleware does the work. Added to it: the headers of MCP, the dynamic `Mcp-Param-*` request headers (their
names come from tool schemas, so they cannot be listed; any name of that form is granted), and a short way past for
requests that have no `Origin`.

Outermost of the guards that answer: a preflight carries no key, and the refusals of inner guards must stay readable
for the page that caused them. Credentials are never allowed: a key travels in `Authorization`, not in a cookie, so
`*` cannot hand a stranger somebody's session.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.guards.caller import caller_of
from mcp_server.guards.paths import Paths

METHODS = ("GET", "POST", "DELETE", "OPTIONS")
REQUEST_HEADERS = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    "Mcp-Method",
    "Mcp-Name",
    "MCP-Protocol-Version",
    "Mcp-Session-Id",
)
EXPOSED_HEADERS = (
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "WWW-Authenticate",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
)

_PARAMETER = re.compile(r"mcp-param-[a-z0-9_-]{1,128}", re.IGNORECASE | re.ASCII)
_LOOPBACK = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
_CACHEABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_ASKED = "access-control-request-headers"


class Cors(CORSMiddleware):
    """Grants the listed origins; with `loopback`, pages served from this machine as well (for development).

    Open paths grant for themselves what they grant.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Iterable[str] = (),
        loopback: bool = False,
        methods: Iterable[str] = METHODS,
        headers: Iterable[str] = (),
        expose: Iterable[str] = (),
        max_age: int = 600,
        open_paths: Iterable[str] = (),
    ) -> None:
        self._open = Paths(open_paths)
        super().__init__(
            app,
            allow_origins=frozenset(origins),
            allow_origin_regex=_LOOPBACK if loopback else None,
            allow_methods=tuple(methods),
            allow_headers=(*REQUEST_HEADERS, *headers),
            expose_headers=(*EXPOSED_HEADERS, *expose),
            max_age=max_age,
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # pyright: ignore[reportIncompatibleMethodOverride] - it is awaited all the same
        """Answer a preflight, or mark the answer for the page that asked."""
        # Without an Origin there is nobody to grant anything to. A GET still goes the long way: its answer may be
        # stored by a shared cache, and needs `Vary: Origin` there.
        if scope["type"] != "http" or (scope["method"] not in _CACHEABLE and b"origin" not in caller_of(scope).headers):
            return self.app(scope, receive, send)
        if self._open.match(scope):
            return self.app(scope, receive, send)
        return super().__call__(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight: `Mcp-Param-*` names are granted here, all other names by the list."""
        asked = [name.strip() for name in request_headers.get(_ASKED, "").split(",") if name.strip()]
        parameters = [name for name in asked if _PARAMETER.fullmatch(name)]
        if not parameters:
            return super().preflight_response(request_headers)
        remaining = request_headers.mutablecopy()
        del remaining[_ASKED]
        if others := [name for name in asked if name not in parameters]:
            remaining[_ASKED] = ", ".join(others)
        response = super().preflight_response(remaining)
        granted = response.headers.get("access-control-allow-headers")
        response.headers["access-control-allow-headers"] = ", ".join(filter(None, [granted, *parameters]))
        return response
