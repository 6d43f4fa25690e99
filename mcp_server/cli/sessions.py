"""What a command may ask a server, wherever that server is; commands know this and not the two who keep it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["tools", "resources", "resourceTemplates", "prompts"]
Entry: TypeAlias = Mapping[str, Any]
"""An entry of a list, as the server sent it."""
Hear: TypeAlias = Callable[[str, Mapping[str, Any]], None]
"""Told the method and the parameters of what a server says while it works."""

CAPABILITY: Final[dict[Kind, str]] = {
    "tools": "tools",
    "resources": "resources",
    "resourceTemplates": "resources",
    "prompts": "prompts",
}
"""What a server must have declared before it may be asked for its list."""

PROGRESS: Final = "notifications/progress"
LOG: Final = "notifications/message"
LOG_LEVEL: Final = "info"
"""From which level on we want to hear a server's log messages."""


@dataclass(frozen=True, slots=True)
class About:
    """What a server says of itself; `version` is the one being spoken, `versions` those it has named."""

    info: Mapping[str, Any]
    version: str
    versions: tuple[str, ...]
    capabilities: Mapping[str, Any]
    instructions: str | None

    @property
    def name(self) -> str:
        """What the server calls itself, with its version if it tells."""
        return " ".join(str(self.info[key]) for key in ("name", "version") if self.info.get(key)) or "(no name)"

    def offers(self, kind: Kind) -> bool:
        """Whether the server has such a list at all."""
        return CAPABILITY[kind] in self.capabilities


class Session(Protocol):
    """A conversation with one server; whatever goes wrong in it is raised as a `Problem`."""

    @property
    def about(self) -> About:
        """What the server has said of itself."""
        ...

    async def entries(self, kind: Kind) -> list[dict[str, Any]]:
        """A whole list, over all its pages; empty where the server has no such list."""
        ...

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a tool as it came, be it an error of the tool."""
        ...


def deaf(_method: str, _params: Mapping[str, Any]) -> None:
    """Hears nothing."""
