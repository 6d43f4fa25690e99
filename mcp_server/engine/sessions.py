"""What a client before 2026-07-28 has told us in earlier messages.

Newer clients repeat themselves with each request and have no session. An older one introduces itself once, sets a
log level for everything that follows and subscribes to resources; that is all there is to remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from mcp_server.protocol.messages import STRANGER, Peer


@dataclass(slots=True)
class Session:
    """One legacy client's state, from `initialize` to the end of its connection."""

    peer: Peer = STRANGER
    resources: AbstractSet[str] = frozenset()
    """URIs of whose changes the client wants to hear; a session that wants none costs no set."""
    tell: Callable[[str, str], None] | None = None
    """Is told what the client has said after its handshake, where others must know."""

    @property
    def known(self) -> bool:
        """Whether the client has told us anything about itself."""
        return self.peer is not STRANGER

    def set_level(self, level: str) -> None:
        """The client wants to hear log messages of this level and above."""
        self._said("level", level)

    def subscribe(self, uri: str) -> None:
        """The client wants to hear of changes of this resource."""
        self._said("subscribed", uri)

    def unsubscribe(self, uri: str) -> None:
        """It does not any more."""
        self._said("unsubscribed", uri)

    def hear(self, what: str, value: str) -> None:
        """Take over what the client has said to somebody else."""
        match what:
            case "level":
                self.peer = replace(self.peer, log_level=value)
            case "subscribed":
                self.resources = self._own_resources()
                self.resources.add(value)
            case _:
                self.resources = self._own_resources()
                self.resources.discard(value)

    def said(self) -> Iterator[tuple[str, str]]:
        """What the client has said after its handshake, as far as it still holds."""
        if self.peer.log_level is not None:
            yield "level", self.peer.log_level
        yield from (("subscribed", uri) for uri in sorted(self.resources))

    def _own_resources(self) -> set[str]:
        return self.resources if isinstance(self.resources, set) else set(self.resources)

    def _said(self, what: str, value: str) -> None:
        self.hear(what, value)
        if self.tell is not None:
            self.tell(what, value)
