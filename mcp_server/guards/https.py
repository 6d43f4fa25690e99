"""Optional: plain HTTP is for this machine only.

Certificates and HSTS are the proxy's business. This guard refuses what reached us without TLS all the same, by the
scheme the server saw, or that a trusted proxy reported (`addresses.ClientAddress` has put it into the scope).
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Scope

from mcp_server.guards.caller import Caller
from mcp_server.guards.gate import Guard
from mcp_server.guards.keyring import is_local
from mcp_server.guards.paths import Paths
from mcp_server.guards.refusals import PLAIN_HTTP, Refusal


class HttpsGuard(Guard):
    """Refuses plain HTTP from outside with 403; a redirect would come after the key was sent in clear."""

    def __init__(self, app: ASGIApp, *, open_paths: Iterable[str] = ()) -> None:
        super().__init__(app)
        self._open = Paths(open_paths)

    def look(self, scope: Scope, caller: Caller) -> Refusal | None:  # noqa: ARG002 - others ask for more
        """Let pass what came over TLS or from this machine."""
        if scope.get("scheme") == "https" or is_local(scope) or self._open.match(scope):
            return None
        return PLAIN_HTTP
