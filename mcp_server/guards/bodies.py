"""How much a request may say, and how long it may take to say it.

A body announced as too large (`Content-Length`) is refused before a byte of it is read. Any other is counted while it
arrives, and must be complete `timeout` seconds after it was first asked for: `passage` does that.

Nothing is read before the application asks: a stranger without a key, refused by a guard further in, never makes us
hold a body.

Depth is the parser's business: it gives up at 200 levels.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Scope

from mcp_server.guards.caller import Caller
from mcp_server.guards.gate import Guard
from mcp_server.guards.passage import Limits
from mcp_server.guards.patience import Patience
from mcp_server.guards.refusals import TOO_LARGE, Refusal

MAX_BYTES = 4 * 1024 * 1024


class BodyGuard(Guard):
    """Refuses bodies that are too large (413) or too slow (408)."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BYTES, timeout: float = 30.0) -> None:
        if max_bytes < 1:
            msg = "max_bytes must be positive"
            raise ValueError(msg)
        self._max_bytes = max_bytes
        self.limits = Limits(max_bytes, Patience(timeout))
        super().__init__(app)

    def look(self, scope: Scope, caller: Caller) -> Refusal | None:  # noqa: ARG002 - others ask for more
        """Refuse a body that is announced as too large."""
        announced = caller.headers.get(b"content-length", b"")
        return TOO_LARGE if announced.isdigit() and int(announced) > self._max_bytes else None
