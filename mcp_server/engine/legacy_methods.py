"""The methods that only clients before 2026-07-28 have: they change what is remembered of a session.

When those versions die, this file goes, and `sessions` with it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from mcp_server.engine.parameters import text
from mcp_server.engine.subscriptions import MAX_RESOURCES, MAX_URI
from mcp_server.protocol import legacy
from mcp_server.protocol.errors import invalid_params
from mcp_server.protocol.results import Result

if TYPE_CHECKING:
    from mcp_server.engine.calls import Call, Principal
    from mcp_server.engine.service import Description


class LegacyMethods:
    """Answers those methods.

    `describe` tells what the server says of itself, `check_reading` refuses who must not read a resource.
    """

    def __init__(
        self, describe: Callable[[], Description], check_reading: Callable[[str, Principal | None], None]
    ) -> None:
        self._describe = describe
        self._check_reading = check_reading

    def table(self) -> dict[str, Callable[[Call], Coroutine[Any, Any, Result]]]:
        """What answers which method."""
        return {
            "initialize": self._initialize,
            "ping": self._ping,
            "logging/setLevel": self._set_level,
            "resources/subscribe": self._subscribe,
            "resources/unsubscribe": self._unsubscribe,
        }

    async def _initialize(self, call: Call) -> Result:
        description = self._describe()
        call.request.peer = peer = legacy.handshake(call.request.params)
        if call.session is not None:
            call.session.peer = peer
        return legacy.introduction(
            peer.version,
            description.server_info,
            description.capabilities,
            description.instructions,
            identified=call.principal is not None,
        )

    async def _ping(self, call: Call) -> Result:  # noqa: ARG002 - the same for everybody
        return {}

    async def _set_level(self, call: Call) -> Result:
        level = legacy.level(call.request.params)
        if call.session is not None:
            call.session.set_level(level)
        return {}

    async def _subscribe(self, call: Call) -> Result:
        uri = text(call.request.params, "uri")
        self._check_reading(uri, call.principal)
        if call.session is not None:
            if len(uri) > MAX_URI:
                raise invalid_params(f"A URI may have at most {MAX_URI} characters")
            if len(call.session.resources) >= MAX_RESOURCES:
                raise invalid_params(f"At most {MAX_RESOURCES} resources can be watched at once")
            call.session.subscribe(uri)
        return {}

    async def _unsubscribe(self, call: Call) -> Result:
        uri = text(call.request.params, "uri")
        if call.session is not None:
            call.session.unsubscribe(uri)
        return {}
