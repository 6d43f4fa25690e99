"""How often one caller may call one tool, where its author has said `rate_limit="10/minute"`.

The counters are those of the guards: in memory, or in the Redis that several processes share. A caller is the holder of
a key; where nobody needs one, all callers are one.
"""

from __future__ import annotations

import math

from mcp_server.guards.limiter import Limiter
from mcp_server.guards.rates import Rate, rates_from
from mcp_server.guards.windows import MemoryWindows, Windows
from mcp_server.protocol.errors import Reason
from mcp_server.protocol.results import Result, tool_error
from mcp_server.registry import RegistrationError, Tool


def checked_rates(tool: Tool) -> tuple[Rate, ...]:
    """The rates of a tool; raises `RegistrationError` with what to write instead."""
    try:
        return rates_from(tool.rate_limit or "")
    except ValueError as error:
        raise RegistrationError(f"tool {tool.name}: rate_limit: {error}") from error


class ToolLimits:
    """Counts the calls of tools that have a limit."""

    def __init__(self, windows: Windows | None = None) -> None:
        self._windows = windows or MemoryWindows()
        self._limiters: dict[str, tuple[str, Limiter]] = {}

    def count_in(self, windows: Windows) -> None:
        """Count elsewhere from now on, such as where other processes count."""
        self._windows = windows
        self._limiters.clear()

    async def refusal(self, tool: Tool, caller: str | None) -> Result | None:
        """What a caller gets who has called this tool too often; None if it may go on."""
        if tool.rate_limit is None:
            return None
        verdict = await self._limiter(tool, tool.rate_limit).hit(caller or "anybody")
        if verdict.allowed:
            return None
        wait = math.ceil(verdict.reset_after)
        return tool_error(f"This tool has been called too often: try again in {wait} s", Reason.RATE_LIMITED)

    def _limiter(self, tool: Tool, text: str) -> Limiter:
        known = self._limiters.get(tool.name)
        if known is None or known[0] != text:
            limiter = Limiter(checked_rates(tool), self._windows, name=f"tool/{tool.name}")
            known = self._limiters[tool.name] = (text, limiter)
        return known[1]
