"""What a client before 2026-07-28 has told us in earlier messages.

Newer clients repeat themselves with each request and have no session. An older one introduces itself once, sets a
log level for everything that follows and subscribes to resources; that is all there is to remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from mcp_server.protocol.messages import STRANGER, Peer


@dataclass(slots=True)
class Session:
    """One legacy client's state, from `initialize` to the end of its connection."""

    peer: Peer = STRANGER
    resources: set[str] = field(default_factory=set[str])
    """URIs of whose changes the client wants to hear."""
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
                self.resources.add(value)
            case _:
                self.resources.discard(value)

    def said(self) -> Iterator[tuple[str, str]]:
        """What the client has said after its handshake, as far as it still holds."""
        if self.peer.log_level is not None:
            yield "level", self.peer.log_level
        yield from (("subscribed", uri) for uri in sorted(self.resources))

    def _said(self, what: str, value: str) -> None:
        self.hear(what, value)
        if self.tell is not None:
            self.tell(what, value)
