"""The one interface of all buses.

A bus is for news, and not for what must not be lost: a message may be dropped when the network is away or slower than
the sender, and then nobody gets it. What matters is kept in a store; a bus makes that others look there sooner. So
whoever listens is also told when messages may have been missed, and looks for itself.

What comes from a bus comes from the network. A listener checks it before it believes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Listener(Protocol):
    """Who hears the messages of a topic, in the thread of the event loop; must not raise, and must not wait."""

    def heard(self, message: bytes) -> None:
        """Another process has published this."""
        ...

    def missed(self) -> None:
        """Messages may have been lost, since the bus was away; it is back."""
        ...


class Bus(Protocol):
    """Carries messages to every process but the one that sent them, those of one sender in their order."""

    async def open(self) -> None:
        """Begin to listen; does not wait for a network that is away, which is tried until it is there. Idempotent."""
        ...

    async def close(self) -> None:
        """Send what is to be sent, if that takes but a moment, and let go of everything; idempotent."""
        ...

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message without waiting for anything; it is dropped if too many are waiting already.

        Called in the thread of the event loop; before `open` and after `close`, nothing is sent.
        """
        ...

    async def others(self) -> int:
        """How many others would hear a message now, as far as can be known; nobody, while the network is away."""
        ...

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Hear what others publish about a topic, until the returned function is called."""
        ...
