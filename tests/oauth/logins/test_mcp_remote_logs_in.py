"""mcp-remote logs in for a client that knows stdio alone, with a person in a real browser."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from tests.installed import MCP_REMOTE, node, node_packages
from tests.oauth.login.login_chromium import Chromium
from tests.oauth.logins.hall import Hall
from tests.oauth.logins.person import Person
from tests.oauth.logins.python_client import who
from tests.oauth.logins.watching import Watching, nobody
from tests.served import PATIENCE, free_port


@dataclass(frozen=True)
class Bridge:
    """mcp-remote, with a home of its own in which it keeps its tokens."""

    house: Hall
    home: Path
    port: int
    says: list[Watching] = field(default_factory=list[Watching])
    """What it says of itself, run by run."""

    @asynccontextmanager
    async def connected(self, act: Callable[[str], None]) -> AsyncGenerator[Client]:
        """A client of stdio behind which it stands; it finds no program to open a browser with."""
        program = str(node_packages(MCP_REMOTE) / "node_modules/.bin/mcp-remote")
        arguments = [program, self.house.url, str(self.port)]
        environment = {"PATH": "", "HOME": str(self.home), "MCP_REMOTE_CONFIG_DIR": str(self.home)}
        parameters = StdioServerParameters(command=str(node()), args=arguments, env=environment)
        end, begin = os.pipe()
        self.says.append(Watching(os.fdopen(end), act, "OAuth callback server running"))
        try:
            with anyio.fail_after(4 * PATIENCE), os.fdopen(begin, "w") as errors:
                async with Client(stdio_client(parameters, errlog=errors), mode="legacy") as client:
                    yield client
        finally:
            await asyncio.to_thread(self.says[-1].join, PATIENCE)
            for _ in range(5):  # it is gone: let the loop see that its output has ended, and close it
                await asyncio.sleep(0)


def test_behind_stdio_a_login_lasts_until_it_is_revoked(house: Hall, browser: Chromium, tmp_path: Path) -> None:
    person = Person(browser)
    bridge = Bridge(house, tmp_path, free_port())

    async def main() -> None:
        with pytest.raises(BaseExceptionGroup) as raised:
            async with bridge.connected(person.refuse):
                pass
        assert raised.group_contains(MCPError, match="Connection closed")
        assert "access_denied - The person did not agree." in bridge.says[-1].text
        async with bridge.connected(person.allow_and_close) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["who"]
            assert (await who(client))["subject"] == "local:anna"
            assert bridge.says[-1].visits == 1
        await asyncio.to_thread(house.let_tokens_expire, "local:anna")
        async with bridge.connected(nobody) as client:
            assert (await who(client))["subject"] == "local:anna"
        async with bridge.connected(person.allow_and_close) as client:
            assert (await who(client))["subject"] == "local:anna"
            assert bridge.says[-1].visits == 0
            await asyncio.to_thread(house.command, "tokens", "revoke", "--subject", "local:anna")
            assert (await who(client))["subject"] == "local:anna"
            assert bridge.says[-1].visits == 1

    asyncio.run(main())
