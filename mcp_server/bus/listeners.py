"""Who listens to which topic, in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mcp_server.bus.bus import Listener

logger = logging.getLogger("mcp_server.bus")


class Listeners:
    """Passes messages on; a listener that raises harms nobody else."""

    def __init__(self) -> None:
        self._by_topic: dict[str, dict[object, Listener]] = {}

    def add(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Pass the messages of a topic on to a listener, until the returned function is called."""
        token = object()
        self._by_topic.setdefault(topic, {})[token] = listener

        def stop() -> None:
            self._by_topic.get(topic, {}).pop(token, None)
            if not self._by_topic.get(topic, True):
                del self._by_topic[topic]

        return stop

    def tell(self, topic: str, message: bytes) -> None:
        """Pass a message on."""
        for listener in tuple(self._by_topic.get(topic, {}).values()):
            _safely(lambda hears=listener.heard: hears(message))

    def tell_of_gap(self) -> None:
        """Tell everybody that messages may have been lost."""
        for listeners in tuple(self._by_topic.values()):
            for listener in tuple(listeners.values()):
                _safely(listener.missed)


def _safely(tell: Callable[[], None]) -> None:
    try:
        tell()
    except Exception:
        logger.exception("A listener of the event bus failed.")
