"""Optional: plain HTTP is for this machine only.

Certificates and HSTS are the proxy's business. This guard refuses what reached us without TLS all the same, by the
scheme the server saw, or that a trusted proxy reported (`addresses.ClientAddress` has put it into the scope).
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.guards.keyring import is_local
from mcp_server.guards.paths import Paths
from mcp_server.guards.refusals import PLAIN_HTTP


class HttpsGuard:
    """Refuses plain HTTP from outside with 403; a redirect would come after the key was sent in clear."""

    def __init__(self, app: ASGIApp, *, open_paths: Iterable[str] = ()) -> None:
        self._app = app
        self._open = Paths(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what came over TLS or from this machine."""
        if (
            scope["type"] == "http"
            and scope.get("scheme") != "https"
            and not (is_local(scope) or self._open.match(scope))
        ):
            await PLAIN_HTTP(scope, send)
            return
        await self._app(scope, receive, send)
