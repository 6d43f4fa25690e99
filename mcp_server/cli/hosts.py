"""The programs that start servers: where each keeps its configuration, and what an entry in it looks like."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcp_server.cli.problem import Problem


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides where a program keeps its configuration."""

    platform: str
    home: Path
    directory: Path
    environment: Mapping[str, str]

    @classmethod
    def here(cls) -> Surroundings:
        """Those of this process."""
        return cls(sys.platform, Path.home(), Path.cwd(), os.environ)


@dataclass(frozen=True, slots=True)
class Host:
    """A program that starts servers; `servers` is the key under which its configuration lists them."""

    title: str
    servers: str
    path: Callable[[Surroundings], Path]
    afterwards: str
    typed: bool = False
    """Whether an entry says which type it is of."""
    takes_urls: bool = True

    def for_program(self, command: str, arguments: list[str], env: Mapping[str, str]) -> dict[str, Any]:
        """An entry for a server that the host starts."""
        entry: dict[str, Any] = {"type": "stdio"} if self.typed else {}
        entry |= {"command": command, "args": arguments}
        return {**entry, "env": dict(env)} if env else entry

    def for_url(self, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """An entry for a server at a URL; raises `Problem` for a host that has no such entries."""
        if not self.takes_urls:
            todo = f"Add it as a connector in the settings of {self.title}."
            raise Problem(f"The configuration file of {self.title} takes no URLs", todo)
        entry: dict[str, Any] = {"type": "http"} if self.typed else {}
        return {**entry, "url": url, **({"headers": dict(headers)} if headers else {})}


def _claude_desktop(around: Surroundings) -> Path:
    match around.platform:
        case "darwin":
            folder = around.home / "Library" / "Application Support"
        case "win32":
            folder = Path(around.environment.get("APPDATA") or around.home / "AppData" / "Roaming")
        case _:
            folder = Path(around.environment.get("XDG_CONFIG_HOME") or around.home / ".config")
    return folder / "Claude" / "claude_desktop_config.json"


HOSTS: Final[dict[str, Host]] = {
    "claude-desktop": Host(
        "Claude Desktop",
        "mcpServers",
        _claude_desktop,
        "Quit Claude Desktop and start it again.",
        takes_urls=False,
    ),
    "cursor": Host(
        "Cursor",
        "mcpServers",
        lambda around: around.home / ".cursor" / "mcp.json",
        "Cursor shows it under Settings, MCP.",
    ),
    "vscode": Host(
        "VS Code",
        "servers",
        lambda around: around.directory / ".vscode" / "mcp.json",
        "Run `MCP: List Servers` in VS Code and start it.",
        typed=True,
    ),
}
