"""A server with a tool that says who calls it; `MCP_APP=tests.oauth.who:server` serves it."""

from __future__ import annotations

from typing import Any

from mcp_server import Context, Server


def who_server() -> Server:
    """One more of them."""
    made = Server("who")

    @made.tool
    async def who(ctx: Context) -> dict[str, Any]:
        """Say who calls."""
        caller = ctx.principal
        assert caller is not None
        scopes = None if caller.scopes is None else sorted(caller.scopes)
        return {"subject": caller.subject, "client": caller.client, "scopes": scopes}

    return made


server = who_server()
