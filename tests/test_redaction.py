"""An author's own redaction: the last word on whatever is said to a client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_server import Context, ProtocolError, Server, ToolError, blot_out_keys
from mcp_server.protocol.versions import V2025_11_25, V2026_07_28
from mcp_server.testing import ErrorResponse
from tests.http.http_driver import serving

MAIL = "anna@example.com"


def discreet(text: str) -> str:
    """Leaves out a mail address; cannot read French."""
    if "é" in text:
        raise LookupError(text)
    return text.replace(MAIL, "[mail]")


def shop() -> Server:
    """A server that is indiscreet in every way."""
    server = Server("s", lint="off", redact=discreet)

    @server.tool
    async def tell(how: str, ctx: Context) -> str:
        """Tell it."""
        match how:
            case "fails":
                raise ToolError(f"ask {MAIL}")
            case "refuses":
                raise ProtocolError(-32603, f"ask {MAIL}")
            case "progress":
                await ctx.progress(1, message=f"asking {MAIL}")
            case "french":
                return f"é {MAIL}"
            case _:
                pass
        return f"ask {MAIL}"

    @server.resource("s://mail")
    async def mail() -> str:
        """Who to ask."""
        return MAIL

    return server


async def heard(version: str, *hows: str) -> str:
    """Everything that a client gets to see."""
    said: list[Any] = []
    async with shop().test_client(version) as client:
        for how in hows:
            try:
                said.append(await client.request("tools/call", {"name": "tell", "arguments": {"how": how}}))
            except ErrorResponse as error:
                said.append((str(error), error.data))
        said.append(await client.request("resources/read", {"uri": "s://mail"}))
        return str([*said, *client.notifications])


@pytest.mark.parametrize("version", [V2025_11_25, V2026_07_28])
def test_it_sees_results_errors_progress_and_contents(version: str) -> None:
    said = asyncio.run(heard(version, "answers", "fails", "refuses", "progress"))
    assert MAIL not in said
    assert said.count("[mail]") >= 5


@pytest.mark.parametrize("version", [V2025_11_25, V2026_07_28])
def test_what_it_cannot_clean_does_not_go_out(version: str) -> None:
    said = asyncio.run(heard(version, "french"))
    assert "Internal error [" in said
    assert "é" not in said


def test_it_comes_after_the_secrets_of_the_operator() -> None:
    server = Server("s", lint="off", redact=blot_out_keys)
    shaped = "sk-" + "a1B2" * 8

    @server.tool
    async def tell() -> str:
        """Tell both."""
        return f"{'k' * 40} and {shaped}"

    async def main() -> str:
        async with serving(server, mcp_api_key="k" * 40) as web:
            body = {"action": "call_tool", "name": "tell"}
            return (await web.ask(body, headers={"authorization": f"Bearer {'k' * 40}"})).json["output"]

    assert asyncio.run(main()) == "[redacted] and [redacted]"
