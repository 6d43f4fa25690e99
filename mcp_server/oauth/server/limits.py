"""How often an address may ask. The address is the one that the guards have settled on."""

from __future__ import annotations

from starlette.requests import Request

from mcp_server.guards.caller import caller_of
from mcp_server.guards.limiter import Limiter
from mcp_server.oauth.server.faults import Fault


class Limits:
    """Counts requests by address, and all of them together.

    Args:
        each: What one address may.
        together: What everybody together may.
    """

    def __init__(self, each: Limiter, together: Limiter | None = None) -> None:
        self._each = each
        self._together = together

    async def count(self, request: Request) -> None:
        """Count a request.

        Raises:
            Fault: There were too many.
        """
        verdict = await self._each.hit(caller_of(request.scope).address)
        if verdict.allowed and self._together is not None:
            verdict = await self._together.hit("everybody")
        if not verdict.allowed:
            raise Fault("temporarily_unavailable", "There were too many requests; try again later.", 429)
